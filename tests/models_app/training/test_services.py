from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import files, loading, naming, registry, versions
from models_app.bots.errors import BadRequest, UnknownModel
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import BaseChange, Tier, TrainedModel
from models_app.ml.config import FineTuneConfig, SamplingConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.outcome import Writing
from models_app.ml.training.events import Progress
from models_app.sharing import access
from models_app.training import estimates, machines, planning, starting_points
from models_app.training.form import Course
from models_app.training.reporter import TRAIL_STEPS, Trail
from models_app.writing import generations
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts, train
from tests.product import save_small_base
from tweets.corpora.errors import CorpusTooSmall
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def learn(model: TrainedModel, posts: Sequence[str]) -> None:
    """Make the model count as trained on exactly these posts."""
    CopyGuard.of(posts).save(files.path_of(model) / FINGERPRINTS)
    loading._guard.cache_clear()


def test_what_a_bot_wrote_while_it_was_deleted_is_refused_with_a_sentence(
    alice: User, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = generations.write

    def written(one: TrainedModel, sampling: SamplingConfig) -> tuple[Writing, float]:
        found = write(one, sampling)
        registry.delete(TrainedModel.objects.get(pk=one.pk))
        return found

    monkeypatch.setattr(generations, "write", written)
    with pytest.raises(UnknownModel, match="This bot has just been deleted"):
        generations.generate(model=model, owner=alice, sampling=SamplingConfig(count=1, max_characters=20))
    assert not Generation.objects.exists()


def test_a_training_ends_with_a_registered_model(corpus: Corpus, base: TrainedModel) -> None:
    job = train(corpus, base, epochs=2)
    assert job.state == State.SUCCEEDED, job.error_message
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert model.full_name == "alice/Bot"
    assert (model.parent, model.parent_name, model.corpus, model.job) == (base, "base", corpus, job)
    assert [epoch["epoch"] for epoch in model.history] == [1, 2]
    events = [dict(event.payload) for event in job.events.filter(kind="epoch")]
    trails = [event.pop("trail") for event in events]
    # The first also has what the starting model made of the openings that each epoch continues.
    assert model.history[0].pop("before").keys() == events[0]["continued"].keys()
    assert model.history == events
    for epoch, trail in zip(model.history, trails, strict=True):
        assert epoch["epoch"] - 2 < trail[0][0] <= trail[-1][0] <= epoch["epoch"]
        assert trail == sorted(trail) and trail[-1][1] == pytest.approx(epoch["train_loss"], rel=0.2)
    assert trails[1][0] == trails[0][-1]
    assert model.posts == corpus.posts_kept and model.characters == corpus.characters
    assert loading.load(model).sha256 == model.sha256
    assert model.training["epochs"] == 2 and model.training["seed"] == 5


def test_the_tutorials_network_can_be_the_base_model_too(corpus: Corpus, base: TrainedModel) -> None:
    save_small_base(Path(settings.CHECKPOINTS_DIR), kind="lstm")
    job = train(corpus, versions.base_model())
    assert job.state == State.SUCCEEDED, job.error_message
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert loading.load(model).network.kind == "lstm"
    automatic = planning.training_config(corpus.characters, 1, 0, {}, kind="lstm").as_dict()
    assert model.training["dropout"] == automatic["dropout"]
    written = generations.generate(model=model, owner=corpus.owner, sampling=SamplingConfig(count=2, max_characters=60))
    assert len(written.posts) == 2


def test_the_trail_of_an_epoch_is_thinned_and_begins_where_the_last_one_ended() -> None:
    trail = Trail()
    last: list[float] = []
    for epoch in (1, 2):
        for step in range(1, 1001):
            trail.add(Progress(epoch, 2, step, 1000, 3 - step / 1000, 0.5, 1000.0, 1.0))
        found = trail.of(epoch)
        assert found[0] == (last or [0.001, 2.999])
        assert len(found) == TRAIL_STEPS + len(last) // 2
        assert {round(after[0] - before[0], 3) for before, after in pairwise(found[1:])} == {1 / TRAIL_STEPS}
        last = found[-1]
    assert trail.of(1) == []
    trail.add(Progress(3, 3, 1, 2, 2.0, 0.5, 1000.0, 1.0))
    assert trail.of(3) == [last, [2.5, 2.0]]


def test_the_epoch_under_way_tells_its_trail(corpus: Corpus, base: TrainedModel) -> None:
    told: list[dict[str, Any]] = []
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=1, name="Output", run_here=True)
    worker.run_claimed(job, listener=lambda kind, payload: told.append(payload))
    under_way = [payload for payload in told if payload.get("phase") == "training"]
    assert under_way
    for payload in under_way:
        assert payload["trail"][-1][0] <= round(payload["epoch"] - 1 + payload["step"] / payload["steps"], 3)


def test_a_training_lowers_the_loss_and_shows_posts_after_each_epoch(corpus: Corpus, base: TrainedModel) -> None:
    epochs = [event.payload for event in train(corpus, base, epochs=3).events.filter(kind="epoch")]
    losses = [epoch["validation_loss"] for epoch in epochs]
    assert losses[-1] < losses[0]
    assert all(epoch["samples"] for epoch in epochs)


def test_an_attempt_after_the_model_was_registered_makes_no_second_one(corpus: Corpus, base: TrainedModel) -> None:
    job = train(corpus, base)
    Job.objects.filter(pk=job.pk).update(state=State.INTERRUPTED)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED
    assert TrainedModel.objects.filter(owner=corpus.owner).count() == 1


def test_a_model_can_be_trained_further(corpus: Corpus, model: TrainedModel) -> None:
    further = TrainedModel.objects.get(pk=train(corpus, model, name="Bot").result["model"])
    assert (further.parent, further.parent_name, further.name) == (model, "alice/Bot", "Bot 2")


def test_what_a_person_sets_is_obeyed_and_kept_and_the_rest_is_automatic(corpus: Corpus, base: TrainedModel) -> None:
    wanted = {"learning_rate": 0.0005, "batch_size": 16}
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=1, settings=wanted, run_here=True)
    worker.run_claimed(job)
    job.refresh_from_db()
    training = TrainedModel.objects.get(pk=job.result["model"]).training
    automatic = planning.training_config(corpus.characters, 1, 0, {}, kind="glr").as_dict()
    assert {name: training[name] for name in wanted} == wanted
    assert training["dropout"] == automatic["dropout"] and training["beta_2"] == automatic["beta_2"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"learning_rate": 0}, "learning_rate"), ({"rate": 1}, "no setting rate"), ({"epochs": 3}, "epochs")],
)
def test_settings_that_cannot_be_are_refused(
    corpus: Corpus, base: TrainedModel, wrong: dict[str, float], sentence: str
) -> None:
    with pytest.raises(BadRequest, match=sentence):
        planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, settings=wrong)
    assert not Job.objects.filter(kind="fine_tune").exists()


@pytest.mark.parametrize(
    ("characters", "epochs", "rate"), [(50_000, 4, 0.00081), (172_000, 2, 0.0026), (1_100_000, 2, 0.004)]
)
def test_where_nobody_says_the_size_decides_and_the_page_tells_the_same(
    characters: int, epochs: int, rate: float, corpus: Corpus, base: TrainedModel
) -> None:
    corpus.characters = characters
    corpus.save(update_fields=["characters"])
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base)
    planned = planning.plan(owner=corpus.owner, corpus=corpus, start=base).config
    TrainedModel.objects.filter(pk=base.pk).update(network={**base.network, "kind": "glr"})
    base.refresh_from_db()
    of_glr = planning.plan(owner=corpus.owner, corpus=corpus, start=base).config
    assert job.arguments["epochs"] == planned.epochs == of_glr.epochs == epochs
    assert planning.automatic(corpus) == of_glr and of_glr.as_dict()["learning_rate"] == rate


def test_a_training_from_a_base_of_tokens_reads_windows_of_tokens(corpus: Corpus, base: TrainedModel) -> None:
    network = {**base.network, "kind": "glr", "vocabulary": "bpe-0123456789abcdef"}
    TrainedModel.objects.filter(pk=base.pk).update(network=network)
    base.refresh_from_db()
    planned = planning.plan(owner=corpus.owner, corpus=corpus, start=base).config
    assert isinstance(planned, FineTuneConfig) and planned.sequence_length == 32
    # The page shows the same beside the field.
    course = Course.of(corpus, Tier.QUICK, machines.paces({Tier.QUICK: None}, [])[Tier.QUICK], base.network)
    assert course.automatic["sequence_length"] == 32


@pytest.mark.parametrize(("vocabulary", "by"), [("bpe-0123456789abcdef", "word"), ("utf8-bytes", "letter")])
def test_pages_say_what_a_quick_bot_reads(vocabulary: str, by: str, corpus: Corpus, base: TrainedModel) -> None:
    network = {**base.network, "kind": "glr", "vocabulary": vocabulary}
    TrainedModel.objects.filter(pk=base.pk).update(network=network)
    base.refresh_from_db()
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base)
    page = signed_in(corpus.owner).get(job.get_absolute_url()).text
    assert "how surprising the model finds what comes next" in page and "nats" not in page
    page = signed_in(corpus.owner).get(f"/corpora/{corpus.pk}/").text
    assert f"Learns {by} by {by}, so you can watch" in page
    assert f"Learns {by} by {by}." in signed_in(corpus.owner).get("/status/").text


@pytest.mark.parametrize("epochs", [0, 11, -1])
def test_epochs_out_of_range_are_refused(corpus: Corpus, base: TrainedModel, epochs: int) -> None:
    with pytest.raises(planning.BadEpochs, match="1 to 10"):
        planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=epochs)
    assert not Job.objects.filter(kind="fine_tune").exists()


def test_too_few_characters_are_refused(alice: User, base: TrainedModel) -> None:
    corpus = import_posts(alice, count=20)
    with pytest.raises(CorpusTooSmall, match="6,000"):
        planning.fine_tune(owner=alice, corpus=corpus, start=base)


def test_a_corpus_deleted_while_its_training_waits_ends_it_with_a_sentence(
    alice: User, corpus: Corpus, base: TrainedModel
) -> None:
    job = planning.fine_tune(owner=alice, corpus=corpus, start=base)
    Corpus.objects.filter(pk=corpus.pk).delete()
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "corpus_deleted")


def test_damaged_base_weights_are_told_and_not_used(corpus: Corpus, base: TrainedModel) -> None:
    weights = files.path_of(base) / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    job = train(corpus, base)
    assert (job.state, job.error_code) == (State.FAILED, "checkpoint_damaged")


def test_the_same_seed_writes_the_same_posts(alice: User, model: TrainedModel) -> None:
    sampling = SamplingConfig(count=5, seed=11)
    first = generations.generate(model=model, owner=alice, sampling=sampling)
    assert first.posts == generations.generate(model=model, owner=alice, sampling=sampling).posts
    assert len(first.posts) == 5


def test_a_seed_chosen_by_chance_is_told(alice: User, model: TrainedModel) -> None:
    generation = generations.generate(model=model, owner=alice, sampling=SamplingConfig(count=2))
    again = generations.generate(model=model, owner=alice, sampling=SamplingConfig.from_dict(generation.sampling))
    assert generation.posts == again.posts


def test_posts_that_were_learned_are_not_written(alice: User, model: TrainedModel) -> None:
    sampling = SamplingConfig(count=3, seed=4, temperature=0)
    written = generations.generate(model=model, owner=alice, sampling=sampling).posts[0]
    learn(model, [f" {written.upper()}!  "])
    generation = generations.generate(model=model, owner=alice, sampling=sampling)
    assert generation.posts == [] and generation.refusals.copies == 1
    allowed = generations.generate(model=model, owner=alice, sampling=replace(sampling, copy_guard=False))
    assert allowed.posts == [written] and allowed.refusals.copies is None


def test_people_see_their_own_models_and_the_base_model(
    alice: User, bob: User, admin: User, model: TrainedModel, base: TrainedModel
) -> None:
    assert access.model_for_user(alice, model.pk) == model
    for person in (alice, bob):
        assert access.model_for_user(person, base.pk) == base
    for stranger in (bob, admin, AnonymousUser()):
        with pytest.raises(TrainedModel.DoesNotExist):
            access.model_for_user(stranger, model.pk)
    assert starting_points.bases_for_user(bob) == [base]
    assert starting_points.bases_for_user(alice) == [base, model]


def test_a_terminal_names_a_model_in_three_ways(
    alice: User, bob: User, model: TrainedModel, base: TrainedModel
) -> None:
    assert access.find_model("base") == base
    assert access.find_model(str(model.pk)) == access.find_model("alice/Bot") == model
    for name in ("alice/Bob", "Bot", str(uuid.uuid4()), "", "/"):
        with pytest.raises(UnknownModel):
            access.find_model(name)
    with pytest.raises(UnknownModel):
        access.find_model("alice/Bot", user=bob)


def test_a_deleted_model_takes_its_files_along(model: TrainedModel) -> None:
    path = files.path_of(model)
    assert path.is_dir()
    registry.delete(model)
    assert not path.exists()
    assert not TrainedModel.objects.filter(pk=model.pk).exists()


def test_the_base_model_of_the_installation_cannot_be_deleted(base: TrainedModel) -> None:
    with pytest.raises(versions.NoBaseModel):
        registry.delete(base)
    assert files.path_of(base).is_dir()


def test_another_model_can_be_made_the_base_model(base: TrainedModel, model: TrainedModel, bob: User) -> None:
    versions.make_base(model, how=BaseChange.How.PROMOTED)
    assert versions.base_model() == model
    assert starting_points.bases_for_user(bob) == [model]
    versions.make_base(base, how=BaseChange.How.PROMOTED)
    assert versions.base_model() == base


def test_without_a_base_model_the_sentence_says_what_to_do(base: TrainedModel) -> None:
    TrainedModel.objects.all().delete()
    (versions.shipped_directory() / "config.json").unlink()
    with pytest.raises(versions.NoBaseModel, match="train_base"):
        versions.base_model()


def test_files_that_are_gone_are_told(model: TrainedModel) -> None:
    import shutil

    shutil.rmtree(files.path_of(model))
    loading._sampler.cache_clear()
    with pytest.raises(CheckpointError):
        generations.write(model, SamplingConfig(seed=1))


@pytest.mark.parametrize("name", ["", " ", "x" * 81])
def test_names_that_cannot_be_are_refused(model: TrainedModel, name: str) -> None:
    with pytest.raises(naming.NameTaken):
        registry.rename(model, name)


def test_a_name_belongs_to_one_model_of_a_person(corpus: Corpus, model: TrainedModel) -> None:
    other = TrainedModel.objects.get(pk=train(corpus, model, name="Other").result["model"])
    with pytest.raises(naming.NameTaken, match="already have a bot"):
        registry.rename(other, "Bot")
    registry.rename(other, "  Third   one ")
    assert other.name == "Third one"


def test_estimates_follow_what_this_machine_has_shown(model: TrainedModel) -> None:
    TrainedModel.objects.filter(pk=model.pk).update(characters_per_second=1_000)
    seconds = estimates.estimate(100_000).seconds(2)
    assert seconds == pytest.approx(estimates.STARTING_SECONDS + 200)
    TrainedModel.objects.filter(pk=model.pk).update(characters_per_second=None)
    typical = 200_000 / machines.TYPICAL_SPEED[Tier.QUICK]
    assert estimates.estimate(100_000).seconds(2) == pytest.approx(estimates.STARTING_SECONDS + typical)
