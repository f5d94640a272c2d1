from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import quote

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import OperationalError, connections
from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import User
from botfactory.asgi import application
from botfactory.jobs import events, services, watching, worker
from botfactory.jobs.consumers import JobConsumer
from botfactory.jobs.models import Job
from tests.conftest import signed_in
from tests.jobs.kinds import count_to_three, kind
from tests.lines import Line
from tests.rest.helpers import require_error

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@pytest.fixture(autouse=True)
async def close_connections() -> AsyncIterator[None]:
    """Close the database session of the thread that reads rows for an async test."""
    yield
    await sync_to_async(connections.close_all)()


def submit(owner: User) -> Job:
    kind("test", count_to_three)
    return services.submit(owner=owner, kind="test", title="A test", arguments={})


def socket(client: Client | None, job_id: uuid.UUID, query: str = "") -> Line:
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    if client is not None:
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        headers.append((b"cookie", cookies.encode()))
    return Line(application, f"/ws/jobs/{job_id}/{query}", headers=headers)


async def watched(owner: User) -> tuple[Job, Line]:
    """Return a job of the person, and their socket for it, which has brought the snapshot."""
    job = await sync_to_async(submit)(owner)
    line = socket(await sync_to_async(signed_in)(owner), job.pk)
    await line.connect()
    assert (await line.receive_json_from())["type"] == "snapshot"
    return job, line


async def follow(line: Line, until: str) -> list[dict[str, Any]]:
    """Every event up to the one of kind `state` that says `until`."""
    seen: list[dict[str, Any]] = []
    while not any(event["payload"].get("state") == until for event in seen):
        seen += (await line.receive_json_from())["events"]
    return seen


async def test_the_owner_gets_the_snapshot_and_then_what_happens(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    line = socket(await sync_to_async(signed_in)(alice), job.pk)
    assert (await line.connect())[0]
    first = await line.receive_json_from()
    assert (first["type"], first["job"]["state"], first["job"]["queue_position"]) == ("snapshot", "queued", 1)
    await sync_to_async(worker.run)(job.pk)
    live = await follow(line, "succeeded")
    rows = (await sync_to_async(events.snapshot)(job))["events"]
    assert first["events"] + live == rows
    await line.disconnect()


async def test_a_page_that_comes_back_gets_what_it_has_missed(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    await sync_to_async(worker.run)(job.pk)
    line = socket(await sync_to_async(signed_in)(alice), job.pk, "?after=3")
    await line.connect()
    message = await line.receive_json_from()
    assert [event["sequence"] for event in message["events"]] == [4, 5, 6]
    await line.send_json_to({"after": 5})
    assert [event["sequence"] for event in (await line.receive_json_from())["events"]] == [6]
    await line.disconnect()


async def test_a_message_of_an_earlier_version_still_brings_the_news(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    line = socket(await sync_to_async(signed_in)(alice), job.pk)
    await line.connect()
    assert (await line.receive_json_from())["job"]["state"] == "queued"
    await sync_to_async(Job.objects.filter(pk=job.pk).update)(state="running")
    old = {"type": "job.message", "message": {"type": "update", "job": {}, "events": []}}
    await get_channel_layer().group_send(events.group_of(job), old)
    message = await line.receive_json_from()
    assert (message["type"], message["job"]["state"], message["events"]) == ("ping", "running", [])
    await line.disconnect()


@pytest.mark.parametrize("after", ["?after=x", "?after=-1", "?after=", "?after=9&after=1", "?%ff=%ff"])
async def test_a_strange_query_is_no_harm(alice: User, after: str) -> None:
    job = await sync_to_async(submit)(alice)
    line = socket(await sync_to_async(signed_in)(alice), job.pk, after)
    assert (await line.connect())[0]
    assert (await line.receive_json_from())["type"] == "snapshot"
    for nonsense in ('{"after": "x"}', "[]", "not json", "null", '{"after": -4}', '{"after": true}'):
        await line.send_to(text_data=nonsense)
    await line.send_json_to({"after": 0})
    assert (await line.receive_json_from())["job"]["id"] == str(job.pk)
    await line.disconnect()


async def test_strangers_are_refused_as_for_a_job_that_does_not_exist(alice: User, bob: User, admin: User) -> None:
    job = await sync_to_async(submit)(alice)
    answers = []
    for user in (bob, admin, None):
        client = await sync_to_async(signed_in)(user) if user else None
        for job_id in (job.pk, uuid.uuid4()):
            line = socket(client, job_id)
            answers.append(await line.connect())
    assert set(answers) == {(False, 4404)}


async def test_another_site_cannot_open_the_socket(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    line = socket(await sync_to_async(signed_in)(alice), job.pk)
    line.scope["headers"] = [(b"origin", b"http://evil.example"), *line.scope["headers"][1:]]
    assert not (await line.connect())[0]


async def test_who_signs_out_watches_no_longer(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botfactory.jobs.consumers.PING_SECONDS", 0.05)
    job = await sync_to_async(submit)(alice)
    client = await sync_to_async(signed_in)(alice)
    line = socket(client, job.pk)
    await line.connect()
    assert (await line.receive_json_from())["type"] == "snapshot"
    assert (await line.receive_json_from())["type"] == "ping"
    await sync_to_async(client.logout)()
    for _ in range(100):
        message = await line.receive_output()
        if message["type"] == "websocket.close":
            break
    assert message == {"type": "websocket.close", "code": 4404, "reason": None} or message["code"] == 4404


def bearer(text: str, job_id: uuid.UUID, *, origin: str = "", protocols: list[str] | None = None) -> Any:
    headers = [(b"host", b"localhost")]
    headers += [(b"origin", origin.encode())] if origin else []
    headers += [] if protocols else [(b"authorization", f"Bearer {text}".encode())]
    return Line(application, f"/ws/jobs/{job_id}/", headers=headers, subprotocols=protocols)


async def test_a_program_watches_by_token_in_the_header(alice: User, bob: User) -> None:
    job = await sync_to_async(submit)(alice)
    text = (await sync_to_async(tokens.create_token)(owner=alice, name="watcher", scopes=["read"])).text
    line = bearer(text, job.pk)
    assert (await line.connect())[0]
    assert (await line.receive_json_from())["job"]["id"] == str(job.pk)
    await line.disconnect()
    writer = (await sync_to_async(tokens.create_token)(owner=alice, name="writer", scopes=["write"])).text
    stranger = (await sync_to_async(tokens.create_token)(owner=bob, name="stranger")).text
    for wrong in (writer, stranger, "nonsense"):
        assert await bearer(wrong, job.pk).connect() == (False, 4404)
    line = bearer("nonsense", job.pk)
    cookie = (await sync_to_async(signed_in)(alice)).cookies["sessionid"].value
    line.scope["headers"].append((b"cookie", f"sessionid={cookie}".encode()))
    assert not (await line.connect())[0]


async def test_a_password_of_a_proxy_leaves_the_session_and_the_token_of_a_page(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    text = (await sync_to_async(tokens.create_token)(owner=alice, name="page")).text
    by_session = socket(await sync_to_async(signed_in)(alice), job.pk)
    by_token = bearer(text, job.pk, origin="http://localhost", protocols=["botfactory", f"bearer.{text}"])
    for line in (by_session, by_token):
        line.scope["headers"].append((b"authorization", b"Basic YTpi"))
        assert (await line.connect())[0]
        await line.disconnect()
    # It is no token, so it doesn't open a socket to a page of another site.
    elsewhere = socket(await sync_to_async(signed_in)(alice), job.pk)
    elsewhere.scope["headers"] = [(b"origin", b"https://a.example"), *elsewhere.scope["headers"][1:]]
    elsewhere.scope["headers"].append((b"authorization", b"Basic YTpi"))
    assert not (await elsewhere.connect())[0]


async def test_a_page_shows_its_token_as_a_subprotocol(alice: User, settings: Any) -> None:
    job = await sync_to_async(submit)(alice)
    text = (await sync_to_async(tokens.create_token)(owner=alice, name="page")).text
    protocols = ["botfactory", f"bearer.{text}"]
    line = bearer(text, job.pk, origin="http://localhost", protocols=protocols)
    assert await line.connect() == (True, "botfactory")
    await line.disconnect()
    assert not (await bearer(text, job.pk, origin="https://a.example", protocols=protocols).connect())[0]
    settings.CORS_ALLOWED_ORIGINS = ["https://a.example"]
    line = bearer(text, job.pk, origin="https://a.example", protocols=protocols)
    assert await line.connect() == (True, "botfactory")
    await line.disconnect()


async def test_without_session_and_token_and_in_the_address_there_is_no_way(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    text = (await sync_to_async(tokens.create_token)(owner=alice, name="page")).text
    assert not (await socket(None, job.pk, f"?token={text}").connect())[0]
    line = Line(application, f"/ws/jobs/{job.pk}/", headers=[(b"host", b"localhost")])
    assert not (await line.connect())[0]


async def of_revoked_token(owner: User) -> Any:
    """Return the open socket of a program whose token has just been revoked."""
    job = await sync_to_async(submit)(owner)
    new = await sync_to_async(tokens.create_token)(owner=owner, name="watcher")
    line = bearer(new.text, job.pk)
    await line.connect()
    await line.receive_json_from()
    await sync_to_async(tokens.revoke_token)(new.token)
    return line


async def test_a_revoked_token_watches_no_longer(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botfactory.jobs.consumers.PING_SECONDS", 0.05)
    line = await of_revoked_token(alice)
    for _ in range(100):
        message = await line.receive_output()
        if message["type"] == "websocket.close":
            break
    assert message["code"] == 4404


def lose_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sockets find no job any more, as on a server whose database has restarted."""

    def lost(consumer: JobConsumer) -> Job:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(JobConsumer, "_watched_job", lost)


async def test_a_database_error_at_a_ping_closes_the_socket(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botfactory.jobs.consumers.PING_SECONDS", 0.05)
    left: list[str] = []
    layer = get_channel_layer()
    discard = layer.group_discard

    async def leave(group: str, channel: str) -> None:
        left.append(group)
        await discard(group, channel)

    monkeypatch.setattr(layer, "group_discard", leave)
    job, line = await watched(alice)
    lose_the_database(monkeypatch)
    while (message := await line.receive_output())["type"] != "websocket.close":
        pass
    assert message["code"] == 1013
    await line.disconnect()
    assert left == [events.group_of(job)]


async def test_a_database_error_at_a_message_closes_the_socket_and_ends_its_pings(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pings: list[asyncio.Task[None]] = []
    begin = JobConsumer._ping

    async def ping(consumer: JobConsumer) -> None:
        pings.append(cast("asyncio.Task[None]", asyncio.current_task()))
        await begin(consumer)

    monkeypatch.setattr(JobConsumer, "_ping", ping)
    job, line = await watched(alice)
    lose_the_database(monkeypatch)
    await get_channel_layer().group_send(events.group_of(job), {"type": "job.message"})
    assert (await line.receive_output())["code"] == 1013
    await line.wait()
    (task,) = pings
    await asyncio.wait([task])
    assert task.cancelled() and not watching.lines.open


LONG_NUMBER = "9" * 5_000


@pytest.mark.parametrize("after", [LONG_NUMBER, "٣", "²", "9" * 19, "+1", "1e3"])
async def test_no_number_ends_the_socket(alice: User, after: str) -> None:
    job = await sync_to_async(submit)(alice)
    line = socket(await sync_to_async(signed_in)(alice), job.pk, f"?after={quote(after)}")
    assert (await line.connect())[0]
    assert (await line.receive_json_from())["type"] == "snapshot"
    await line.disconnect()


@pytest.mark.parametrize("after", [LONG_NUMBER, "9" * 4_000, "9" * 19, "1e400", "NaN"])
async def test_no_message_ends_the_socket(alice: User, after: str) -> None:
    job = await sync_to_async(submit)(alice)
    line = socket(await sync_to_async(signed_in)(alice), job.pk)
    await line.connect()
    first = await line.receive_json_from()
    for text in (f'{{"after": {after}}}', "[" * 50_000, '{"after":' * 50_000, ""):
        await line.send_input({"type": "websocket.receive", "text": text})
    await line.send_to(bytes_data=b"\xff\x00")
    await line.send_json_to({"after": 0})
    messages = [await line.receive_json_from()]
    while not messages[-1]["events"]:
        messages.append(await line.receive_json_from())
    assert messages[-1] == first
    await line.disconnect()


@pytest.mark.parametrize(
    ("origin", "host", "is_own"),
    [
        ("http://localhost", "localhost", True),
        ("http://localhost:80", "localhost", True),
        ("http://localhost:8000", "localhost:8000", True),
        ("http://LOCALHOST:8000", "localhost:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("https://localhost", "localhost:443", True),
        # Another program of this machine.
        ("http://localhost:3000", "localhost:8000", False),
        ("http://localhost", "localhost:8000", False),
        ("http://127.0.0.1:8000", "localhost:8000", False),
        # A host name that was made to resolve to this machine.
        ("http://evil.example", "evil.example", False),
        ("http://localhost.evil.example", "localhost", False),
        ("null", "localhost", False),
        ("", "localhost", False),
        ("file://localhost", "localhost", False),
        ("http://localhost:x", "localhost", False),
    ],
)
def test_the_page_of_a_socket_comes_from_the_very_same_host_and_port(origin: str, host: str, is_own: bool) -> None:
    assert watching.is_own_page(origin, host) is is_own


def test_behind_https_the_page_does_too(settings: Any) -> None:
    settings.HTTPS, settings.ALLOWED_HOSTS = True, ["bots.example"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://bots.example"]
    assert watching.is_own_page("https://bots.example", "bots.example")
    # A proxy that passes its own name.
    assert watching.is_own_page("https://bots.example", "127.0.0.1:8000")
    assert not watching.is_own_page("http://bots.example", "bots.example")


async def test_the_page_of_another_port_opens_no_socket(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    line = socket(await sync_to_async(signed_in)(alice), job.pk)
    line.scope["headers"] = [(b"origin", b"http://localhost:3000"), *line.scope["headers"][1:]]
    assert not (await line.connect())[0]


async def test_a_person_has_so_many_sockets_and_streams_and_those_of_others_do_not_count(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_LINES", 2)
    own, foreign = await sync_to_async(submit)(alice), await sync_to_async(submit)(bob)
    client = await sync_to_async(signed_in)(alice)
    held = [socket(client, own.pk) for _ in range(2)]
    for line in held:
        assert (await line.connect())[0]
        await line.receive_json_from()
    one_more = socket(client, own.pk)
    # Accepted first, so that the browser passes the code to its page.
    assert (await one_more.connect())[0]
    assert (await one_more.receive_output())["code"] == 4429
    await one_more.disconnect()
    refused = await sync_to_async(client.get)(f"/api/v1/jobs/{own.pk}/events?stream=1")
    require_error(refused, 429, "too_many_streams")
    other = socket(await sync_to_async(signed_in)(bob), foreign.pk)
    await other.connect()
    assert (await other.receive_json_from())["type"] == "snapshot"
    await held.pop().disconnect()
    another = socket(client, own.pk)
    await another.connect()
    assert (await another.receive_json_from())["type"] == "snapshot"
    for line in (*held, other, another):
        await line.disconnect()
    assert not watching.lines.open


def test_twenty_tabs_are_no_crowd() -> None:
    assert watching.MAX_LINES >= 5 * 20


async def test_a_revoked_token_gets_nothing_that_it_asks_for(alice: User) -> None:
    line = await of_revoked_token(alice)
    await line.send_json_to({"after": 0})
    assert await line.receive_output() == {"type": "websocket.close", "code": 4404}


@pytest.mark.parametrize("path", ["/ws/jobs/none/", "/ws/zzz", "/"])
async def test_what_is_no_socket_is_refused_without_an_error(path: str) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer x")]
    assert not (await Line(application, path, headers=headers).connect())[0]
