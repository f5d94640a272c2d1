"""HEAD works for every page that GET answers: same status and headers, no body."""

from __future__ import annotations

import socket
import uuid

import pytest
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs import services
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.edge.serving import Line, served
from tests.jobs.kinds import count_to_three, kind
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.rest.helpers import V1, Program
from tests.routes import filled, routes
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_page_that_get_answers(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    kind("test", count_to_three)
    job = services.submit(owner=alice, kind="test", title="A test", arguments={})
    ids: dict[str, uuid.UUID] = {"job": job.pk, "corpus": corpus.pk, "model": base.pk}
    paths = [filled(route, ids) for route in routes() if not route.startswith(("/admin/", "/api/"))]
    found = {}
    for path in dict.fromkeys(paths):
        client = signed_in(alice)
        got, head = client.get(path), client.head(path)
        found[path] = (got.status_code, head.status_code)
        assert b"".join(head) == b"", path
    assert {path: statuses for path, statuses in found.items() if statuses[0] != statuses[1]} == {}
    assert sum(statuses == (200, 200) for statuses in found.values()) > 20


def test_the_front_page_for_who_asks_whether_it_is_there(db: None) -> None:
    got, head = Client().get("/"), Client().head("/")
    assert (head.status_code, head.content, head["Content-Type"]) == (200, b"", got["Content-Type"])
    assert int(head["Content-Length"]) > 1000


def test_of_the_api_too_and_an_endless_stream_is_not_begun(alice: User) -> None:
    kind("test", count_to_three)
    job = services.submit(owner=alice, kind="test", title="A test", arguments={})
    program = Program(alice)
    for path in ("/me", f"/jobs/{job.pk}", f"/jobs/{job.pk}/events?stream=1"):
        answer = program.client.head(V1 + path, headers=program.headers)
        assert (answer.status_code, answer.content) == (200, b""), path
    assert answer["Content-Type"] == "text/event-stream"
    assert program.ask("HEAD", "/nothing").status_code == 404
    # What GET doesn't answer, HEAD doesn't.
    assert program.ask("HEAD", f"/jobs/{job.pk}/cancel").status_code == 405


def test_over_a_line_nothing_follows_the_head() -> None:
    from botfactory.asgi import application

    with served(application) as port, Line(port) as line:
        line.send(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        reply = line.reply()
        assert (reply.status, reply.body) == (200, b"") and int(reply.headers["content-length"]) > 1000
        line.socket.shutdown(socket.SHUT_RDWR)
