"""Every operation of the API does what its document says, tested with requests that schemathesis generates from it.

`SCHEMATHESIS_EXAMPLES` says how many for each operation. The whole run: docs/development.md.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.db import connection
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from botfactory.accounts.models import PersonalLimits, User
from botfactory.asgi import application
from models_app.bots.rows import TrainedModel
from tests.fakes import x_api_server
from tests.fakes.bluesky_server import BlueskyServer
from tests.fakes.hub_server import HubServer
from tests.fakes.mastodon_server import MastodonServer
from tests.fakes.x_api_server import XApiServer
from tests.models_app import tiny_llama
from tests.rest.helpers import V1, Program
from tests.rest.made_up import World, taught
from tests.webhooks.conftest import receiver as receiver
from tests.webhooks.receiver import Receiver

logger = logging.getLogger(__name__)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

#: By default few, and always the same ones.
DEFAULT = 2
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", DEFAULT))
#: The statuses that schemathesis accepts for invalid and valid requests, plus 413: a generated body with many posts may
#: be larger than a stranger can send.
TO_STRANGERS = {
    "negative_data_rejection": "400 401 403 404 405 406 409 413 415 422 428 429 5xx",
    "positive_data_acceptance": "2xx 3xx 401 403 404 409 413 429 5xx",
}


def schema(headers: dict[str, str]) -> Any:
    """The document of the real application, tested with all checks of schemathesis."""
    statuses = {} if headers else TO_STRANGERS
    # Values at and beyond each limit take most of the time. Postgres refuses more of them than SQLite does, so unless
    # somebody asks for more examples, they're tried there. Strangers are refused before anything is read.
    at_limits = bool(headers) and (connection.vendor == "postgresql" or EXAMPLES > DEFAULT)
    phases = {"coverage": {"enabled": at_limits}, "stateful": {"enabled": bool(headers)}}
    config = SchemathesisConfig.from_dict(
        {
            "headers": headers,
            "continue-on-failure": True,
            "request-timeout": 30,
            # The stream of a waiting job doesn't end.
            "max-stream-events": 5,
            "checks": {check: {"expected-statuses": expected.split()} for check, expected in statuses.items()},
            "phases": phases,
            "generation": {"max-examples": EXAMPLES, "deterministic": EXAMPLES == DEFAULT, "database": "none"},
        }
    )
    return schemathesis.openapi.from_asgi(f"{V1}/openapi.json", application, config=config)


def failures(schema: Any) -> list[str]:
    """Return the first difference from the document for each operation and check, with a command to repeat it."""
    found: dict[str, str] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError) and not of_python(event.value):
            found[event.label] = f"{event.label}: {event.value!r}"
        if isinstance(event, events.ScenarioFinished):
            for name, text in failed_checks(event.recorder):
                found.setdefault(name, text)
    return list(found.values())


def of_python(error: Exception) -> bool:
    """An error that `ast.parse`, which Hypothesis uses, may raise if two threads are in it (CPython issue 106905)."""
    return isinstance(error, SystemError) and "AST constructor recursion depth mismatch" in str(error)


#: To break a pattern, schemathesis adds a star (`violate_pattern`). Ours allow a star; they forbid NUL and blanks.
STILL_RIGHT = re.compile(r"""violates `pattern` at .* \(was "(.*)", became "\1\*"\)""", re.DOTALL)


def failed_checks(recorder: ScenarioRecorder) -> Iterator[tuple[str, str]]:
    for case_id, checks in recorder.checks.items():
        case, answer = recorder.cases[case_id].value, recorder.interactions[case_id].response
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                if STILL_RIGHT.search(failure.message):
                    continue
                name = f"{case.operation.label}, {check.name}"
                told = "no answer" if answer is None else f"{answer.status_code} {answer.content[:300]!r}"
                text = f"{name}: {failure.title}. {failure.message}\n{case.as_curl_command()}\n{told}"
                logger.error(text)
                yield name, text


@pytest.fixture
def handles(settings: Any) -> Iterator[dict[str, str]]:
    """Return an account of each network on our own servers, so that no request leaves this machine."""
    with XApiServer() as x_api, BlueskyServer() as bluesky, MastodonServer() as mastodon:
        settings.X_API_URL, settings.X_BEARER_TOKEN = x_api.url, x_api_server.TOKEN
        settings.BLUESKY_API_URL, settings.PRIVATE_SERVERS = bluesky.url, [mastodon.url]
        yield {"x": "@prolific", "bluesky": "@essays.example.com", "mastodon": mastodon.handle("prolific")}


@pytest.fixture
def hub(tmp_path: Path, settings: Any) -> Iterator[HubServer]:
    with HubServer(tiny_llama.hugging_face(tmp_path / "Tiny-1M"), any_name=True) as running:
        settings.HF_ENDPOINT = running.url
        yield running


@pytest.fixture(autouse=True)
def host(settings: Any, tmp_path: Path) -> None:
    """Answer to the name of Django's client. The files that are made up go with the test."""
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.TRAINING_DIR = tmp_path / "training"


def test_who_has_a_token_gets_what_the_document_says(
    admin: User, base: TrainedModel, handles: dict[str, str], receiver: Receiver, hub: HubServer
) -> None:
    PersonalLimits.objects.create(user=admin, unlimited=True)
    program = Program(admin, "read", "write", "admin")
    with taught(World(program.token, base, handles, receiver.url)):
        found = failures(schema(program.headers))
    assert not found, "\n\n".join(found)


def test_nobody_gets_what_the_document_says(db: None) -> None:
    found = failures(schema({}))
    assert not found, "\n\n".join(found)
