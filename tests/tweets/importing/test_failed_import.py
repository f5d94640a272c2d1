"""A failed import: every page says why, and you can import other posts instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests import pseudo
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted, run
from tweets.cleaning import CleaningRules
from tweets.corpora import services, uploads
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

WHY = "Line 1 has no text in its field"
GOOD = "\n".join(make_posts(90)).encode()


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


def send(client: Client, content: bytes, file_name: str, **values: str) -> Any:
    file = SimpleUploadedFile(file_name, content)
    return client.post("/corpora/new", {"way": "file", "basis": "own", "file": file, **values})


@pytest.fixture
def failed(client: Client) -> Corpus:
    """A corpus whose file could not be read."""
    said = {"name": "Town crier", "basis": "public", "account": "@crier", "keep_replies": "on", "column": "body"}
    send(client, b"{}", "posts.json", **said)
    job, corpus = run(Job.objects.get())
    assert (job.state, job.error_code, corpus.state) == (State.FAILED, "bad_file", "failed")
    return corpus


def page(client: Client, path: str) -> str:
    return client.get(path).content.decode()


PAGES: dict[str, Callable[[Corpus], str]] = {
    "dashboard": lambda corpus: "/",
    "list": lambda corpus: "/corpora/",
    "corpus": lambda corpus: f"/corpora/{corpus.pk}/",
    "import": lambda corpus: Job.objects.get(subject_id=corpus.pk).get_absolute_url(),
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_says_why(client: Client, failed: Corpus, name: str) -> None:
    text = page(client, PAGES[name](failed))
    assert WHY in text and "being imported" not in text


@pytest.mark.parametrize("name", ["dashboard", "corpus", "import"])
def test_another_file_can_be_chosen_from_where_the_failure_is_told(client: Client, failed: Corpus, name: str) -> None:
    text = page(client, PAGES[name](failed))
    assert f'href="/corpora/new?instead={failed.pk}"' in text and "Choose another file" in text


@pytest.mark.parametrize("name", ["corpus", "import"])
def test_what_failed_can_be_deleted_where_the_failure_is_told(client: Client, failed: Corpus, name: str) -> None:
    assert f'action="/corpora/{failed.pk}/delete"' in page(client, PAGES[name](failed))


def test_an_import_that_failed_offers_to_delete_what_it_brought(client: Client, failed: Corpus) -> None:
    assert '<div id="give-up">' in page(client, PAGES["import"](failed))


@pytest.mark.parametrize("begin", [services.bring_newer, lambda corpus: services.reclean(corpus, CleaningRules())])
def test_a_job_about_posts_that_were_here_before_does_not_offer_to_delete_them(
    client: Client, alice: User, begin: Callable[[Corpus], Job]
) -> None:
    corpus = pasted(alice, make_posts(20))
    Corpus.objects.update(source="bluesky", network="bluesky", handle="crier.bsky.social")
    job = jobs.cancel(begin(Corpus.objects.get(pk=corpus.pk)))
    assert job.state == State.CANCELLED
    text = page(client, job.get_absolute_url())
    assert "give-up" not in text and f"/corpora/{corpus.pk}/delete" not in text


def test_a_file_that_only_lacks_the_name_of_its_column_is_asked_for_that_first(client: Client) -> None:
    send(client, b'{"no": "posts"}', "posts.json")
    job, corpus = run(Job.objects.get())
    text = page(client, f"/corpora/{corpus.pk}/")
    assert job.error_code == "which_column"
    assert f'<a class="button" href="{job.get_absolute_url()}">Choose the column</a>' in text
    assert "Choose another file" in text


def test_an_import_that_was_cancelled_is_not_told_as_failed(client: Client, alice: User) -> None:
    jobs.cancel(services.import_text(owner=alice, text="one\ntwo", name="Stopped"))
    assert "The import was cancelled" in page(client, "/") and ">Stopped<" in page(client, "/")
    assert "Import cancelled" in page(client, "/corpora/")
    corpus = Corpus.objects.get()
    assert "The import was cancelled" in page(client, f"/corpora/{corpus.pk}/")
    assert "replace Stopped, whose import didn’t finish" in page(client, f"/corpora/new?instead={corpus.pk}")
    Corpus.objects.update(posts_found=2)
    text = page(client, f"/corpora/{corpus.pk}/")
    assert "2 posts had come in by then. To continue from there, open the import and choose “Try again”." in text
    assert "Open the import" in text and ">Try again<" in page(client, Job.objects.get().get_absolute_url())


def test_the_form_is_filled_in_with_what_was_said_before(client: Client, failed: Corpus) -> None:
    form = client.get(f"/corpora/new?instead={failed.pk}").context["form"]
    values = {name: form[name].value() for name in ("way", "name", "basis", "account", "column", "keep_replies")}
    said = {"way": "file", "name": "Town crier", "basis": "public", "account": "@crier", "column": "body"}
    assert values == {**said, "keep_replies": True} and form["keep_reposts"].value() is False
    assert "replace Town crier" in page(client, f"/corpora/new?instead={failed.pk}")


def test_another_file_takes_the_place_of_the_one_that_failed(client: Client, alice: User, failed: Corpus) -> None:
    # Also where there is room for no other.
    PersonalLimits.objects.create(user=alice, corpora=1)
    send(client, GOOD, "better.txt", instead=str(failed.pk))
    job, corpus = run(Job.objects.get())
    assert job.state == State.SUCCEEDED and list(Corpus.objects.all()) == [corpus]
    assert not uploads.folder_of(failed).exists()


def test_what_failed_stays_as_long_as_nothing_better_has_come(client: Client, failed: Corpus) -> None:
    answer = send(client, b"", "empty.txt", instead=str(failed.pk))
    assert answer.status_code == 400 and "replace Town crier" in answer.content.decode()
    assert uploads.file_of(Corpus.objects.get()) is not None


@pytest.mark.parametrize("number", ["", "nonsense", "0" * 32])
def test_no_other_id_fills_the_form_in(client: Client, number: str) -> None:
    form = client.get("/corpora/new", {"instead": number}).context["form"]
    assert form["name"].value() in (None, "")


def test_nobody_elses_posts_are_shown_or_replaced(failed: Corpus, bob: User) -> None:
    theirs = signed_in(bob)
    assert "Town crier" not in page(theirs, f"/corpora/new?instead={failed.pk}")
    send(theirs, GOOD, "better.txt", instead=str(failed.pk))
    assert Corpus.objects.filter(pk=failed.pk).exists() and Corpus.objects.count() == 2


def test_posts_that_are_here_are_not_replaced(client: Client, alice: User) -> None:
    corpus = pasted(alice, make_posts(20))
    cleaning = services.reclean(corpus, CleaningRules())
    jobs.cancel(cleaning)
    assert Corpus.objects.get().state == Corpus.State.FAILED
    assert "Choose another" not in page(client, f"/corpora/{corpus.pk}/")
    send(client, GOOD, "better.txt", instead=str(corpus.pk))
    assert Corpus.objects.filter(pk=corpus.pk).exists() and Corpus.objects.count() == 2


def test_what_has_been_tried_again_in_the_meantime_is_not_replaced(alice: User, failed: Corpus) -> None:
    job = jobs.retry(Job.objects.get())
    services.import_text(owner=alice, text="one\ntwo", instead=failed)
    assert Corpus.objects.filter(pk=failed.pk).exists() and Corpus.objects.count() == 2
    assert Job.objects.get(pk=job.pk).state == State.QUEUED


@pytest.mark.parametrize("name", PAGES)
def test_why_an_import_failed_is_shown_in_the_readers_language(
    client: Client, failed: Corpus, settings: Any, name: str
) -> None:
    settings.LANGUAGES = [("en", "English"), (pseudo.CODE, "Marks")]
    with pseudo.marked():
        answer = client.get(PAGES[name](failed), headers={"Accept-Language": pseudo.CODE})
        # The page of the import has it in the JSON for its script.
        shown = answer.content.decode("unicode_escape" if name == "import" else "utf-8")
    assert pseudo.BEGIN + WHY[:6] in shown
