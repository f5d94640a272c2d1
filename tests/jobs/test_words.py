"""A job's title, error and pause are stored in English and shown in the language of whoever reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone, translation

from botfactory.accounts.models import User
from botfactory.asgi import application
from botfactory.jobs import events, services, worker
from botfactory.jobs.errors import ComeBackLater, JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.words.translatable import Sentence, counted_sentence, mark
from botfactory.words.translation import restored, stored
from models_app.ml.errors import TooFewPosts
from tests import pseudo
from tests.conftest import signed_in
from tests.jobs.kinds import kind
from tests.lines import Line
from tests.rest.helpers import Program

pytestmark = pytest.mark.django_db(transaction=True)

TITLE = Sentence(mark("Count to %(number)s"), number=3)


@pytest.fixture(autouse=True)
def marks(settings: Any) -> Iterator[None]:
    settings.LANGUAGES = [("en", "English"), (pseudo.CODE, "Marks")]
    with pseudo.marked():
        yield


def fail(handle: JobHandle) -> dict[str, Any]:
    raise JobFailed(
        "too_few_posts", TooFewPosts(mark("There are %(count)s posts in %(name)s."), count=1000, name="a.txt")
    )


def pause(handle: JobHandle) -> dict[str, Any]:
    raise ComeBackLater(timezone.now() + timedelta(hours=1), Sentence(mark("%(name)s asks for a pause."), name="X"))


def done(owner: User, run: Any) -> Job:
    kind("words", run)
    job = services.submit(owner=owner, kind="words", title=TITLE, arguments={}, run_here=True)
    return worker.run_claimed(job)


@pytest.mark.parametrize(
    ("said", "english", "shown"),
    [
        ("The model was deleted.", "The model was deleted.", "⟦The model was deleted.⟧"),
        ("", "", ""),
        (Sentence("%(a)s of %(b)s", a=1000, b="5 %"), "1,000 of 5 %", "⟦1\xa0000 of 5 %⟧"),
        (counted_sentence("%(count)s post", "%(count)s posts", 1), "1 post", "⟦1 post⟧"),
        (counted_sentence("%(count)s post", "%(count)s posts", 2), "2 posts", "⟦2 posts⟧"),
        (Sentence("No. %(why)s", why=Sentence("Too late.")), "No. Too late.", "⟦No. ⟦Too late.⟧⟧"),
        (Sentence("No. %(why)s %(more)s", why=TooFewPosts("%(a)s", a="x"), more=""), "No. x ", "⟦No. ⟦x⟧ ⟧"),
    ],
)
def test_a_stored_text_is_shown_in_another_language(said: str, english: str, shown: str) -> None:
    words = stored(said)
    assert str(said) == english
    assert restored(english, words) == english.strip()
    with translation.override(pseudo.CODE):
        assert restored(str(said), words) == shown


def test_the_error_and_the_title_of_a_failed_job(alice: User) -> None:
    job = done(alice, fail)
    assert (job.title, job.error_message) == ("Count to 3", "There are 1,000 posts in a.txt.")
    program = Program(alice)
    english, marked = (
        program.get(f"/jobs/{job.pk}", Accept_Language=language).json() for language in ("en", pseudo.CODE)
    )
    assert (english["title"], english["error"]["message"]) == (job.title, job.error_message)
    assert (marked["title"], marked["error"]["message"]) == ("⟦Count to 3⟧", "⟦There are 1\xa0000 posts in a.txt.⟧")
    assert marked["error"]["code"] == english["error"]["code"] == "too_few_posts"
    page = signed_in(alice).get("/jobs/", headers={"Accept-Language": pseudo.CODE}).content.decode()
    assert "⟦Count to 3⟧" in page and "⟦There are 1\xa0000 posts in a.txt.⟧" in page


def test_another_try_forgets_the_error_and_keeps_the_title(alice: User) -> None:
    job = services.retry(done(alice, fail))
    assert (job.shown_error, set(job.words)) == ("", {"title"})


def test_the_reason_of_a_pause(alice: User) -> None:
    job = done(alice, pause)
    assert job.shown_progress["message"] == "X asks for a pause." and "words" not in job.shown_progress
    with translation.override(pseudo.CODE):
        assert job.shown_progress["message"] == "⟦X asks for a pause.⟧"


def test_the_message_of_an_event(alice: User) -> None:
    failed, paused = done(alice, fail), done(alice, pause)
    program = Program(alice)
    for job, kind_of_event, english, marked in (
        (failed, "state", "There are 1,000 posts in a.txt.", "⟦There are 1\xa0000 posts in a.txt.⟧"),
        (paused, "waiting", "X asks for a pause.", "⟦X asks for a pause.⟧"),
    ):
        for language, message in (("en", english), (pseudo.CODE, marked)):
            data = program.get(f"/jobs/{job.pk}/events", Accept_Language=language).json()["data"]
            payload = [event["payload"] for event in data if event["kind"] == kind_of_event][-1]
            assert payload["message"] == message and "words" not in payload
            with translation.override(language):
                told = [event["payload"] for event in events.snapshot(job)["events"] if event["kind"] == kind_of_event]
            assert told[-1] == payload


async def test_a_socket_tells_it_in_the_language_of_its_page(alice: User) -> None:
    job = await sync_to_async(done)(alice, fail)
    cookie = f"sessionid={(await sync_to_async(signed_in)(alice)).cookies['sessionid'].value}"

    async def told(language: str) -> list[str]:
        headers = {"host": "localhost", "origin": "http://localhost", "cookie": cookie, "accept-language": language}
        line = Line(
            application,
            f"/ws/jobs/{job.pk}/",
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        )
        assert (await line.connect())[0]
        first = await line.receive_json_from()
        await sync_to_async(events.publish)(job)
        second = await line.receive_json_from()
        await line.disconnect()
        return [first["job"]["title"], second["job"]["title"]]

    assert await told("en") == ["Count to 3"] * 2
    assert await told(pseudo.CODE) == ["⟦Count to 3⟧"] * 2
    await sync_to_async(connections.close_all)()
