"""What strangers can do with connections alone: how many there can be, and how long their headers may take.

Addresses of 127.0.0.0/8 are different clients. 127.0.0.1 is a proxy in front, as FORWARDED_ALLOW_IPS says by default.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from botfactory.edge.connections import MOST, Bounds
from tests.edge.serving import Line, served, wait_until

ROOT = Path(__file__).parents[2]
SCHOOL, HOME, PROXY = "127.0.0.2", "127.0.0.3", "127.0.0.1"
#: Nothing is too late.
PATIENT = Bounds(most=4, by_address=2, header_seconds=60)
HURRIED = Bounds(most=4, by_address=2, header_seconds=0.4)
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with the body. Accept sockets, and wait at /wait, until the client leaves."""
    message = await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    body = b""
    while message["type"] == "http.request" and (body := body + message["body"]) is not None and message["more_body"]:
        message = await receive()
    if scope["path"] == "/wait":
        while message["type"] not in {"http.disconnect", "websocket.disconnect"}:
            message = await receive()
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Site:
    def __init__(self, port: int, stack: ExitStack) -> None:
        self.port, self.stack = port, stack

    def line(self, source: str) -> Line:
        return self.stack.enter_context(Line(self.port, source))

    def working(self, source: str, headers: dict[str, str] | None = None) -> Line:
        """Return a connection whose request is being worked on."""
        line = self.line(source)
        heads = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        line.send(f"GET /wait HTTP/1.1\r\nHost: localhost\r\n{heads}\r\n".encode())
        # The server reads in the order in which bytes arrive.
        time.sleep(0.1)
        return line

    def asked(self, source: str) -> int | str:
        """Return the status of a request."""
        line = self.line(source)
        line.begin("/", 2, {"Connection": "close"}, start=b"hi")
        return line.reply().status


@pytest.fixture
def site() -> Iterator[Callable[[Bounds], Site]]:
    with ExitStack() as stack:
        yield lambda bounds: Site(stack.enter_context(served(application, bounds)), stack)


def is_closed(line: Line) -> bool:
    line.socket.settimeout(0.01)
    try:
        return line.socket.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_headers_that_come_too_slowly_are_given_up_however_steadily_they_come(site: Any) -> None:
    line, begun = site(HURRIED).line(HOME), time.monotonic()
    line.send(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ConnectionError):
        while time.monotonic() < begun + 10:
            line.send(b"X-More: x\r\n")
            time.sleep(0.05)


def test_who_sent_half_of_the_headers_is_told_why_it_ended(site: Any) -> None:
    line = site(HURRIED).line(HOME)
    line.send(b"GET / HTTP/1.1\r\nHost: loc")
    reply = line.reply()
    assert reply.status == 408 and reply.headers["connection"] == "close"
    assert "took too long to arrive" in reply.body.decode()


def test_a_connection_that_never_asks_for_anything_is_closed(site: Any) -> None:
    line = site(HURRIED).line(HOME)
    assert line.socket.recv(1) == b""


def test_the_next_request_of_a_connection_has_the_same_deadline(site: Any) -> None:
    line = site(HURRIED).line(HOME)
    line.begin("/", 2, start=b"hi")
    wait_until("the first answer", lambda: line.socket.recv(1 << 16).endswith(b"hi"))
    line.send(b"POST / HT")
    assert line.reply().status == 408


def test_the_deadline_is_not_for_bodies_and_answers(site: Any) -> None:
    slow = site(HURRIED)
    working, line = slow.working(HOME), slow.line(HOME)
    line.begin("/", 4, {"Connection": "close"}, start=b"sl")
    time.sleep(2 * HURRIED.header_seconds)
    line.send(b"ow")
    assert line.reply().body == b"slow" and not is_closed(working)


def test_an_address_has_some_connections_and_others_have_theirs(site: Any) -> None:
    full = site(PATIENT)
    working = [full.working(SCHOOL) for _ in range(2)]
    line = full.line(SCHOOL)
    line.begin("/", 2, start=b"hi")
    reply = line.reply()
    assert (reply.status, reply.headers["retry-after"], reply.headers["connection"]) == (429, "30", "close")
    assert "Close some pages of this site" in reply.body.decode()
    assert full.asked(HOME) == 200 and not any(is_closed(each) for each in working)
    working[0].socket.close()
    wait_until("room for another one", lambda: full.asked(SCHOOL) == 200)


def test_the_connections_of_a_proxy_are_those_of_many_people(site: Any) -> None:
    full = site(PATIENT)
    for _ in range(3):
        full.working(PROXY)
    assert full.asked(PROXY) == 200


def test_when_all_connections_are_at_work_the_next_one_is_told_to_come_back(site: Any) -> None:
    full = site(PATIENT)
    for source in (SCHOOL, SCHOOL, HOME, HOME):
        full.working(source)
    assert [full.asked(source) for source in (PROXY, "127.0.0.4")] == [503, 503]


def test_connections_without_a_request_make_room_the_oldest_first(site: Any) -> None:
    full = site(PATIENT)
    working = full.working(SCHOOL)
    # The first one has been answered and may ask again.
    idle = [full.line(source) for source in (SCHOOL, HOME, HOME)]
    idle[0].begin("/", 2, start=b"hi")
    wait_until("an answer", lambda: idle[0].socket.recv(1 << 16).endswith(b"hi"))
    assert full.asked(SCHOOL) == 200
    assert [is_closed(line) for line in idle] == [True, False, False]
    full.working("127.0.0.4")
    assert full.asked("127.0.0.5") == 200
    assert [is_closed(line) for line in idle] == [True, True, False] and not is_closed(working)


def test_a_socket_counts_until_it_is_closed_and_has_no_deadline(site: Any) -> None:
    full = site(HURRIED)
    first, second = (full.working(SCHOOL, UPGRADE) for _ in range(2))
    assert b"101 Switching" in first.socket.recv(1 << 16) and b"101 Switching" in second.socket.recv(1 << 16)
    time.sleep(2 * HURRIED.header_seconds)
    assert full.asked(SCHOOL) == 429 and not is_closed(first)
    second.socket.close()
    wait_until("room for another one", lambda: full.asked(SCHOOL) == 200)


def test_without_enough_files_there_are_fewer_connections() -> None:
    assert Bounds.of_files(1_000_000).most == MOST
    assert (Bounds.of_files(1_024).most, Bounds.of_files(1_024).by_address) == (512, 128)


class Web:
    """The web process of the product, which may open 256 files, but only 128 unless it raises that limit."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = folder / "web.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "web", "--host", "0.0.0.0", "--port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, "BOTFACTORY_HOME": str(folder)},
                stdout=log,
                stderr=log,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256)),
            )

    def answers(self, seconds: float) -> bool:
        """Return whether a person gets an answer in this time."""
        try:
            with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9")) as client:
                return client.get(f"http://127.0.0.1:{self.port}/healthz", timeout=seconds).status_code == 200
        except httpx.HTTPError:
            return False

    def flood(self, number: int, stack: ExitStack) -> None:
        """Open this many connections from many addresses, with half a request."""
        for index in range(number):
            line = stack.enter_context(Line(self.port, f"127.0.1.{1 + index % 100}"))
            line.send(b"GET / HTTP/1.1\r\nHost: loc")

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    found = Web(tmp_path_factory.mktemp("web"))
    try:
        wait_until("the pages", lambda: found.answers(2), 60)
        yield found
    finally:
        found.process.kill()
        found.process.wait()


def test_more_idle_connections_than_files_keep_nobody_out(web: Web) -> None:
    with ExitStack() as stack:
        web.flood(400, stack)
        assert all(web.answers(5) for _ in range(3))
    said = web.log.read_text()
    assert "allows a process 256 open files" in said and "Raise the hard limit to 4,000" in said
    assert "all together 128" in said and "Too many connections" in said
    assert "out of system resource" not in said and len(said) < 5_000


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux lowers the limit of another process.")
def test_where_files_run_out_all_the_same_the_server_says_so_once_and_neither_spins_nor_gives_up(web: Web) -> None:
    wait_until("all who have left to be gone", lambda: web.open_files() < 100)
    few = web.open_files() + 10
    before = resource.prlimit(web.process.pid, resource.RLIMIT_NOFILE, (few, 256))
    with ExitStack() as stack:
        web.flood(60, stack)
        wait_until("no more files", lambda: "out of system resource" in web.log.read_text())
        begun = web.processor_seconds()
        time.sleep(3)
        assert web.processor_seconds() - begun < 1.5
    wait_until("the pages", lambda: web.answers(2))
    resource.prlimit(web.process.pid, resource.RLIMIT_NOFILE, before)
    said = web.log.read_text()
    assert said.count("out of system resource") == 1 and len(said) < 10_000
