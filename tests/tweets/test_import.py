"""Imports as jobs: rows, counts, resuming, and every way in which a source can fail."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.fakes.archives import archive_2022
from tests.fakes.posts import make_posts
from tests.fakes.x_api_server import TOKEN, XApiServer
from tests.tweets.helpers import run
from tweets import deletion, errors, learning, offered, runner, services, summary, uploads
from tweets.cleaning import CleaningRules
from tweets.models import Corpus
from tweets.sources import base

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def x_api(settings: Any) -> Iterator[XApiServer]:
    with XApiServer() as server:
        settings.X_BEARER_TOKEN, settings.X_API_URL = TOKEN, server.url
        yield server


def bring(owner: User, name: str, data: bytes) -> tuple[Job, Corpus]:
    return run(services.import_file(owner=owner, file=io.BytesIO(data), file_name=name))


def test_pasted_text_is_a_post_a_line(alice: User) -> None:
    posts = make_posts(100)
    job, corpus = run(services.import_text(owner=alice, text="\n".join([*posts, "", posts[3], "RT @x: not mine"])))
    assert job.state == State.SUCCEEDED, job.error_message
    assert (corpus.state, corpus.posts_found, corpus.posts_kept) == ("ready", 102, 100)
    assert corpus.dropped == {"duplicate": 1, "repost": 1}
    assert learning.training_posts(corpus) == posts
    assert corpus.characters == sum(map(len, posts))
    assert job.result == {
        "corpus": str(corpus.pk),
        "posts": 102,
        "kept": 100,
        "dropped": {"duplicate": 1, "repost": 1},
        "characters": corpus.characters,
    }


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("posts.txt", lambda posts: "\n".join(posts)),
        ("posts.csv", lambda posts: "id,text\n" + "\n".join(f'{i},"{p}"' for i, p in enumerate(posts))),
        ("posts.jsonl", lambda posts: "\n".join(json.dumps({"text": p}) for p in posts)),
        ("posts.json", json.dumps),
        ("tweets.js", lambda posts: "window.YTD.tweets.part0 = " + _tweets_js(posts)),
    ],
)
def test_each_kind_of_file_gives_the_same_corpus(alice: User, name: str, write: Any) -> None:
    posts = make_posts(50)
    job, corpus = bring(alice, name, write(posts).encode())
    assert job.state == State.SUCCEEDED, job.error_message
    assert learning.training_posts(corpus) == posts


def _tweets_js(posts: list[str]) -> str:
    created = "Wed Oct 10 20:19:24 +0000 2018"
    return json.dumps(
        [{"tweet": {"id_str": str(i), "full_text": post, "created_at": created}} for i, post in enumerate(posts)]
    )


def test_an_archive_comes_whole_and_its_file_goes(alice: User) -> None:
    posts = make_posts(60)
    job, corpus = bring(alice, "twitter-2022.zip", archive_2022(posts))
    assert (job.state, corpus.source, corpus.posts_kept) == (State.SUCCEEDED, "x_archive", 60)
    assert not uploads.folder_of(corpus).exists()


def test_an_upload_is_kept_until_its_import_has_succeeded(alice: User) -> None:
    job, corpus = bring(alice, "posts.jsonl", b'{"text": "fine"}\n{"text": ')
    assert (job.state, job.error_code, corpus.state) == (State.FAILED, "bad_file", "failed")
    assert "Line 2" in job.error_message
    assert uploads.file_of(corpus) is not None


def test_replies_stay_when_they_are_wanted(alice: User) -> None:
    text = "\n".join(["@someone a reply that says something", "RT @x: not mine at all", *make_posts(5)])
    _, corpus = run(services.import_text(owner=alice, text=text, keep_replies=True, keep_reposts=True))
    assert (corpus.posts_kept, corpus.dropped) == (7, {})


def test_other_rules_clean_again_without_another_import(alice: User) -> None:
    text = "\n".join(["@someone a reply that says something", *make_posts(5)])
    job, corpus = run(services.import_text(owner=alice, text=text))
    assert corpus.dropped == {"reply": 1}
    job, corpus = run(services.reclean(corpus, CleaningRules(keep_replies=True)))
    assert (job.state, corpus.state, corpus.posts_kept, corpus.dropped) == (State.SUCCEEDED, "ready", 6, {})


def test_quotes_are_left_out_where_they_are_not_wanted(alice: User) -> None:
    records: list[dict[str, object]] = [{"text": post} for post in make_posts(5)]
    records.append({"text": "this is so well put, read it", "is_quote_status": True})
    _, corpus = bring(alice, "posts.json", json.dumps(records).encode())
    assert (corpus.posts_kept, corpus.dropped) == (6, {})
    _, corpus = run(services.reclean(corpus, CleaningRules(keep_quotes=False)))
    assert (corpus.posts_kept, corpus.dropped) == (5, {"quote": 1})


def test_a_corpus_is_not_cleaned_while_a_job_is_at_work_on_it(alice: User) -> None:
    corpus = run(services.import_text(owner=alice, text="\n".join(make_posts(5))))[1]
    services.reclean(corpus, CleaningRules(keep_replies=True))
    with pytest.raises(errors.CorpusBusy):
        services.reclean(corpus, CleaningRules())


class Killed(BaseException):
    """Like kill -9 for the rows: nothing is cleaned up."""


def test_an_import_killed_after_any_page_ends_complete_and_reads_no_page_twice(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offered, "FILE_PAGE", 10)
    posts = make_posts(95)
    job = services.import_text(owner=alice, text="\n".join(posts))
    add_page, progress = services.add_page, JobHandle.progress
    read: list[int] = []
    deaths = [30, 60, 90]

    def reads(corpus: Corpus, page: base.Page) -> int:
        read.append(len(page.posts))
        return add_page(corpus, page)

    def dies_after_every_third_page(handle: JobHandle, payload: dict[str, Any]) -> None:
        progress(handle, payload)
        if payload.get("total") in deaths:
            deaths.remove(payload["total"])
            raise Killed

    monkeypatch.setattr(services, "add_page", reads)
    monkeypatch.setattr(JobHandle, "progress", dies_after_every_third_page)
    for _ in range(20):
        try:
            worker.run(job.pk)
        except Killed:
            Job.objects.filter(pk=job.pk).update(state=State.INTERRUPTED)
    corpus = Corpus.objects.get(pk=job.arguments["corpus"])
    assert corpus.state == "ready"
    assert learning.training_posts(corpus) == posts
    assert (deaths, read) == ([], [10] * 9 + [5]), "no page was read twice"


def test_an_import_killed_within_a_page_ends_complete_with_the_posts_counted_once(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offered, "FILE_PAGE", 10)
    posts = make_posts(95)
    job = services.import_text(owner=alice, text="\n".join(posts))
    add_page, pages = services.add_page, []

    def dies_in_every_third(corpus: Corpus, page: base.Page) -> int:
        pages.append(page)
        new = add_page(corpus, page)
        if len(pages) % 3 == 0:
            raise Killed
        return new

    monkeypatch.setattr(services, "add_page", dies_in_every_third)
    for _ in range(20):
        try:
            worker.run(job.pk)
        except Killed:
            Job.objects.filter(pk=job.pk).update(state=State.INTERRUPTED)
    job.refresh_from_db()
    corpus = Corpus.objects.get(pk=job.arguments["corpus"])
    assert (job.state, corpus.state, corpus.posts_found) == ("succeeded", "ready", 95)
    assert learning.training_posts(corpus) == posts
    totals = [event.payload["total"] for event in job.events.filter(kind="page")]
    assert totals == [*range(10, 91, 10), 95], "a page and its event are there together or not at all"


def test_a_page_that_comes_twice_adds_nothing(alice: User) -> None:
    corpus = Corpus.objects.create(owner=alice, name="Twice", source="text")
    page = base.Page(posts=(base.Post(key="1", text="once", created_at=None),), cursor="2")
    assert services.add_page(corpus, page) == 1
    assert services.add_page(corpus, page) == 0
    assert corpus.posts_found == 1


def test_an_x_timeline_comes_in_pages_with_live_counts_up_to_3200(alice: User, x_api: XApiServer) -> None:
    job, corpus = run(services.import_handle(owner=alice, handle=" https://x.com/prolific "))
    assert job.state == State.SUCCEEDED, job.error_message
    pages = [event.payload for event in job.events.filter(kind="page")]
    assert pages[-1]["total"] == corpus.posts_found == 3200
    assert {"new": 100, "total": 800} in pages
    sold = x_api.pages_sold()
    assert len(sold) == len(set(sold)) == 32


def test_reposts_of_x_are_bought_only_where_they_are_wanted(alice: User, x_api: XApiServer) -> None:
    _, without = run(services.import_handle(owner=alice, handle="@chatty"))
    _, wanted = run(services.import_handle(owner=alice, handle="@chatty", keep_reposts=True))
    assert without.posts.filter(is_repost=True).count() == 0 < wanted.posts.filter(is_repost=True).count()
    assert set(without.posts.values_list("key", flat=True)) < set(wanted.posts.values_list("key", flat=True))


def test_long_posts_come_in_full(alice: User, x_api: XApiServer) -> None:
    corpus = run(services.import_handle(owner=alice, handle="@essayist"))[1]
    assert max(len(post) for post in learning.training_posts(corpus)) > 280


@pytest.mark.parametrize(
    ("handle", "code", "words"),
    [
        ("nobody_there", "unknown_handle", "nobody_there"),
        ("suspended", "suspended_handle", "suspended"),
        ("protected", "protected_handle", "protected"),
        ("empty", "no_posts", "post"),
        ("nocredits", "no_credits", "credit"),
    ],
)
def test_accounts_that_cannot_be_imported_are_told(
    alice: User, x_api: XApiServer, handle: str, code: str, words: str
) -> None:
    job, corpus = run(services.import_handle(owner=alice, handle=handle))
    assert (job.state, job.error_code, corpus.state) == (State.FAILED, code, "failed")
    assert words in job.error_message and TOKEN not in job.error_message


def test_a_bad_token_is_told_without_showing_it(alice: User, x_api: XApiServer, settings: Any) -> None:
    settings.X_BEARER_TOKEN = "wrong-token"
    job, _ = run(services.import_handle(owner=alice, handle="prolific"))
    assert (job.state, job.error_code) == (State.FAILED, "bad_credentials")
    assert "wrong-token" not in job.error_message


def test_a_rate_limit_waits_in_the_queue_until_its_time_and_buys_no_page_twice(alice: User, x_api: XApiServer) -> None:
    job, corpus = run(services.import_handle(owner=alice, handle="limited"))
    assert (job.state, job.progress["phase"]) == (State.QUEUED, "waiting")
    assert timezone.now() < job.available_at < timezone.now() + timedelta(minutes=16)
    assert 0 < corpus.posts_found < 420
    assert job.events.get(kind="waiting").payload["until"] == job.available_at.isoformat()
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    job, corpus = run(job)
    assert (job.state, corpus.posts_found) == (State.SUCCEEDED, 420)
    sold = x_api.pages_sold()
    assert len(sold) == len(set(sold))


@pytest.mark.parametrize("handle", ["flaky", "cut"])
def test_an_unreliable_line_loses_nothing_and_buys_nothing_twice(alice: User, x_api: XApiServer, handle: str) -> None:
    job, corpus = run(services.import_handle(owner=alice, handle=handle))
    assert (job.state, corpus.posts_found) == (State.SUCCEEDED, 420), job.error_message
    sold = x_api.pages_sold()
    assert len(sold) == len(set(sold))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a failed source be asked again only by the next attempt of the job."""
    settings = offered.settings_for

    def impatiently(corpus: Corpus, *, at_terminal: bool) -> base.SourceSettings:
        return replace(settings(corpus, at_terminal=at_terminal), retry_delays=())

    monkeypatch.setattr(offered, "settings_for", impatiently)


def test_a_source_is_given_up_for_failures_in_a_row_and_not_for_all_of_them(
    alice: User, x_api: XApiServer, impatient: None
) -> None:
    job = services.import_handle(owner=alice, handle="flaky")
    # Each of its five pages fails once, and so does the look-up of the account.
    for attempt in range(1, 7):
        job, _ = run(job)
        assert (job.state, job.attempt) == (State.QUEUED, attempt), job.error_message
        Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    job, corpus = run(job)
    assert (job.state, corpus.posts_found) == (State.SUCCEEDED, 420), job.error_message


def test_a_source_that_is_down_is_asked_again_later_and_at_last_given_up(
    alice: User, x_api: XApiServer, impatient: None
) -> None:
    job = services.import_handle(owner=alice, handle="down")
    for attempt in range(1, runner.ATTEMPTS):
        job, _ = run(job)
        assert (job.state, job.attempt) == (State.QUEUED, attempt)
        assert job.available_at > timezone.now()
        Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    job, corpus = run(job)
    assert (job.state, job.error_code, corpus.state) == (State.FAILED, "source_unavailable", "failed")


def test_without_a_token_handles_are_not_offered(alice: User) -> None:
    with pytest.raises(errors.NotOffered, match="X_BEARER_TOKEN"):
        services.import_handle(owner=alice, handle="@prolific")


@pytest.mark.parametrize("handle", ["", "@", "two words", "https://example.com/name", "a" * 16, "naïve"])
def test_what_is_no_handle_is_told(alice: User, x_api: XApiServer, handle: str) -> None:
    with pytest.raises(errors.BadHandle):
        services.import_handle(owner=alice, handle=handle)
    assert not Corpus.objects.exists()


def test_an_upload_that_is_too_large_leaves_nothing(alice: User, settings: Any, tmp_path: Path) -> None:
    settings.MAX_UPLOAD_MB, settings.UPLOADS_DIR = 1, tmp_path
    with pytest.raises(errors.UploadTooLarge, match="1 MB"):
        services.import_file(owner=alice, file=io.BytesIO(b"x" * 1_100_000), file_name="posts.txt")
    with pytest.raises(errors.UploadTooLarge, match="1 MB"):
        services.import_text(owner=alice, text="x" * 1_100_000)
    assert not Corpus.objects.exists()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd", "a" * 300 + ".txt", "\u202etxt.exe"]
)
def test_a_name_never_leaves_the_upload_folder(alice: User, settings: Any, name: str) -> None:
    job, corpus = bring(alice, name, "\n".join(make_posts(30)).encode())
    assert "/" not in corpus.file_name and "\\" not in corpus.file_name
    assert len(corpus.name) <= 80
    assert job.state in {State.SUCCEEDED, State.FAILED}


def test_the_report_says_whether_it_is_enough(alice: User) -> None:
    verdicts = {}
    for count in (20, 200, 1200):
        corpus = run(services.import_text(owner=alice, text="\n".join(make_posts(count, seed=count))))[1]
        report = summary.report(corpus)
        verdicts[count] = report.verdict
        assert f"{corpus.characters:,}" in report.advice
        assert len(report.sample) == 12 and set(report.sample) <= set(learning.training_posts(corpus))
    assert verdicts == {20: "too_few", 200: "few", 1200: "enough"}


def test_a_deleted_corpus_takes_posts_jobs_and_files_along(alice: User) -> None:
    job, corpus = bring(alice, "posts.jsonl", b'{"text": "fine"}\n{"text": ')
    folder = uploads.folder_of(corpus)
    assert folder.exists()
    gone = deletion.delete_corpus(corpus, by=alice)
    assert (gone.files, gone.jobs) == (1, 1)
    assert not folder.exists()
    assert not Corpus.objects.exists() and not Job.objects.exists()
    assert job.pk


def test_every_real_persona_and_archive_is_told_of_in_one_run(alice: User, data: Path) -> None:
    paths = sorted((data / "personas").glob("*.jsonl.gz"))[:3]
    assert paths
    for path in paths:
        job, corpus = bring(alice, path.name, path.read_bytes())
        assert job.state == State.SUCCEEDED, (path.name, job.error_message)
        assert corpus.posts_kept + sum(corpus.dropped.values()) == corpus.posts_found > 1000
