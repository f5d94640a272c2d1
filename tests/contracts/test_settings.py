"""Every setting is documented, and every documented setting exists."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from django.conf import settings

from tests.contracts.test_compose import known_settings
from tweets.sources.kinds import Network
from tweets.sources.registry import networks

ROOT = Path(settings.BASE_DIR)
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "PORT", "COMPOSE_PROFILES"}


def test_each_setting_has_its_row_in_the_docs_and_no_other_has() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    ours = text.partition("\n## Only for Docker Compose\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", ours, re.MULTILINE)) == known_settings()


@pytest.mark.parametrize("network", networks().values(), ids=lambda network: network.name)
def test_each_setting_of_a_network_is_read(network: Network) -> None:
    own = [field.name for field in fields(network.settings)] if network.settings else []
    assert [name for name in own if not hasattr(settings, network.setting_of(name))] == []
    assert network.needs in ("", *own)


def test_what_only_compose_reads_is_documented_in_a_section_of_its_own() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    section = text.partition("\n## Only for Docker Compose\n")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == COMPOSE_ONLY


def test_each_setting_stands_in_the_example_and_no_other_does() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=", text, re.MULTILINE)) == known_settings() | COMPOSE_ONLY
