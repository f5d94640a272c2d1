"""What strangers, slow senders and large uploads can do to the web process, with real connections and uvicorn."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import User
from botfactory.edge import incoming
from botfactory.edge.bodies import BoundedBodies, Bounds
from botfactory.edge.senders import network_of
from tests.conftest import signed_in
from tests.edge.serving import Line, served, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

BOUNDS = Bounds(
    stranger_bytes=10_000,
    stranger_seconds=1.0,
    person_bytes=50_000,
    upload_bytes=200_000,
    upload_seconds=20,
    silence_seconds=5,
    first_seconds=0.6,
    bytes_a_second=1_000,
    quick_seconds=0.1,
    held_by_address=3,
    held_by_person=2,
    linger_seconds=0.3,
)
#: Nothing is too slow, except for being counted.
PATIENT = replace(BOUNDS, stranger_seconds=60, silence_seconds=60, first_seconds=60)
API = "/api/v1/corpora"


class Site:
    def __init__(self, bodies: BoundedBodies, port: int) -> None:
        self.bodies, self.port = bodies, port

    def line(self) -> Line:
        return Line(self.port)


@contextmanager
def bounded(bounds: Bounds) -> Iterator[Site]:
    # Here, since it loads the product.
    from botfactory.asgi import application

    bodies = BoundedBodies(application.application_mapping["http"].inner, bounds)
    with served(bodies) as port:
        yield Site(bodies, port)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with bounded(BOUNDS) as site:
        yield site


@pytest.fixture
def patient() -> Iterator[Site]:
    with bounded(PATIENT) as site:
        yield site


def bearer(user: User) -> str:
    return f"Bearer {tokens.create_token(owner=user, name='a program').text}"


def cookie(client: Client) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


def multipart(size: int) -> tuple[str, bytes]:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    return "multipart/form-data; boundary=x", head + b"a" * (size - len(head) - 9) + b"\r\n--x--\r\n"


def test_a_large_body_of_a_stranger_is_refused_before_it_is_read(site: Site) -> None:
    with site.line() as line:
        line.begin(API, 150_000)
        line.send(b"x" * 1000)
        reply = line.reply()
    assert (reply.status, reply.error["code"]) == (413, "too_large")
    assert "Sign in" in reply.error["message"]
    assert reply.headers["x-request-id"] and reply.headers["connection"] == "close"


def test_a_sender_that_asks_first_is_refused_without_being_told_to_go_on(site: Site) -> None:
    with site.line() as line:
        line.begin(API, 300_000_000, {"Expect": "100-continue"})
        reply = line.reply()
    assert reply.status == 413


@pytest.mark.parametrize("shown", [{}, {"Cookie": "sessionid=made-up"}, {"Authorization": "Bearer botf_made_up"}])
def test_a_body_that_does_not_say_how_large_it_is_is_counted_while_it_comes(site: Site, shown: dict[str, str]) -> None:
    with site.line() as line:
        line.begin(API, None, shown)
        for _ in range(5):
            line.send_chunk(b"x" * 4_000)
        reply = line.reply()
    assert reply.status == 413


def test_a_browser_is_answered_with_a_page(site: Site) -> None:
    with site.line() as line:
        line.begin("/corpora/new", 20_000)
        reply = line.reply()
    page = reply.body.decode()
    assert reply.status == 413 and "<h1>This is too large</h1>" in page and "Sign in" in page
    assert "default-src" in reply.headers["content-security-policy"]


def test_a_sender_who_sends_on_reads_the_answer_all_the_same(site: Site) -> None:
    body = b"x" * 3_000_000
    with site.line() as line:
        line.begin(API, len(body))
        line.send(body)
        reply = line.reply()
    assert reply.status == 413


def test_people_send_more_by_session_and_by_token(site: Site, alice: User) -> None:
    content_type, body = multipart(150_000)
    session = {"Cookie": cookie(signed_in(alice))}
    # The password for a proxy in front comes with each request of a browser.
    shown = [session, session | {"Authorization": "Basic YTpi"}, {"Authorization": bearer(alice)}]
    for headers in shown:
        with site.line() as line:
            line.begin(API, len(body), {"Content-Type": content_type, "Connection": "close", **headers})
            line.send(body)
            reply = line.reply()
        # It is read to the end, and then the view refuses it: fields or the CSRF token are missing.
        assert reply.status in {403, 422}, reply


def test_who_is_deactivated_is_a_stranger(site: Site, alice: User) -> None:
    shown = cookie(signed_in(alice))
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with site.line() as line:
        line.begin(API, 150_000, {"Cookie": shown})
        assert line.reply().status == 413


def test_the_largest_upload_holds_while_it_is_read(site: Site, alice: User) -> None:
    content_type, body = multipart(400_000)
    shown = bearer(alice)
    with site.line() as line:
        line.begin(API, None, {"Content-Type": content_type, "Authorization": shown})
        line.send_chunk(body[:190_000])
        line.send_chunk(body[190_000:210_000])
        reply = line.reply()
    assert reply.status == 413 and "MB allowed here" in reply.error["message"]


def test_what_is_no_form_with_a_file_holds_less(site: Site, alice: User) -> None:
    with site.line() as line:
        line.begin(API, 60_000, {"Content-Type": "application/json", "Authorization": bearer(alice)})
        reply = line.reply()
    assert reply.status == 413 and "as a file" in reply.error["message"]


def test_a_body_that_never_comes_is_given_up(site: Site) -> None:
    with site.line() as line:
        line.begin(API, 100)
        reply = line.reply()
    assert (reply.status, reply.error["code"]) == (408, "too_slow")


def test_a_body_that_drips_is_given_up(site: Site) -> None:
    begun = time.monotonic()
    with site.line() as line, pytest.raises((BrokenPipeError, ConnectionResetError)):
        line.begin(API, 9_000)
        while time.monotonic() < begun + 20:
            line.send(b"x")
            time.sleep(0.05)


def test_a_large_upload_on_a_slow_line_arrives(site: Site, alice: User) -> None:
    content_type, body = multipart(60_000)
    with site.line() as line:
        line.begin(
            API, len(body), {"Content-Type": content_type, "Connection": "close", "Authorization": bearer(alice)}
        )
        # Longer than a stranger's body may take.
        for place in range(0, len(body), 5_000):
            line.send(body[place : place + 5_000])
            time.sleep(0.12)
        reply = line.reply()
    assert reply.status == 422, reply


def test_an_address_has_a_few_slow_bodies_and_a_person_a_few_more(patient: Site, alice: User) -> None:
    shown, held = bearer(alice), patient.bodies.held
    with ExitStack() as stack:
        for _ in range(PATIENT.held_by_address):
            stack.enter_context(patient.line()).begin(API, 100)
        wait_until("the address to have its own", lambda: sum(held.values()) == PATIENT.held_by_address)
        # A body that arrives at once doesn't wait.
        quick = stack.enter_context(patient.line())
        quick.begin(API, 2, {"Connection": "close"}, start=b"{}")
        assert quick.reply().status == 401
        for _ in range(PATIENT.held_by_person):
            stack.enter_context(patient.line()).begin(API, 100, {"Authorization": shown})
        both = PATIENT.held_by_address + PATIENT.held_by_person
        wait_until("the person to have hers", lambda: sum(held.values()) == both)
        no_header: dict[str, str] = {}
        for headers in (no_header, {"Authorization": shown}):
            one_more = stack.enter_context(patient.line())
            one_more.begin(API, 100, headers)
            reply = one_more.reply()
            assert (reply.status, reply.error["code"]) == (429, "too_many_uploads")
            assert reply.headers["retry-after"] == "30"
    wait_until("nothing to be held once they have hung up", lambda: not held)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_neighbours_in_an_ipv6_network_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


def test_without_other_words_the_bounds_are_those_of_the_settings(settings: Any) -> None:
    settings.MAX_UPLOAD_MB = 7
    assert 7 * 2**20 < Bounds.of_settings().upload_bytes < 22 * 2**20


def test_what_a_killed_process_has_left_is_swept_unless_another_serves(settings: Any, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "incoming"
    left = incoming.folder() / "left.upload.zip"
    left.write_bytes(b"x")
    with incoming.sweep():
        assert not left.exists()
        # Another process starts beside this one. Existing files may belong to this one.
        left.write_bytes(b"x")
        with incoming.sweep():
            assert left.exists()
            os.utime(left, (time.time() - 2 * 24 * 3600,) * 2)
            incoming.sweep().close()
            assert not left.exists()


def test_the_process_that_serves_sweeps_and_says_so(settings: Any) -> None:
    import botfactory.asgi

    with (Path(settings.FILE_UPLOAD_TEMP_DIR) / ".lock").open("a") as lock, pytest.raises(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not botfactory.asgi.serving.closed


def test_bodies_and_uploads_lie_in_the_products_home(
    settings: Any, tmp_path: Path, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "incoming"
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100
    # The system's own folder can't be written to.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    from botfactory.asgi import application

    content_type, body = multipart(5_000)
    with served(application.application_mapping["http"]) as port, Line(port) as line:
        line.begin(
            API, len(body), {"Content-Type": content_type, "Connection": "close", "Authorization": bearer(alice)}
        )
        line.send(body)
        reply = line.reply()
    assert reply.status == 422, reply
    assert (tmp_path / "incoming").is_dir() and not list((tmp_path / "incoming").iterdir())


def test_uploads_are_written_where_they_are_swept(settings: Any, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "incoming"
    handler: Any = incoming.UploadHandler()
    handler.new_file("file", "a.txt", "text/plain", 3, None, None)
    assert Path(handler.file.temporary_file_path()).parent == tmp_path / "incoming"
    handler.file.close()
