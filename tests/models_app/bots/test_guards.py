"""The copy guard of a bot is stored, rebuilt if it is missing, and never silently skipped."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from botfactory.accounts.models import User
from botfactory.jobs.states import State as JobState
from models_app.bases import services as bases
from models_app.bots import files, guards, integrity, loading, registry, versions
from models_app.bots.files import FINGERPRINTS
from models_app.bots.guards import State
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.training import planning
from models_app.writing import asking, generations
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.models_app.conftest import import_posts, train
from tests.models_app.shared_bot import make_bot
from tweets.cleaning import CleaningRules
from tweets.corpora import learning
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

ONE = SamplingConfig(count=1, seed=1, max_characters=20)


def file_of(model: TrainedModel) -> Path:
    return files.path_of(model) / FINGERPRINTS


def lose(*models: TrainedModel) -> None:
    """Delete the files of the guards, and forget the loaded ones."""
    for model in models:
        file_of(model).unlink()
    loading._guard.cache_clear()
    guards._made_again.cache_clear()


def again(model: TrainedModel) -> TrainedModel:
    return TrainedModel.objects.get(pk=model.pk)


def test_a_training_keeps_what_the_bot_and_its_parents_learned_from(alice: User, base: TrainedModel) -> None:
    first, second = import_posts(alice, seed=1), import_posts(alice, seed=2)
    parent = TrainedModel.objects.get(pk=train(first, base).result["model"])
    child = TrainedModel.objects.get(pk=train(second, parent, name="Child").result["model"])
    Corpus.objects.all().delete()
    guard = guards.guard_of(again(child))
    assert guard is not None
    for post in [*make_posts(300, seed=1)[:5], *make_posts(300, seed=2)[:5]]:
        assert guard.is_copy(post)


def test_a_bot_whose_guard_is_lost_with_its_posts_does_not_write(bot: TrainedModel, corpus: Corpus) -> None:
    lose(bot)
    corpus.delete()
    lost = again(bot)
    assert guards.state_of(lost) is State.LOST
    with pytest.raises(guards.GuardLost, match="restore the file from a backup, or train a new bot"):
        generations.write(lost, ONE)
    assert lost.owner is not None
    with pytest.raises(guards.GuardLost):
        asking.ask(lost.owner, lost, ONE)


def test_a_guard_that_is_back_from_the_backup_lets_the_bot_write_again(bot: TrainedModel, corpus: Corpus) -> None:
    backup = file_of(bot).read_bytes()
    lose(bot)
    corpus.delete()
    with pytest.raises(guards.GuardLost):
        generations.write(again(bot), ONE)
    file_of(bot).write_bytes(backup)
    assert generations.write(again(bot), ONE)[0].refused.copies is not None


def test_pages_and_programs_are_told_what_to_do(alice: User, bot: TrainedModel, corpus: Corpus) -> None:
    client = signed_in(alice)
    assert "data-guard-lost" not in client.get(f"/models/{bot.pk}/").content.decode()
    lose(bot)
    corpus.delete()
    assert "data-guard-lost" in client.get(f"/models/{bot.pk}/").content.decode()
    asked = {"count": "1", "temperature": "1", "top_k": "0", "prompt": ""}
    answer = client.post(f"/models/{bot.pk}/generate", asked)
    assert answer.status_code == 400 and "train a new bot" in answer.content.decode()
    for address in ("generate", "generate?stream=1"):
        told = client.post(f"/api/v1/models/{bot.pk}/{address}", {"n": 1}, content_type="application/json")
        assert (told.status_code, told.json()["error"]["code"]) == (409, "copy_guard_lost")
        assert FINGERPRINTS in told.json()["error"]["message"]


def test_nothing_is_trained_from_a_bot_whose_guard_is_lost(bot: TrainedModel, corpus: Corpus, alice: User) -> None:
    other = import_posts(alice, seed=2)
    queued = planning.fine_tune(owner=alice, corpus=other, start=bot, epochs=1, run_here=True)
    lose(bot)
    corpus.delete()
    with pytest.raises(planning.StartUnguarded, match="Start from another bot"):
        planning.plan(owner=alice, corpus=other, start=again(bot), epochs=1)
    asked = {"kind": "fine_tune", "corpus": str(other.pk), "model": str(bot.pk)}
    told = signed_in(alice).post("/api/v1/jobs/estimate", asked, content_type="application/json")
    assert (told.json()["error"]["code"], told.json()["error"]["param"]) == ("copy_guard_lost", "model")
    from botfactory.jobs import worker

    job = worker.run_claimed(queued)
    assert (job.state, job.error_code) == (JobState.FAILED, "copy_guard_lost")


def test_a_bot_of_an_earlier_version_gets_its_guard_from_the_posts_that_are_here(
    corpus: Corpus, bot: TrainedModel
) -> None:
    lose(bot)
    assert guards.state_of(bot) is State.TO_BE_MADE
    guard = guards.guard_of(bot)
    assert guard is not None and guard.is_copy(learning.training_posts(corpus)[0])
    corpus.delete()
    loading._guard.cache_clear()
    kept = guards.guard_of(again(bot))
    assert kept is not None and len(kept) == len(guard)
    assert {path.name for path in files.path_of(bot).iterdir()} == {
        "config.json",
        "weights.safetensors",
        "posts.fingerprints",
    }


def test_a_guard_made_again_knows_posts_that_newer_rules_leave_out(corpus: Corpus, bot: TrainedModel) -> None:
    left_out = learning.training_posts(corpus)[7]
    lose(bot)
    corpus.posts.filter(cleaned=left_out).update(cleaned="", dropped="short")
    assert left_out not in learning.training_posts(corpus) and corpus.cleaning_rules == CleaningRules()
    guard = guards.guard_of(bot)
    assert guard is not None and guard.is_copy(left_out)


def test_a_guard_made_again_knows_what_its_parents_learned(alice: User, base: TrainedModel) -> None:
    first, second = import_posts(alice, seed=1), import_posts(alice, seed=2)
    parent = make_bot(first, base, "Parent")
    child = make_bot(second, base, "Child", parent=parent)
    lose(parent, child)
    guard = guards.guard_of(child)
    assert guard is not None
    assert guard.is_copy(make_posts(300, seed=1)[3]) and guard.is_copy(make_posts(300, seed=2)[3])
    # It is only the child's, because nobody asked for the parent's.
    assert not loading.has_guard(parent)


@pytest.mark.parametrize("what_is_gone", ["the posts of the parent", "the parent"])
def test_without_its_parents_posts_a_guard_is_lost(alice: User, base: TrainedModel, what_is_gone: str) -> None:
    first, second = import_posts(alice, seed=1), import_posts(alice, seed=2)
    parent = make_bot(first, base, "Parent")
    child = make_bot(second, base, "Child", parent=parent)
    lose(parent, child)
    (registry.delete if what_is_gone == "the parent" else lambda model: first.delete())(parent)
    assert guards.state_of(again(child)) is State.LOST
    with pytest.raises(guards.GuardLost):
        guards.guard_of(again(child))


def test_posts_that_are_deleted_while_a_guard_is_made_leave_no_empty_one(corpus: Corpus, bot: TrainedModel) -> None:
    lose(bot)
    held = again(bot)
    assert held.corpus is not None and guards.state_of(held) is State.TO_BE_MADE
    corpus.posts.all().delete()
    with pytest.raises(guards.GuardLost):
        guards._made_again(held)
    assert guards.state_of(held) is State.LOST and not loading.has_guard(bot)


@pytest.mark.differs
def test_requests_at_once_make_a_guard_once(corpus: Corpus, bot: TrainedModel) -> None:
    lose(bot)
    found: list[CopyGuard | None] = []
    threads = [threading.Thread(target=lambda: found.append(guards.guard_of(bot))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and guards._made_again.cache_info().misses == 1
    assert {path.name for path in files.path_of(bot).iterdir()} >= {"posts.fingerprints"}


def test_a_full_disk_keeps_no_bot_from_writing(
    corpus: Corpus, bot: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: CopyGuard, path: Path) -> None:
        raise OSError(28, "No space left on device")

    lose(bot)
    monkeypatch.setattr(CopyGuard, "save", full)
    guard = guards.guard_of(bot)
    assert guard is not None and guard.is_copy(learning.training_posts(corpus)[0])
    assert {path.name for path in files.path_of(bot).iterdir()} == {"config.json", "weights.safetensors"}


def test_the_base_model_has_nothing_to_be_compared_with(alice: User, base: TrainedModel) -> None:
    assert guards.guard_of(base) is None and guards.state_of(base) is State.NOT_NEEDED
    generation = generations.generate(model=base, owner=alice, sampling=SamplingConfig(count=2, seed=1))
    assert generation.refusals.copies is None


def test_a_base_model_of_before_there_were_versions_needs_no_guard(base: TrainedModel) -> None:
    TrainedModel.objects.filter(pk=base.pk).update(origin="", directory=versions.BASE_DIRECTORY)
    assert guards.state_of(again(base)) is State.NOT_NEEDED


def test_a_base_model_whose_posts_are_gone_works_as_before(admin: User, corpus: Corpus, base: TrainedModel) -> None:
    TrainedModel.objects.filter(pk=base.pk).update(corpus=corpus, corpus_name=corpus.name, parent_name="admin/gone")
    assert guards.state_of(again(base)) is State.TO_BE_MADE
    corpus.delete()
    assert guards.guard_of(again(base)) is None
    assert planning.plan(owner=admin, corpus=import_posts(admin), start=again(base), epochs=1).config.epochs == 1


def test_a_bot_that_became_the_base_model_keeps_its_guard(
    admin: User, bot: TrainedModel, corpus: Corpus, base: TrainedModel
) -> None:
    versions.make_base(bot, how=BaseChange.How.PROMOTED)
    TrainedModel.objects.filter(pk=bot.pk).update(owner=None)
    assert guards.state_of(again(bot)) is State.KEPT
    lose(bot)
    corpus.delete()
    assert guards.state_of(again(bot)) is State.LOST
    versions.make_base(base, how=BaseChange.How.PROMOTED)
    with pytest.raises(bases.BaseError, match="its copy guard is missing"):
        bases.promote(again(bot), by=admin)


def test_files_that_are_looked_over_are_those_of_the_guard_too(bot: TrainedModel, corpus: Corpus) -> None:
    whole = file_of(bot).read_bytes()
    assert integrity.trouble_of(bot) is None
    file_of(bot).write_bytes(whole[:-8])
    trouble = integrity.trouble_of(bot)
    assert trouble is not None and "can’t be read" in trouble.what and trouble.guard_can_be_rebuilt
    lose(bot)
    assert integrity.trouble_of(bot) is None
    corpus.delete()
    trouble = integrity.trouble_of(again(bot))
    assert trouble is not None and str(file_of(bot)) in trouble.what and "from your backup" in trouble.advice
    file_of(bot).write_bytes(whole[:-8])
    trouble = integrity.trouble_of(again(bot))
    assert trouble is not None and "can’t be read" in trouble.what and not trouble.guard_can_be_rebuilt
    assert "from your backup" in trouble.advice


def test_damaged_fingerprints_are_told_and_no_post_is_written(bot: TrainedModel) -> None:
    file_of(bot).write_bytes(file_of(bot).read_bytes()[:-8])
    loading._guard.cache_clear()
    with pytest.raises(CheckpointError, match="backup"):
        generations.write(bot, ONE)
