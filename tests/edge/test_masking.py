"""No log contains a secret: tested with the formatter of every handler, and with requests to a real uvicorn."""

from __future__ import annotations

import io
import logging
import logging.config
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from botfactory.accounts.models import User
from botfactory.edge.masking import MAX_LINE, MAX_RECORD, Formatter, Seldom, masked
from tests.conftest import signed_in
from tests.edge.serving import Line, served

SECRET = "dGhpcyBpcyBhIHNlY3JldA"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"Not Found: /shared/{SECRET}/", "Not Found: /shared/…/"),
        (f"Not Found: /api/v1/shared/{SECRET}", "Not Found: /api/v1/shared/…"),
        (f"POST /shared/{SECRET}/generate failed", "POST /shared/…/generate failed"),
        (f'"GET /accounts/signup/?invitation={SECRET} HTTP/1.1" 200', '"GET /accounts/signup/?… HTTP/1.1" 200'),
        (f"/accounts/password/reset/key/1-{SECRET}/", "/accounts/password/reset/key/…/"),
        ("/accounts/password/reset/key/done/", "/accounts/password/reset/key/done/"),
        (f"/accounts/confirm-email/{SECRET}:1x:y/", "/accounts/confirm-email/…/"),
        (f"<WSGIRequest: GET '/shared/{SECRET}/?a=b'>", "<WSGIRequest: GET '/shared/…/?…'>"),
        (f"https://a.example/hook?key={SECRET}", "https://a.example/hook?…"),
        ("redis://:p@ss/word@host:6379/0", "redis://…@ss/word@host:6379/0"),
        ("connecting to postgres://me:secret@db:5432/x", "connecting to postgres://…@db:5432/x"),
        (f"Bearer bf_0123456789abcdef_{'0' * 40}", "Bearer bf_…"),
        ("whsec_bm90IGEgc2VjcmV0LCBvbmx5", "whsec_…"),
        (
            "Not Found: /jobs/0d8c1a40-3f6e-4d39-a3c1-d1d2a0c4b0a1/",
            "Not Found: /jobs/0d8c1a40-3f6e-4d39-a3c1-d1d2a0c4b0a1/",
        ),
        ("what is it? /no secret", "what is it? /no secret"),
        (f"(next=/jobs/?a={SECRET}", "(next=/jobs/?…"),
        (f"a?b/c?d={SECRET}", "a?b/c?…"),
        (f"host.example?a /x?{SECRET}", "host.example?a /x?…"),
    ],
)
def test_what_an_address_can_hold_is_left_out(text: str, told: str) -> None:
    assert masked(text) == told


@pytest.mark.parametrize("text", ["Not Found: " + "/" * 60_000, "/a" * 30_000, "?/" * 30_000, "://a:" * 12_000])
def test_no_text_takes_long_to_mask(text: str) -> None:
    before = time.process_time()
    assert masked(text).startswith(text[:3])
    # It takes milliseconds. A mask that took quadratic time took 9 seconds.
    assert time.process_time() - before < 1


def test_what_is_long_is_shortened_after_it_was_masked() -> None:
    # Cut first, the password would lose its @, and the mask wouldn't find it.
    line = "connecting to redis://me:" + "secret" * 1000 + "@host:6379/0" + " and so on" * 1000 + " failed"
    record = logging.LogRecord("tests", logging.ERROR, __file__, 1, line, None, None)
    told = Formatter("{levelname} {message}", style="{").format(record)
    assert told.startswith("ERROR connecting to redis://…@host:6379/0 and so on") and told.endswith(" failed")
    assert " [left out here: " in told and len(told) < MAX_LINE + 50
    try:
        raise ValueError("long" * MAX_RECORD)
    except ValueError:
        record.exc_info = sys.exc_info()
    told = Formatter("{levelname} {message}", style="{").format(record)
    assert "Traceback" in told and "raise ValueError" in told and len(told) < MAX_RECORD + 50


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Return what the product's handlers write."""
    stream = io.StringIO()
    configured: dict[str, Any] = {**django_settings.LOGGING}
    configured["handlers"] = {"console": {**configured["handlers"]["console"], "stream": stream}}
    logging.config.dictConfig(configured)
    yield stream
    logging.config.dictConfig(django_settings.LOGGING)


def test_the_log_of_a_request_tells_no_secret(db: None, logged: io.StringIO, settings: Any, alice: User) -> None:
    settings.ACCESS_LOG = True
    for client in (Client(raise_request_exception=False), signed_in(alice)):
        client.get(f"/shared/{SECRET}/", {"token": SECRET})
        client.get(f"/api/v1/shared/{SECRET}?token={SECRET}")
        client.get(f"/accounts/password/reset/key/1-{SECRET}/")
        client.get(f"/accounts/confirm-email/{SECRET}/")
        client.get("/accounts/signup/", {"invitation": SECRET})
    Client(enforce_csrf_checks=True).post(f"/accounts/signup/?invitation={SECRET}")
    try:
        raise ValueError(f"https://a.example/?key={SECRET}")
    except ValueError:
        logging.getLogger("botfactory").exception("GET /shared/%s/ failed", SECRET)
    text = logged.getvalue()
    assert "Not Found: /shared/…/" in text and "GET /shared/<str:link>/ 404 in" in text and "Traceback" in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("path", "host", "told"),
    [
        ("/" + "x" * 50_000, "localhost", "Not Found: /xxx"),
        ("/", "x" * 60_000, "Invalid HTTP_HOST header: 'xxx"),
    ],
)
def test_a_stranger_adds_little_to_the_log_with_a_request(
    db: None, logged: io.StringIO, path: str, host: str, told: str
) -> None:
    assert Client(raise_request_exception=False).get(path, headers={"Host": host}).status_code in {400, 404}
    text = logged.getvalue()
    assert told in text and "Traceback" not in text and len(text) < 3_000


def test_what_repeats_itself_is_logged_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    seldom, now = Seldom(), 1_000.0
    monkeypatch.setattr("botfactory.edge.masking.time.monotonic", lambda: now)

    def passes(text: str) -> bool:
        return seldom.filter(logging.makeLogRecord({"msg": text}))

    assert [passes(text) for text in ("full", "full", "other", "full", "full")] == [True, False, True, True, False]
    now += 61
    assert passes("full")


@pytest.mark.django_db(transaction=True)
def test_the_server_writes_no_access_log(logged: io.StringIO) -> None:
    from botfactory.asgi import application

    with served(application) as port, Line(port) as line:
        line.begin(f"/shared/{SECRET}/?token={SECRET}", 0, {"Connection": "close"})
        assert line.reply().status in {403, 404, 405}
    assert SECRET not in logged.getvalue()
    assert not logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO)


def test_each_request_is_a_line_where_that_is_asked_for(db: None, logged: io.StringIO, settings: Any) -> None:
    Client().get("/accounts/login/")
    assert "botfactory.access" not in logged.getvalue()
    settings.ACCESS_LOG = True
    Client().get("/accounts/login/?next=/jobs/")
    assert " INFO botfactory.access " in logged.getvalue()
    assert "127.0.0.1 GET /accounts/login/ 200 in " in logged.getvalue()
