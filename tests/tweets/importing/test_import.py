"""Imports as jobs: rows, counts, resuming, and every way in which a source can fail."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.fakes.archives import archive_2022
from tests.fakes.posts import make_posts
from tests.tweets.helpers import run
from tweets.cleaning import CleaningRules
from tweets.corpora import deletion, errors, learning, offered, services, summary, uploads
from tweets.models import Corpus
from tweets.sources import base

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


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


def test_what_is_stored_is_counted_in_bytes(alice: User) -> None:
    posts = [f"今日もいい天気だ {number}" for number in range(100)]
    _, corpus = run(services.import_text(owner=alice, text="\n".join(posts)))
    assert corpus.posts_kept == 100
    # As they came, and cleaned.
    assert corpus.stored_bytes == 2 * sum(len(post.encode()) for post in posts)


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
