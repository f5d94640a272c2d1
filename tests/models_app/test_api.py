"""Trainings, models and generations of `/api/v1` by real requests: owner, stranger, nobody, administrator, reader."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs.models import Job
from models_app import services
from models_app.ml.config import FineTuneConfig
from models_app.models import TrainedModel
from models_app.runner import _config
from tests.models_app.conftest import import_posts
from tests.rest.helpers import Program, require_error
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def asked(corpus: Corpus, **more: Any) -> dict[str, Any]:
    return {"kind": "fine_tune", "corpus": str(corpus.pk), **more}


def trainings() -> int:
    return Job.objects.filter(kind=services.FINE_TUNE).count()


def test_a_training_is_queued_once_and_tells_what_was_chosen(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    program, key = Program(alice), str(uuid.uuid4())
    body = asked(corpus, name="Town", epochs="auto", batch_size="auto", dropout=0.3, learning_rate=1)
    answer = program.post("/jobs", body, Idempotency_Key=key)
    assert answer.status_code == 202, answer.content
    again = program.post("/jobs", body, Idempotency_Key=key)
    assert again.json() == answer.json() and again["Idempotency-Replayed"] == "true" and trainings() == 1
    told, job = answer.json(), Job.objects.get(kind=services.FINE_TUNE)
    assert (told["id"], told["state"], told["title"]) == (str(job.pk), "queued", "Train Town")
    assert (told["corpus"], told["queue_position"]) == (str(corpus.pk), 1)
    details = told["details"]
    assert (details["model"], details["model_name"], details["name"]) == (str(base.pk), "base", "Town")
    chosen = details["hyperparameters"]
    assert (chosen["epochs"], chosen["dropout"], chosen["learning_rate"]) == (services.DEFAULT_EPOCHS, 0.3, 1)
    assert isinstance(chosen["batch_size"], int) and isinstance(chosen["seed"], int)
    assert FineTuneConfig.from_dict(chosen) == _config(job.arguments, [], base.network["kind"])
    estimate = told["estimate"]
    assert estimate["hyperparameters"] == chosen and estimate["characters"] == corpus.characters
    assert estimate["seconds"] > services.STARTING_SECONDS and estimate["jobs_ahead"] == 0
    assert program.get(f"/jobs/{job.pk}").json()["details"] == details


def test_an_estimate_queues_nothing(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    program = Program(alice)
    one, three = (program.post("/jobs/estimate", asked(corpus, epochs=epochs)).json() for epochs in (1, 3))
    assert trainings() == 0
    assert (one["model"], one["corpus"], one["hyperparameters"]["epochs"]) == (str(base.pk), str(corpus.pk), 1)
    assert one["hyperparameters"]["seed"] is None and one["seconds"] < three["seconds"]
    assert program.post("/jobs", asked(corpus, seed=7)).json()["estimate"]["hyperparameters"]["seed"] == 7
    assert program.post("/jobs/estimate", asked(corpus, seed=7)).json()["jobs_ahead"] == 1


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        ({"epochs": 0}, "bad_value", "epochs"),
        ({"epochs": 11}, "bad_value", "epochs"),
        ({"epochs": "many"}, "bad_value", "epochs"),
        ({"epochs": True}, "bad_value", "epochs"),
        ({"batch_size": 1.5}, "bad_value", "batch_size"),
        ({"sequence_length": 0}, "bad_value", "sequence_length"),
        ({"learning_rate": 0}, "bad_value", "learning_rate"),
        ({"learning_rate": "0.1"}, "bad_value", "learning_rate"),
        ({"final_learning_rate": -1}, "bad_value", "final_learning_rate"),
        ({"warmup_steps": -1}, "bad_value", "warmup_steps"),
        ({"dropout": 1}, "bad_value", "dropout"),
        ({"clip_norm": 0}, "bad_value", "clip_norm"),
        ({"beta_2": 1}, "bad_value", "beta_2"),
        ({"seed": -1}, "bad_value", "seed"),
        ({"name": "n" * 81}, "bad_value", "name"),
        ({"kind": "import"}, "bad_value", "kind"),
        ({"corpus": "mine"}, "bad_value", "corpus"),
        ({"corpus": str(uuid.UUID(int=1))}, "unknown_corpus", "corpus"),
        ({"model": str(uuid.UUID(int=1))}, "unknown_model", "model"),
        ({"dropuot": 0.1}, "unknown_field", "dropuot"),
    ],
)
def test_a_training_asked_for_wrongly_is_not_queued(
    alice: User, base: TrainedModel, corpus: Corpus, wrong: dict[str, Any], code: str, param: str
) -> None:
    for path in ("/jobs", "/jobs/estimate"):
        require_error(Program(alice).post(path, asked(corpus) | wrong), 422, code, param)
    assert trainings() == 0


def test_what_is_in_the_way_of_a_training_is_told(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    program = Program(alice)
    require_error(program.post("/jobs", {"kind": "fine_tune"}), 422, "missing", "corpus")
    Corpus.objects.filter(pk=corpus.pk).update(characters=10)
    require_error(program.post("/jobs", asked(corpus)), 422, "corpus_too_small", "corpus")
    Corpus.objects.filter(pk=corpus.pk).update(characters=corpus.characters)
    PersonalLimits.objects.create(user=alice, trained_models=0)
    assert "0 bots" in require_error(program.post("/jobs", asked(corpus)), 409, "limit_reached")
    assert trainings() == 0


def test_a_training_is_for_whom_the_posts_and_the_model_belong_to(
    alice: User, bob: User, admin: User, base: TrainedModel, corpus: Corpus, model: TrainedModel
) -> None:
    before = trainings()
    for stranger in (Program(bob), Program(admin, "read", "write", "admin")):
        require_error(stranger.post("/jobs", asked(corpus)), 422, "unknown_corpus", "corpus")
    theirs = asked(import_posts(bob), model=str(model.pk))
    require_error(Program(bob).post("/jobs", theirs), 422, "unknown_model", "model")
    for path in ("/jobs", "/jobs/estimate"):
        require_error(Program(None).post(path, asked(corpus)), 401, "not_authenticated")
        require_error(Program(alice, "read").post(path, asked(corpus)), 403, "missing_scope")
    assert trainings() == before
    further = Program(alice).post("/jobs", asked(corpus, model=str(model.pk)))
    assert further.status_code == 202 and further.json()["details"]["model_name"] == "alice/Bot"
    services.retire(model)
    require_error(Program(alice).post("/jobs", asked(corpus, model=str(model.pk))), 409, "model_retired", "model")
