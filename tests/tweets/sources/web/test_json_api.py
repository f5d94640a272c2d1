from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.server import Answer, Replay
from tweets.sources.base import SourceSettings, SourceUnavailable
from tweets.sources.web.client import Client
from tweets.sources.web.json_api import JsonApi, count_in, retry_at, text_in

WINDOW = timedelta(minutes=5)


def wait(**headers: str) -> float:
    """Seconds from now until the moment that the headers name."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (retry_at(named, window=WINDOW) - datetime.now(UTC)).total_seconds()


def test_each_way_to_say_when_is_understood() -> None:
    later = datetime.now(UTC) + timedelta(seconds=120)
    unix = str(int(later.timestamp()))
    for headers in (
        {"retry_after": "120"},
        {"retry_after": format_datetime(later, usegmt=True)},
        {"ratelimit_reset": unix},
        {"ratelimit_reset": "120"},
        {"x_ratelimit_reset": later.isoformat().replace("+00:00", "Z")},
        {"x_rate_limit_reset": unix},
        {"retry_after": "soon", "x_ratelimit_reset": unix},
    ):
        assert 117 < wait(**headers) < 121, headers


def test_a_time_that_is_past_far_off_or_missing_is_brought_into_bounds() -> None:
    assert 4 < wait(retry_after="0") <= 5
    assert 4 < wait(ratelimit_reset="1600000000") <= 5
    assert wait(ratelimit_reset="99999999999") > 86_000
    assert wait(retry_after="9" * 400) > 86_000
    assert 299 < wait() <= 300 and 299 < wait(retry_after="?", ratelimit_reset="-5", x_ratelimit_reset="") <= 300


@given(st.text(max_size=40))
def test_any_header_gives_a_moment(said: str) -> None:
    for name in ("retry_after", "x_ratelimit_reset"):
        assert 4 < wait(**{name: said}) <= 86_400


def test_trouble_is_waited_out_as_often_as_it_is_told_to() -> None:
    settings = SourceSettings(retry_delays=(0.01, 0.01))
    with Replay(Answer(503, ""), Answer(500, "x"), Answer(200, {"a": 1})) as server:
        api = JsonApi("The server", server.url + "/", settings, Client(settings, trusted=[server.url]))
        assert api.ask("/path", b="c d&e", left_out=None).data == {"a": 1}
        assert [(request.path, request.query) for request in server.requests] == [("/path", {"b": "c d&e"})] * 3
    with Replay(Answer(503, "")) as server:
        api = JsonApi("The server", server.url, settings, Client(settings, trusted=[server.url]))
        with pytest.raises(SourceUnavailable, match="The server is having problems"):
            api.ask("/path")
        assert len(server.requests) == 3


def test_what_is_no_text_or_no_number_is_none() -> None:
    record = {"text": "a\ud83d\x00b", "number": 5, "negative": -1, "flag": True, "nothing": None}
    assert [text_in(record, name) for name in ("text", "number", "gone")] == ["ab", "", ""]
    assert [count_in(record, name) for name in ("number", "negative", "flag", "text", "gone")] == [5] + [None] * 4
    assert text_in(None, "a") == text_in([], "a") == "" and count_in("x", "a") is None
