"""`manage.py doctor`: its findings, its advice and its exit status."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.management import call_command
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import processes, worker
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.ops import checks, service_checks, workers
from botfactory.ops.checks import Report
from models_app.bots import files, versions
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.writing import board
from models_app.writing import checks as writing_checks
from tests.fakes.posts import make_posts
from tests.jobs.test_services import submit
from tests.models_app.conftest import base as base
from tests.models_app.shared_bot import make_bot
from tests.ops.helpers import NOWHERE, Examine, doctor, found, real_worker, told
from tests.tweets.helpers import pasted
from tweets.corpora import counts
from tweets.corpora.errors import CorpusBusy
from tweets.models import Corpus

pytestmark = [
    pytest.mark.differs,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("strong_key", "no_uploads_of_other_tests", "rounds"),
]


def bot(base: TrainedModel, owner: User) -> TrainedModel:
    """A model of a person with files of its own."""
    model = TrainedModel(owner=owner, name="Bot", sha256=base.sha256, network=base.network)
    model.directory = f"users/{owner.pk}/{model.pk}"
    shutil.copytree(files.path_of(base), files.path_of(model))
    model.save()
    CopyGuard.of(["a post that it learned"]).save(files.path_of(model) / FINGERPRINTS)
    return model


def test_a_machine_without_workers_has_a_problem_and_the_rest_is_well(
    base: TrainedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    status, findings = doctor(capsys)
    assert status == 1
    problems = {(finding["check"], finding["what"]) for finding in findings if finding["level"] == "problem"}
    assert problems == {("workers", f"no worker listens to the queue {queue}") for queue in workers.needed()}
    assert all(finding["advice"] for finding in findings if finding["level"] != "ok")
    assert "all migrations are applied" in found(findings, "database", "ok")
    assert "delivers messages" in found(findings, "channel layer", "ok")


def test_the_writer_is_told_and_a_missing_one_is_a_problem(
    base: TrainedModel, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alive,) = examine("writer")
    assert alive.level == "ok" and "writes on 1 thread, in characters per second: " in alive.what
    monkeypatch.setattr(writing_checks, "_board", lambda: board.Board(board.client(), prefix="nobody.writes.here"))
    (missing,) = examine("writer")
    assert missing.level == "problem" and "the writer isn't running" in missing.what
    assert "manage.py writer" in missing.advice


def test_people_read_lines_with_what_to_do(base: TrainedModel, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("doctor")
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok ") and "database: " in line for line in lines)
    assert any(line.startswith("problem") and "the queue train → start the product" in line for line in lines)
    assert lines[-1].startswith(f"Problems: {len(workers.needed())}, warnings: ")


def test_without_a_problem_the_status_is_zero(
    base: TrainedModel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_checks", {"pages": checks._checks["pages"]})
    status, findings = doctor(capsys)
    assert (status, {finding["level"] for finding in findings}) == (0, {"ok"})


def test_a_worker_is_alive_and_shows_what_it_runs(base: TrainedModel, alice: User, examine: Examine) -> None:
    assert workers.alive() == []
    with real_worker("train") as name:
        (alive,) = workers.alive()
        assert (alive.name, alive.queues, alive.jobs, alive.slots) == (name, ["train"], [], 1)
        job = submit(alice)
        assert worker.claim(job.pk) is not None
        from botfactory.celery import app

        stats: Any = app.control.inspect([name]).stats()
        (number,) = stats[name]["pool"]["processes"]
        Job.objects.filter(pk=job.pk).update(worker=processes.name_of(number))
        text = told(examine("workers"), "ok")
        assert f"{name} listens to train and is running A test ({job.pk})" in text
        assert workers.unheard(workers.alive()) == [queue for queue in workers.needed() if queue != "train"]


def test_a_broker_that_is_gone_is_one_cause_and_said_so(examine: Examine, settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    settings.REDIS_IS_OURS = False
    assert "check REDIS_URL" in told(examine("broker"), "problem")
    assert "check REDIS_URL" in told(examine("channel layer"), "problem")
    assert "first fix the broker" in told(examine("workers"), "problem")


def test_a_broker_that_is_too_old_for_writers_is_a_problem(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not told(examine("broker"), "warning", "problem")
    monkeypatch.setattr(service_checks, "MIN_REDIS_VERSION", (99, 0))
    assert "use Redis 99.0 or later" in told(examine("broker"), "problem")

    def refuse(*_: Any) -> None:
        raise redis.ResponseError("NOPERM")

    # A hosted server that doesn't say its version isn't taken for an old one.
    monkeypatch.setattr(redis.Redis, "info", refuse)
    assert not told(examine("broker"), "warning", "problem")


def test_a_job_that_nobody_works_on_is_told(alice: User, examine: Examine) -> None:
    job = submit(alice)
    worker.claim(job.pk)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(days=1))
    assert str(job.pk) in told(examine("workers"), "warning")


def test_changed_missing_and_foreign_files_are_told_apart(base: TrainedModel, alice: User, examine: Examine) -> None:
    model = bot(base, alice)
    path = files.path_of(model)
    assert not told(examine("checkpoints"), "problem", "warning")
    weights = (path / checkpoint.WEIGHTS).read_bytes()
    (path / checkpoint.WEIGHTS).write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert "its weights have changed" in told(examine("checkpoints"), "problem")
    (path / checkpoint.WEIGHTS).write_bytes(weights)
    TrainedModel.objects.filter(pk=model.pk).update(sha256="0" * 64)
    assert "its files belong to another model" in told(examine("checkpoints"), "problem")
    (path / checkpoint.CONFIG).unlink()
    assert "its files can’t be read" in told(examine("checkpoints"), "problem")
    shutil.rmtree(path)
    assert "its folder is missing" in told(examine("checkpoints"), "problem")


def test_a_copy_guard_that_is_lost_is_a_problem(base: TrainedModel, alice: User, examine: Examine) -> None:
    file = files.path_of(bot(base, alice)) / FINGERPRINTS
    file.unlink()
    text = told(examine("checkpoints"), "problem")
    assert (
        f"it can’t write: its copy guard is missing, and the posts to rebuild it are deleted: {file}" in text
        and "from your backup, or have its owner train a new bot" in text
    )


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the doctor check only these."""
    every = dict(checks._checks)
    return lambda *names: monkeypatch.setattr(checks, "_checks", {name: every[name] for name in names})


def test_wrong_numbers_of_posts_are_told_and_counted_again(
    alice: User, capsys: pytest.CaptureFixture[str], only: Callable[..., None]
) -> None:
    only("corpora")
    corpus = pasted(alice, make_posts(40))
    assert {finding["level"] for finding in doctor(capsys)[1]} == {"ok"}
    Corpus.objects.filter(pk=corpus.pk).update(posts_found=10)
    for _ in range(2):
        text = found(doctor(capsys)[1], "corpora", "warning")
        assert "Town of alice" in text and "10 posts found, but there are 40" in text and "doctor --repair" in text
    status, findings = doctor(capsys, "--repair")
    assert status == 0 and "Repaired: counted again →" in found(findings, "corpora", "repaired")
    corpus.refresh_from_db()
    assert corpus.posts_found == 40 and corpus.is_ready
    assert {finding["level"] for finding in doctor(capsys, "--repair")[1]} == {"ok"}


def test_posts_that_were_never_cleaned_are_cleaned_by_a_job(
    alice: User, capsys: pytest.CaptureFixture[str], only: Callable[..., None]
) -> None:
    only("corpora")
    corpus = pasted(alice, make_posts(40))
    kept = corpus.posts_kept
    for post in corpus.posts.all()[:15]:
        post.cleaned = post.dropped = ""
        post.save()
    text = found(doctor(capsys)[1], "corpora", "warning")
    assert "all posts cleaned, but 15 are not" in text and f"{kept} posts kept, but {kept - 15} are" in text
    assert "is queued" in found(doctor(capsys, "--repair")[1], "corpora", "repaired")
    # While it waits, nothing is wrong, and nobody learns from the posts.
    assert {finding["level"] for finding in doctor(capsys)[1]} == {"ok"}
    corpus.refresh_from_db()
    assert not corpus.is_ready
    worker.run(Job.objects.latest("created_at").pk)
    corpus.refresh_from_db()
    assert (corpus.posts_kept, corpus.is_ready) == (kept, True)
    assert {finding["level"] for finding in doctor(capsys)[1]} == {"ok"}


def test_a_corpus_that_waits_for_no_job_is_given_back_to_its_owner(
    alice: User, bob: User, capsys: pytest.CaptureFixture[str], only: Callable[..., None]
) -> None:
    only("corpora")
    corpus, restored = pasted(alice, make_posts(40)), pasted(bob, make_posts(40))
    Corpus.objects.update(state=Corpus.State.IMPORTING)
    # Bob imports the ZIP of an account, with a job that is about no single corpus.
    jobs.submit(owner=bob, kind="import_account", title="ZIP", arguments={"corpora": [], "bots": [], "bytes": 0})
    text = found(doctor(capsys)[1], "corpora", "warning")
    assert "Town of alice" in text and "waits for an import that doesn't exist" in text and "bob" not in text
    assert "its import counts as failed" in found(doctor(capsys, "--repair")[1], "corpora", "repaired")
    corpus.refresh_from_db()
    restored.refresh_from_db()
    assert (corpus.state, restored.state) == (Corpus.State.FAILED, Corpus.State.IMPORTING)
    assert {finding["level"] for finding in doctor(capsys)[1]} == {"ok"}


def test_numbers_of_posts_that_a_job_works_on_are_left_alone(
    alice: User, capsys: pytest.CaptureFixture[str], only: Callable[..., None]
) -> None:
    only("corpora")
    corpus = pasted(alice, make_posts(40))
    Corpus.objects.filter(pk=corpus.pk).update(posts_found=10, posts_kept=1)
    queued = Job.objects.create(owner=alice, kind="import", title="Busy", subject_id=corpus.pk)
    assert {finding["level"] for finding in doctor(capsys)[1]} == {"ok"}
    with pytest.raises(CorpusBusy):
        counts.put_right(corpus)
    queued.delete()
    assert counts.put_right(Corpus.objects.get(pk=corpus.pk)).endswith("is queued")


def test_a_repair_that_fails_is_told_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> str:
        raise RuntimeError("no room")

    monkeypatch.setattr(
        checks, "_checks", {"a thing": lambda report: report.problem("It is wrong", "mend it", repair=broken)}
    )
    status, findings = doctor(capsys, "--repair")
    assert status == 1
    assert found(findings, "a thing", "problem") == "It is wrong. The repair failed: no room → mend it"


def test_copy_guards_that_are_missing_or_damaged_are_made_again_where_the_posts_are_here(
    base: TrainedModel, alice: User, capsys: pytest.CaptureFixture[str], only: Callable[..., None]
) -> None:
    only("checkpoints")
    model = make_bot(pasted(alice, make_posts(200)), base)
    file = files.path_of(model) / FINGERPRINTS
    whole = file.read_bytes()
    for level, damage in (("warning", file.unlink), ("problem", lambda: file.write_bytes(whole[:-8]))):
        damage()
        text = found(doctor(capsys)[1], "checkpoints", level)
        assert "copy guard" in text and "doctor --repair" in text
        assert "rebuilt from 200 posts" in found(doctor(capsys, "--repair")[1], "checkpoints", "repaired")
        assert {finding["level"] for finding in doctor(capsys)[1]} == {"ok"}


def test_files_without_a_row_are_told(base: TrainedModel, alice: User, examine: Examine) -> None:
    model = bot(base, alice)
    path = files.path_of(model)
    killed = [path.with_name(f".{path.name}.{kind}") for kind in ("new-abc", "attempt-2")]
    for folder in killed:
        folder.mkdir()
    TrainedModel.objects.filter(pk=model.pk).delete()
    text = told(examine("checkpoints"), "warning")
    assert f"{path} belongs to no model" in text
    assert [f"{folder} was left behind" in text for folder in killed] == [True, True]


def test_a_base_model_that_is_damaged_is_a_problem(base: TrainedModel, examine: Examine) -> None:
    assert "is intact" in told(examine("base model"), "ok")
    (files.path_of(base) / checkpoint.WEIGHTS).write_bytes(b"x")
    assert f"delete the folder {files.path_of(base)}" in told(examine("base model"), "problem")
    shutil.rmtree(files.path_of(base))
    assert versions.base_model() == base
    assert "is intact" in told(examine("base model"), "ok")
    shutil.rmtree(versions.shipped_directory())
    assert "restore it (`git checkout checkpoints/base`)" in told(examine("base model"), "warning")
    assert "is intact" in told(examine("base model"), "ok")
    shutil.rmtree(files.path_of(base))
    assert "make another model the base model" in told(examine("base model"), "problem")
    TrainedModel.objects.all().delete()
    assert "git checkout checkpoints/base" in told(examine("base model"), "problem")


def test_an_import_that_nobody_does_and_an_upload_that_nobody_needs(alice: User, examine: Examine) -> None:
    Corpus.objects.create(owner=alice, name="Stuck", source="text")
    corpus = Corpus.objects.create(owner=alice, name="Ready", source="text", state=Corpus.State.READY)
    folder = Path(django_settings.UPLOADS_DIR) / str(corpus.pk)
    folder.mkdir(parents=True)
    text = told(examine("corpora"), "warning")
    assert "Stuck of alice" in text and "Ready" not in text and str(folder) not in text
    corpus.delete()
    assert str(folder) in told(examine("corpora"), "warning")
    folder.rmdir()


def test_a_check_that_fails_itself_is_a_finding(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(report: Report) -> None:
        raise RuntimeError("of all things")

    monkeypatch.setattr(checks, "_checks", {"a thing": broken})
    status, findings = doctor(capsys)
    assert (status, findings[0]["level"]) == (1, "problem")
    assert "RuntimeError: of all things" in findings[0]["what"]
