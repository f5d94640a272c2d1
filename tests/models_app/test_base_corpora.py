"""Preparing a corpus for base models as a job: by the service, on the page and over the API."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.base_corpora import files, services
from models_app.base_models import services as bases
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.models_app.base_jobs import done
from tests.rest.helpers import Program, require_error
from tweets.preparation import Progress

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/base-models/prepare"
FORM = {"name": "mine", "encoding": "utf-8", "duplicates": "near", "train": 80, "validation": 10, "test": 10, "seed": 0}
POSTS = make_posts(120, seed=4)


@pytest.fixture
def raw(settings: Any, tmp_path: Path) -> Path:
    """Raw files on the server, and others that nobody may reach."""
    settings.RAW_POSTS_DIR, settings.TRAINING_DIR = tmp_path / "raw", tmp_path / "training"
    folder = tmp_path / "raw"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "training").mkdir()
    (tmp_path / "secret.txt").write_text("not yours\n")
    rows = "".join(f"{number % 20}\t{post}\n" for number, post in enumerate([*POSTS, "RT @bob: hello there", *POSTS]))
    (folder / "deep" / "posts.tsv").write_text(f"user_id\ttext\n{rows}", encoding="utf-8")
    (folder / ".hidden.txt").write_text("hidden\n")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "out").symlink_to(tmp_path, target_is_directory=True)
    return folder


def ask(admin: User, **changed: Any) -> Job:
    asked: dict[str, Any] = {"by": admin, "name": "mine", "inputs": ["deep/posts.tsv"]}
    return services.prepare(**(asked | changed))


def left(settings: Any) -> list[str]:
    return sorted(path.name for path in Path(settings.TRAINING_DIR).iterdir())


def test_it_prepares_a_corpus_that_a_training_can_choose(admin: User, raw: Path, settings: Any) -> None:
    job = done(ask(admin))
    assert job.state == State.SUCCEEDED, job.shown_error
    report = job.result["report"]
    assert report["found"] == 241
    assert report["dropped"]["repost"] == 1 and report["dropped"]["duplicate"] >= 120
    assert report["kept"] + sum(report["dropped"].values()) == 241
    assert [one["file"] for one in report["inputs"]] == ["deep/posts.tsv"]
    assert str(raw) not in str(job.result) and left(settings) == ["mine"]
    assert bases.file_named(job.result["files"]["train"]).is_file()
    assert "mine/train.txt.gz" in bases.post_files()
    page = signed_in(admin).get(f"/jobs/{job.pk}/").content.decode()
    assert "Left out: Reposts" in page and "?corpus=mine" in page
    form = signed_in(admin).get("/admin/base-models/train?corpus=mine").content.decode()
    assert 'value="mine/train.txt.gz"' in form and "checked" in form


def test_an_uploaded_file_is_prepared_and_its_copy_goes(admin: User, raw: Path) -> None:
    upload = io.BytesIO("\n".join(POSTS).encode())
    job = done(ask(admin, inputs=[], uploaded=upload, file_name="../../my posts.txt"))
    assert job.result["report"]["inputs"][0]["file"] == "my posts.txt"
    assert job.result["report"]["found"] == 120


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "deep/../../secret.txt",
        "deep/../deep/posts.tsv",
        "link.txt",
        "out/secret.txt",
        ".hidden.txt",
        "/etc/passwd",
        "deep",
        "deep/",
        "nothing.txt",
        "n\0thing.txt",
        "n" * 5000,
        "",
    ],
)
def test_only_regular_files_below_the_folder_can_be_prepared(name: str, admin: User, raw: Path) -> None:
    with pytest.raises(bases.BaseError, match="There is no file"):
        ask(admin, inputs=[name])
    assert [file.name for file in files.raw_files()] == ["deep/posts.tsv"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": "../up"}, "The name of a corpus"),
        ({"name": ".hidden"}, "The name of a corpus"),
        ({"inputs": []}, "Choose what to prepare"),
        ({"options": services.Options(shares=(50, 10, 10))}, "add up to 100"),
        ({"options": services.Options(languages=("xx",))}, "detect the language"),
        ({"options": services.Options(languages=("en",) * 21)}, "Choose at most 20 languages, not 21"),
        ({"options": services.Options(encoding="nothing")}, "no encoding"),
    ],
)
def test_wrong_requests_say_what_to_do(changed: dict[str, Any], sentence: str, admin: User, raw: Path) -> None:
    with pytest.raises(bases.BaseError, match=sentence):
        ask(admin, **changed)
    assert not Job.objects.exists()


def test_a_name_is_used_once_and_one_corpus_is_prepared_at_a_time(admin: User, raw: Path) -> None:
    first = ask(admin)
    with pytest.raises(services.AnotherIsPrepared):
        ask(admin, name="other")
    done(first)
    with pytest.raises(files.NameTaken):
        ask(admin)


def test_a_preparation_is_not_tried_again_while_another_one_runs(admin: User, raw: Path) -> None:
    first = ask(admin)
    jobs.cancel(first)
    second = ask(admin, name="other")
    first.refresh_from_db()
    with pytest.raises(NotPossible, match="Another corpus is being prepared"):
        jobs.retry(first)
    jobs.cancel(second)
    assert jobs.retry(first).state == State.QUEUED


def test_what_cannot_be_read_fails_with_the_name_and_leaves_nothing(admin: User, raw: Path, settings: Any) -> None:
    (raw / "broken.json").write_text("{")
    job = done(ask(admin, inputs=["broken.json"]))
    assert (job.state, job.error_code) == (State.FAILED, "preparation")
    assert "broken.json" in job.shown_error and str(raw) not in job.shown_error
    assert left(settings) == []


def test_errors_name_the_fields_of_the_page_instead_of_options(admin: User, raw: Path) -> None:
    (raw / "bad.jsonl").write_text("no JSON\n" * 10_001)
    job = done(ask(admin, inputs=["bad.jsonl"], options=services.Options(format="jsonl")))
    assert job.shown_error.endswith("Correct the input or name its format with “Format”.")
    job = done(ask(admin, inputs=["deep/posts.tsv"], options=services.Options(author_column="who")))
    assert job.shown_error.endswith("Correct “Author column”.")


def test_a_cancel_leaves_nothing(admin: User, raw: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ask(admin)
    seen: list[list[str]] = []

    def cancel(reporter: Any, progress: Progress) -> None:
        seen.append(left(settings))
        jobs.cancel(Job.objects.get(pk=job.pk))
        reporter._handle._look()
        reporter._handle.check()

    monkeypatch.setattr("models_app.base_corpora.runner._Reporter.__call__", cancel)
    assert done(job).state == State.CANCELLED
    assert seen[0][0].startswith(".preparing-") and left(settings) == []
    assert bases.post_files() == []


def test_it_starts_over_after_a_killed_worker(admin: User, raw: Path, settings: Any) -> None:
    job = ask(admin)
    half = files.unfinished(job.pk, 0)
    (half / ".preparing-x").mkdir(parents=True)
    (half / "train.txt.gz").write_bytes(b"half")
    assert bases.post_files() == []
    assert done(job).state == State.SUCCEEDED
    assert left(settings) == ["mine"]


def test_an_attempt_that_was_killed_after_the_move_counts(admin: User, raw: Path, settings: Any) -> None:
    job = done(ask(admin))
    made = (Path(settings.TRAINING_DIR) / "mine" / "report.json").stat().st_mtime_ns
    Job.objects.filter(pk=job.pk).update(state=State.QUEUED, result={}, finished_at=None)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result["name"]) == (State.SUCCEEDED, "mine")
    assert (Path(settings.TRAINING_DIR) / "mine" / "report.json").stat().st_mtime_ns == made


def test_the_page_is_for_administrators(charlie: Client, alice: User, bob: User, admin: User, raw: Path) -> None:
    sent = FORM | {"inputs": ["deep/posts.tsv"]}
    assert (charlie.get(PAGE).status_code, charlie.post(PAGE, sent).status_code) == (302, 302)
    assert (signed_in(alice).get(PAGE).status_code, signed_in(alice).post(PAGE, sent).status_code) == (403, 403)
    assert not Job.objects.exists()
    desk = signed_in(admin)
    assert "deep/posts.tsv" in desk.get(PAGE).content.decode()
    wrongs: list[dict[str, Any]] = [{"inputs": []}, {"inputs": ["../secret.txt"]}, {"train": 50}, {"name": "a b"}]
    for wrong in wrongs:
        assert desk.post(PAGE, sent | wrong).status_code == 400, wrong
    answer = desk.post(PAGE, sent | {"languages": ["en"]})
    job = Job.objects.get()
    assert answer.status_code == 302 and answer["Location"] == f"/jobs/{job.pk}/"
    assert job.arguments["options"]["languages"] == ["en"] and not job.arguments["options"]["mask_personal"]
    assert "js/preparation-job." in desk.get(answer["Location"]).content.decode()
    assert signed_in(bob).get(answer["Location"]).status_code == 404
    assert "Prepare the corpus mine" in desk.get("/admin/base-models/").content.decode()


def test_languages_are_named_in_the_language_of_the_page(admin: User, raw: Path) -> None:
    desk = signed_in(admin)
    desk.cookies["django_language"] = "de"
    page = desk.get(PAGE).content.decode()
    assert "Deutsch" in page and "German" not in page


def test_a_file_that_the_list_has_no_room_for_can_be_named(
    admin: User, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 0)
    assert files.raw_files() == []
    assert ask(admin).arguments["inputs"] == ["deep/posts.tsv"]


def test_a_folder_without_files_says_so(admin: User, raw: Path, settings: Any, tmp_path: Path) -> None:
    desk = signed_in(admin)
    assert "There are none." not in desk.get(PAGE).content.decode()
    settings.RAW_POSTS_DIR = tmp_path / "nothing"
    assert "There are none." in desk.get(PAGE).content.decode()


def test_the_api_does_the_same_for_administrators(admin: User, alice: User, raw: Path) -> None:
    body = {"name": "mine", "inputs": ["deep/posts.tsv"], "mask_personal": False}
    program = Program(admin, "read", "write", "admin")
    for stranger in (Program(alice), Program(admin, "read", "write")):
        require_error(stranger.post("/base-corpora", body), 403, "missing_scope")
        require_error(stranger.get("/base-corpora/inputs"), 403, "missing_scope")
    assert [one["name"] for one in program.get("/base-corpora/inputs").json()["data"]] == ["deep/posts.tsv"]
    require_error(program.post("/base-corpora", body | {"inputs": ["../secret.txt"]}), 422, "base_error")
    answer = program.post("/base-corpora", body)
    assert answer.status_code == 202
    require_error(program.post("/base-corpora", body | {"name": "b"}), 409, "another_is_prepared")
    done(Job.objects.get())
    told = program.get(f"/jobs/{answer.json()['id']}").json()
    [corpus] = program.get("/base-corpora").json()["data"]
    assert corpus["report"] == told["result"]["report"] and corpus["files"]["test"] == "mine/test.txt.gz"
    require_error(program.post("/base-corpora", body), 409, "name_taken")


def test_the_api_takes_an_upload(admin: User, raw: Path) -> None:
    sent = {
        "name": "up",
        "languages": "en, de",
        "shares": "70/20/10",
        "file": SimpleUploadedFile("a.txt", "\n".join(POSTS).encode()),
    }
    answer = signed_in(admin).post("/api/v1/base-corpora/upload", sent)
    assert answer.status_code == 202, answer.content
    report = done(Job.objects.get()).result["report"]
    assert report["inputs"][0]["file"] == "a.txt"
    assert (report["recipe"]["languages"], report["recipe"]["shares"]) == (["en", "de"], [70, 20, 10])


def test_large_files_are_prepared_in_processes_of_their_own(
    admin: User, raw: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = done(ask(admin)).result
    monkeypatch.setattr("models_app.base_corpora.runner._SMALL", 0)
    (raw / "broken.json").write_text("{")
    failed = done(ask(admin, name="broken", inputs=["broken.json"]))
    assert failed.error_code == "preparation" and "broken.json" in failed.shown_error
    apart = done(ask(admin, name="apart"))
    assert apart.result["report"] == small["report"]
    assert left(settings) == ["apart", "mine"]
