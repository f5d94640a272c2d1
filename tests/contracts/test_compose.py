"""docker-compose.yml fits the public compose schema and has all settings."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from tweets.sources.registry import networks

ROOT = Path(settings.BASE_DIR)
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
OURS = {"web", "scheduler", "importer", "postman", "writer", "trainer", "trainer-gpu"}


@dataclass
class NoSettings:
    """Those of a network without any."""


def known_settings() -> set[str]:
    """Return every variable that the code reads: with the helpers of env.py, for a network, or in pure code."""
    text = (ROOT / "botfactory" / "settings.py").read_text(encoding="utf-8")
    found = set(re.findall(r"env_\w+\(\s*\"(\w+)\"", text))
    for network in networks().values():
        found |= {network.setting_of(field.name) for field in fields(network.settings or NoSettings)}
    for path in (ROOT / "models_app" / "ml").rglob("*.py"):
        found |= set(re.findall(r"\"(BOTFACTORY_\w+)\"", path.read_text(encoding="utf-8")))
    return found


def test_the_file_keeps_the_public_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    result = subprocess.run([*command, str(ROOT / "docker-compose.yml")], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_it_has_pages_importer_trainers_and_the_services_they_need() -> None:
    assert set(COMPOSE["services"]) == OURS | {"postgres", "valkey"}
    assert COMPOSE["services"]["trainer-gpu"]["profiles"] == ["gpu"]


def test_no_log_of_a_container_grows_without_end() -> None:
    limited = {"driver": "json-file", "options": {"max-size": "20m", "max-file": "3"}}
    found = {name: service.get("logging") for name, service in COMPOSE["services"].items()}
    assert found == dict.fromkeys(found, limited)


def test_each_variable_that_it_sets_is_a_setting() -> None:
    for name in OURS:
        unknown = set(COMPOSE["services"][name]["environment"]) - known_settings()
        assert not unknown, f"{name} sets {unknown}, which no setting reads"


def test_what_an_operator_sets_in_env_reaches_each_container() -> None:
    offered = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    # The containers set folders and services. Debugging and the type of products aren't settings for a server.
    own = {"BOTFACTORY_HOME", "CHECKPOINTS_DIR", "TRAINING_DIR", "DEBUG", "BOTFACTORY_ML_PRODUCTS"}
    own |= {"COMPOSE_PROFILES", "DATABASE_URL", "REDIS_URL", "POSTGRES_PASSWORD", "PORT"}
    # Containers share the processor by cpu_shares.
    own |= {"TRAINER_NICE"}
    for name in OURS:
        missing = offered - own - set(COMPOSE["services"][name]["environment"])
        assert not missing, f"{name} doesn't get {missing}"


@pytest.mark.parametrize("place", ["docker-compose.yml", "Dockerfile", "docs/install.md"])
def test_the_pages_are_served_with_our_limits_wherever_they_are_started(place: str) -> None:
    text = (ROOT / place).read_text(encoding="utf-8")
    assert re.search(r"manage\.py\W+web\W+--host\W+0\.0\.0\.0", text) and "uvicorn" not in text


def test_workers_listen_to_the_queues_that_jobs_are_put_in() -> None:
    from botfactory.jobs.kinds import kind_of
    from botfactory.webhooks.services import QUEUE

    queues = {
        queue
        for service in COMPOSE["services"].values()
        for queue in re.findall(r"worker -Q (\w+)", str(service.get("command", "")))
    }
    assert {kind_of("import").queue, kind_of("fine_tune").queue, QUEUE} == queues


def test_what_the_image_copies_exists() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
    sources = [source for line in lines for source in line.split()[:-1]]
    assert "botfactory" in sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_image_and_makefile_install_the_same_uv() -> None:
    made = re.search(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    image = re.search(r"uv==(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert made and image and made[1] == image[1]
