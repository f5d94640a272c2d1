"""What searches there are: for bots of both tiers and for base models, for whom, and what can't be searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bases.services import BaseError, Budget
from models_app.bots import loading
from models_app.bots.rows import TrainedModel
from models_app.ml.config import BYTES, NetworkConfig
from models_app.ml.vocabulary import vocabulary_of
from models_app.search import bases, bots, runner
from models_app.search import services as searches
from models_app.search import space as spaces
from models_app.search.how import SearchError
from models_app.search.outlook import best_of
from models_app.search.rows import Search, Trial
from models_app.search.space import BadSpace
from models_app.search.table import Table
from models_app.training import planning
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.models_app.conftest import import_posts
from tests.models_app.search.searching import BASE_SPACE, base_search, finish, jobs_of, one_attempt, search_for
from tweets.corpora.errors import CorpusError
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def a_trial_per_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TOGETHER", 0.0)


def test_who_may_see_and_change_which(corpus: Corpus, base: TrainedModel, admin: User, bob: User, server: Path) -> None:
    own, house = search_for(corpus, base), base_search(admin)
    seen = {person: set(searches.searches_for_user(person)) for person in (corpus.owner, admin, bob)}
    assert seen == {corpus.owner: {own}, admin: {house}, bob: set()}
    bob.is_staff = True
    with pytest.raises(SearchError, match="Only an administrator"):
        searches.require_may_change(bob, house)
    searches.require_may_change(admin, house)
    with pytest.raises(BaseError, match="Only an administrator"):
        base_search(bob)
    bob.is_active = False
    assert not searches.searches_for_user(bob).exists()


@pytest.mark.usefixtures("small_network")
def test_a_search_for_base_models_varies_the_network_and_the_best_becomes_a_version(
    admin: User, base: TrainedModel, server: Path
) -> None:
    search = finish(base_search(admin))
    trials = list(search.trials.all())
    assert [trial.state for trial in trials] == ["complete", "complete"]
    for trial in trials:
        assert {int(step) for step in trial.points} <= set(range(1, 11)) and len(trial.points) >= 3
        assert trial.parameters.keys() == BASE_SPACE.keys()
    training = searches.use(search, None, by=admin, budget=Budget(megabytes=0.02))
    worker.run(training.pk)
    training.refresh_from_db()
    assert training.state == State.SUCCEEDED, training.error_message
    version = TrainedModel.objects.get(pk=training.result["model"])
    best = best_of(search.trials.all())
    assert best is not None
    assert (version.owner, version.name, version.origin) == (None, "wide", TrainedModel.Origin.TRAINED)
    assert version.network["units"] == best.parameters["units"]
    assert version.training["config"]["dropout"] == best.parameters["dropout"]


@pytest.mark.usefixtures("small_network")
def test_the_same_base_training_is_as_good_as_its_trial_and_reads_as_many_tokens(
    admin: User, base: TrainedModel, server: Path
) -> None:
    space = {name: value for name, value in BASE_SPACE.items() if name != "units"}
    search = finish(base_search(admin, trials=1, space=space | {"vocabulary": {"choices": [512]}}))
    training = searches.use(search, 0, by=admin)
    worker.run(training.pk)
    version = TrainedModel.objects.get(job=training)
    assert version.bits_per_character == pytest.approx(search.trials.get().bits_per_character, abs=0.02)
    assert vocabulary_of(loading.load(version).network).size == 512


@pytest.mark.usefixtures("small_network")
def test_a_search_whose_posts_are_away_for_a_moment_loses_no_trial(
    admin: User, base: TrainedModel, server: Path
) -> None:
    search = base_search(admin)
    [job] = jobs_of(search)
    away = server.rename(server.parent / "away")
    assert one_attempt(job).state == State.FAILED
    assert (job.error_code, "There is no file deep/train.txt" in job.error_message) == ("base_error", True)
    assert search.trials.get().state == Trial.State.WAITING
    away.rename(server)
    finish(searches.resume(search, by=admin))
    assert [trial.state for trial in search.trials.all()] == ["complete", "complete"]


@pytest.mark.parametrize(
    ("network", "values", "sentence"),
    [
        ("glr", {"choices": [0, 511]}, "vocabulary: vocabulary must be a whole number from 512 to 65,536, not 511"),
        ("glr", {"low": 0, "high": 4096}, "vocabulary: write a list of choices, such as 0 and 4096"),
        ("lstm", {"choices": [512]}, "There is no setting vocabulary"),
    ],
)
def test_what_no_network_can_read_is_told(
    network: str, values: dict[str, Any], sentence: str, admin: User, server: Path
) -> None:
    with pytest.raises(BadSpace, match=sentence):
        base_search(admin, network=network, space={"vocabulary": values})


def test_a_trial_of_tokens_can_have_another_shape_and_one_of_bytes_is_as_usual(admin: User, server: Path) -> None:
    space = {"vocabulary": {"choices": [0, 1024]}, "units": {"choices": [64]}, "embedding": {"choices": [24]}}
    told = base_search(admin, space=space).settings
    shapes = [bases.split(told, {"vocabulary": size, "units": 64, "embedding": 24, "seed": 3}) for size in (0, 1024)]
    assert [network.vocabulary for network, _ in shapes] == [BYTES, "bpe-of-1024"]
    assert all(isinstance(one, NetworkConfig) and (one.units, one.embedding) == (64, 24) for one, _ in shapes)
    assert [values for _, values in shapes] == [{"seed": 3}] * 2


@pytest.mark.usefixtures("small_network")
def test_a_search_for_base_models_is_for_administrators_until_the_end(
    admin: User, base: TrainedModel, server: Path
) -> None:
    [job] = jobs_of(base_search(admin))
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert one_attempt(job).error_code == "not_allowed"


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"trials": 0}, SearchError, "Choose 1 to 500 trials, not 0"),
        ({"trials": 501}, SearchError, "Choose 1 to 500 trials"),
        ({"at_once": 9}, SearchError, "Let 1 to 8 trials run at once"),
        ({"sampler": "grid"}, SearchError, "no sampler grid"),
        ({"pruner": "never"}, SearchError, "no pruner never"),
        ({"seed": -1}, SearchError, "Choose a seed"),
        ({"minutes": 3}, planning.BadMinutes, "Only a fluent training"),
        ({"space": {}}, BadSpace, "The space is empty"),
        ({"space": {"units": {"choices": [1]}}}, BadSpace, "There is no setting units. You can set: epochs"),
        ({"space": {"epochs": {"low": 1, "high": 11}}}, BadSpace, "epochs: Choose 1 to 10 epochs, not 11"),
        ({"space": {"dropout": {"low": 0.0, "high": 0.95}}}, BadSpace, "dropout: dropout must be a number from 0 to"),
        ({"space": {"batch_size": {"choices": [0]}}}, BadSpace, "batch_size: batch_size must be a whole number"),
        ({"space": {"dropout": {"low": 0.5, "high": 0.1}}}, BadSpace, "dropout: low is above high"),
    ],
)
def test_what_cannot_be_searched_is_told(
    changed: dict[str, Any], error: type[Exception], sentence: str, corpus: Corpus, base: TrainedModel
) -> None:
    with pytest.raises(error, match=sentence):
        search_for(corpus, base, **changed)
    assert not Search.objects.exists() and not Job.objects.filter(kind="search").exists()


def test_too_few_posts_are_told(alice: User, base: TrainedModel) -> None:
    with pytest.raises(CorpusError):
        search_for(import_posts(alice, count=3), base)


def test_a_fluent_search_varies_an_adapter_within_a_fixed_time(
    corpus: Corpus, fluent: TrainedModel, alice: User
) -> None:
    search = search_for(
        corpus, fluent, trials=1, minutes=1, space={"learning_rate": {"low": 0.001, "high": 0.01, "log": True}}
    )
    assert search.settings["minutes"] == 1 and search.steps >= 1
    # As for any training, few posts are read twice if there's time.
    assert [bots.common(corpus, fluent, minutes)["epochs"] for minutes in (1, 3, None)] == [1, 2, 2]
    finish(search)
    trial = search.trials.get()
    assert trial.state == Trial.State.COMPLETE and len(trial.points) == search.steps
    job = searches.use(search, None, by=alice)
    assert job.arguments["chosen"]["learning_rate"] == trial.parameters["learning_rate"]
    assert job.arguments["chosen"]["most_characters"] == search.settings["most_characters"]


def test_the_table_of_a_fluent_search_counts_parts(corpus: Corpus, base: TrainedModel, fluent: TrainedModel) -> None:
    space = {"learning_rate": {"low": 0.001, "high": 0.01, "log": True}}
    labels = [Table.of(search_for(corpus, start, space=space), []).columns for start in (base, fluent)]
    assert [{column.name: column.label for column in columns}["steps"] for columns in labels] == [
        "Epochs done",
        "Parts done",
    ]


def test_the_spaces_that_come_with_the_product_are_valid(
    corpus: Corpus, base: TrainedModel, admin: User, server: Path
) -> None:
    assert spaces.shipped_names() == ["fluent", "quick", "tutorial"]
    assert search_for(corpus, base, space=None).space.keys() == {"learning_rate", "epochs", "dropout", "batch_size"}
    tutorial = base_search(admin, space=spaces.shipped("tutorial"))
    assert list(tutorial.space) == [
        "layers",
        "units",
        "embedding",
        "batch_size",
        "sequence_length",
        "dropout",
        "optimizer",
        "learning_rate",
        "clip_norm",
    ]


def test_a_search_whose_largest_step_cannot_fit_into_memory_is_refused() -> None:
    told = bases.common("glr", None, Budget(megabytes=1), ["a.txt"], "v.txt", False)
    space = {"batch_size": {"choices": [8, 4096]}, "sequence_length": {"low": 16, "high": 1024}}
    with pytest.raises(BadSpace, match=r"4,096 × 1,024 are 4,194,304 symbols.*at most 65,536"):
        bases.checked(space, told)
    assert set(bases.checked(space | {"batch_size": {"choices": [8, 64]}}, told)) == set(space)


def test_the_adapter_of_a_pretrained_model_has_room_for_fewer_symbols(fluent: TrainedModel) -> None:
    told = bases.common("", fluent, Budget(megabytes=1), ["a.txt"], "v.txt", False)
    with pytest.raises(BadSpace, match=r"16,384 symbols.*at most 8,192"):
        bases.checked({"batch_size": {"choices": [64]}, "sequence_length": {"choices": [256]}}, told)
    assert bases.checked({"batch_size": {"choices": [32]}, "sequence_length": {"choices": [256]}}, told)


def test_a_search_for_a_bot_whose_largest_step_cannot_fit_into_memory_is_refused(
    corpus: Corpus, base: TrainedModel
) -> None:
    told = bots.common(corpus, base, None)
    space = {"batch_size": {"choices": [8, 512]}, "sequence_length": {"low": 16, "high": 1024}}
    with pytest.raises(BadSpace, match=r"512 × 1,024 are 524,288 symbols.*at most 65,536"):
        bots.checked(space, corpus, base, told)
    assert set(bots.checked(space | {"batch_size": {"choices": [8, 64]}}, corpus, base, told)) == set(space)
