"""Trainings, models and generations of `/api/v1`, with real requests by owners, strangers and others."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs.models import Job
from botfactory.rest.models import KeptAnswer
from models_app.bots import files as model_files
from models_app.bots import registry, versions
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.ml.config import MAX_TOP_K, FineTuneConfig
from models_app.training import estimates, planning
from models_app.training.fine_tune_job import _config
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.rest.helpers import Program, require_error
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def asked(corpus: Corpus, **more: Any) -> dict[str, Any]:
    return {"kind": "fine_tune", "corpus": str(corpus.pk), **more}


def queued() -> int:
    return Job.objects.filter(kind=planning.FINE_TUNE).count()


def test_a_training_is_queued_once_and_tells_what_was_chosen(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    program, key = Program(alice), str(uuid.uuid4())
    body = asked(corpus, name="Town", epochs="auto", batch_size="auto", dropout=0.3, learning_rate=1)
    answer = program.post("/jobs", body, Idempotency_Key=key)
    assert answer.status_code == 202, answer.content
    again = program.post("/jobs", body, Idempotency_Key=key)
    assert again.json() == answer.json() and again["Idempotency-Replayed"] == "true" and queued() == 1
    told, job = answer.json(), Job.objects.get(kind=planning.FINE_TUNE)
    assert (told["id"], told["state"], told["title"]) == (str(job.pk), "queued", "Train Town")
    assert (told["corpus"], told["queue_position"]) == (str(corpus.pk), 1)
    details = told["details"]
    assert (details["model"], details["model_name"], details["name"]) == (str(base.pk), "base", "Town")
    chosen = details["hyperparameters"]
    assert (chosen["epochs"], chosen["dropout"], chosen["learning_rate"]) == (planning.default_epochs(corpus), 0.3, 1)
    assert isinstance(chosen["batch_size"], int) and isinstance(chosen["seed"], int)
    assert FineTuneConfig.from_dict(chosen) == _config(job.arguments, [], base.network["kind"])
    estimate = told["estimate"]
    assert (
        estimate["hyperparameters"] == chosen | {"points": None, "most_characters": None}
        and estimate["characters"] == corpus.characters
    )
    assert estimate["seconds"] > estimates.STARTING_SECONDS and estimate["jobs_ahead"] == 0
    assert program.get(f"/jobs/{job.pk}").json()["details"] == details


def test_an_estimate_queues_nothing(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    program = Program(alice)
    one, three = (program.post("/jobs/estimate", asked(corpus, epochs=epochs)).json() for epochs in (1, 3))
    assert queued() == 0
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
    assert queued() == 0


def test_what_is_in_the_way_of_a_training_is_told(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    program = Program(alice)
    require_error(program.post("/jobs", {"kind": "fine_tune"}), 422, "missing", "corpus")
    Corpus.objects.filter(pk=corpus.pk).update(characters=10)
    require_error(program.post("/jobs", asked(corpus)), 422, "corpus_too_small", "corpus")
    Corpus.objects.filter(pk=corpus.pk).update(characters=corpus.characters)
    PersonalLimits.objects.create(user=alice, trained_models=0)
    assert "0 bots" in require_error(program.post("/jobs", asked(corpus)), 409, "limit_reached", "models")
    assert queued() == 0


def test_a_training_is_for_whom_the_posts_and_the_model_belong_to(
    alice: User, bob: User, admin: User, base: TrainedModel, corpus: Corpus, model: TrainedModel
) -> None:
    before = queued()
    for stranger in (Program(bob), Program(admin, "read", "write", "admin")):
        require_error(stranger.post("/jobs", asked(corpus)), 422, "unknown_corpus", "corpus")
    theirs = asked(import_posts(bob), model=str(model.pk))
    require_error(Program(bob).post("/jobs", theirs), 422, "unknown_model", "model")
    for path in ("/jobs", "/jobs/estimate"):
        require_error(Program(None).post(path, asked(corpus)), 401, "not_authenticated")
        require_error(Program(alice, "read").post(path, asked(corpus)), 403, "missing_scope")
    assert queued() == before
    further = Program(alice).post("/jobs", asked(corpus, model=str(model.pk)))
    assert further.status_code == 202 and further.json()["details"]["model_name"] == "alice/Bot"
    registry.retire(model)
    require_error(Program(alice).post("/jobs", asked(corpus, model=str(model.pk))), 409, "model_retired", "model")


def test_a_model_writes_at_once_and_it_is_kept(alice: User, base: TrainedModel, model: TrainedModel) -> None:
    assert model.corpus_id is not None
    Corpus.objects.filter(pk=model.corpus_id).update(handle="town.example", basis="public")
    program = Program(alice)
    wanted = {"n": 3, "temperature": 0.7, "prompt": "Oh", "seed": 4, "banned": [" two  words ", "two words"]}
    answer = program.post(f"/models/{model.pk}/generate", wanted)
    assert answer.status_code == 200, answer.content
    told, kept = answer.json(), Generation.objects.get()
    assert (told["id"], told["model"], told["posts"]) == (str(kept.pk), str(model.pk), kept.posts)
    assert len(told["posts"]) + told["missing"] == 3 and all(post.startswith("Oh") for post in told["posts"])
    assert told["label"] == "AI parody of @town.example, not by @town.example."
    assert told["settings"] == {
        "n": 3,
        "temperature": 0.7,
        "top_k": 0,
        "top_p": 1.0,
        "prompt": "Oh",
        "seed": 4,
        "about": "",
        "max_characters": 280,
        "banned": ["two words"],
        "copy_guard": True,
        "mask_mentions": True,
        "personal_guard": True,
        "link_guard": False,
        "best_of": 1,
    }
    assert sorted(told["refused"]) == [
        "banned",
        "copies",
        "empty",
        "house",
        "links",
        "mentions",
        "personal",
        "unfinished",
    ]
    assert told["refused"]["copies"] is not None
    key = str(uuid.uuid4())
    by_base = program.post(f"/models/{base.pk}/generate", {"n": 2}, Idempotency_Key=key).json()
    assert program.post(f"/models/{base.pk}/generate", {"n": 2}, Idempotency_Key=key).json() == by_base
    assert by_base["label"] == "Written by a model, not by the person." and isinstance(by_base["settings"]["seed"], int)
    assert by_base["refused"]["copies"] is None and Generation.objects.count() == 2
    page = program.get("/generations?limit=1").json()
    assert page["data"] == [by_base] and page["has_more"] is True
    assert program.get(f"/generations?after={by_base['id']}").json() == {"data": [told], "has_more": False}
    assert program.get(f"/generations?model={model.pk}").json()["data"] == [told]
    assert program.get(f"/generations/{kept.pk}").json() == told


@pytest.mark.parametrize("greedy", [{"temperature": 0.0}, {"top_k": 1}])
def test_where_all_posts_would_be_the_same_one_is_written_with_a_sentence(
    alice: User, base: TrainedModel, greedy: dict[str, Any]
) -> None:
    program, page = Program(alice), signed_in(alice)
    told = program.post(f"/models/{base.pk}/generate", {"n": 3, **greedy}).json()
    assert len(told["posts"]) == 1 and told["missing"] == 0 and told["settings"]["n"] == 3
    assert told["note"].startswith("With temperature 0 or top k 1, every post is the same")
    assert program.post(f"/models/{base.pk}/generate", {"n": 1, **greedy}).json()["note"] is None
    form = {"count": "3", "temperature": "0.8", **{name: str(value) for name, value in greedy.items()}}
    shown = page.post(f"/models/{base.pk}/generate", form, headers={"HX-Request": "true"}).content.decode()
    assert told["note"] in shown and "1 new post" in shown


def test_what_an_earlier_version_wrote_three_times_is_told_as_it_is(alice: User, base: TrainedModel) -> None:
    generation = Generation(model=base, owner=alice, sampling={"count": 3, "temperature": 0}, posts=["a"] * 3)
    assert (generation.missing, generation.one_for_all) == (0, "")


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        ({"n": 0}, "bad_value", "n"),
        ({"n": 101}, "bad_value", "n"),
        ({"n": "3"}, "bad_value", "n"),
        ({"temperature": -0.1}, "bad_value", "temperature"),
        ({"temperature": 2.1}, "bad_value", "temperature"),
        ({"top_k": MAX_TOP_K + 1}, "bad_value", "top_k"),
        ({"top_p": 0}, "bad_value", "top_p"),
        ({"seed": -1}, "bad_value", "seed"),
        ({"max_characters": 0}, "bad_value", "max_characters"),
        ({"banned": [""]}, "bad_value", "banned.0"),
        ({"banned": [" "]}, "bad_value", "banned"),
        ({"banned": ["x"] * 201}, "bad_value", "banned"),
        ({"mask_mentions": "no"}, "bad_value", "mask_mentions"),
        ({"prompt": "x" * 281}, "bad_value", "prompt"),
        ({"prompt": "a\0b"}, "bad_value", "prompt"),
        ({"prompt": "x" * 280}, "bad_sampling", "prompt"),
        ({"about": "x" * 201}, "bad_value", "about"),
        ({"prompt": "a bad word", "banned": ["bad"]}, "bad_sampling", "prompt"),
        ({"count": 3}, "unknown_field", "count"),
    ],
)
def test_posts_asked_for_wrongly_are_not_written(
    alice: User, base: TrainedModel, wrong: dict[str, Any], code: str, param: str
) -> None:
    require_error(Program(alice).post(f"/models/{base.pk}/generate", wrong), 422, code, param)
    assert not Generation.objects.exists()


def test_an_answer_that_is_kept_for_a_key_goes_with_what_it_is_about(
    alice: User, base: TrainedModel, model: TrainedModel
) -> None:
    program = Program(alice)
    asked = {"n": 1, "max_characters": 30, "copy_guard": False}

    def write(key: str) -> Any:
        return program.post(f"/models/{model.pk}/generate", asked, Idempotency_Key=key)

    def keep() -> Any:
        return program.post("/kept", {"generation": second, "post": 0}, Idempotency_Key="kept")

    first, second = write("first").json()["id"], write("second").json()["id"]
    kept = keep().json()["id"]
    assert write("first").json()["id"] == first and keep().json()["id"] == kept
    program.ask("DELETE", f"/generations/{first}")
    program.ask("DELETE", f"/kept/{kept}")
    require_error(write("first"), 409, "answer_not_kept", "Idempotency-Key")
    require_error(keep(), 409, "answer_not_kept", "Idempotency-Key")
    assert write("second").json()["id"] == second
    program.ask("DELETE", f"/models/{model.pk}")
    assert KeptAnswer.objects.count() == 3 and not KeptAnswer.objects.exclude(body="").exists()


def test_a_model_tells_of_itself_is_renamed_and_deleted(alice: User, base: TrainedModel, model: TrainedModel) -> None:
    program, path = Program(alice), f"/models/{model.pk}"
    page = program.get("/models").json()
    assert [shown["id"] for shown in page["data"]] == [str(model.pk)] and page["has_more"] is False
    told = program.get(path).json()
    assert page["data"][0].items() <= told.items()
    assert (told["name"], told["corpus"], told["parent"]) == ("Bot", str(model.corpus_id), str(base.pk))
    assert told["training"] == model.training and told["history"] == model.history
    assert told["report"] == model.report and told["bits_per_character"] == model.bits_per_character
    shown = program.get(f"/models/{base.pk}").json()
    assert shown["is_base"] is True and shown["report"] is None
    answer = program.ask("PATCH", path, {"name": "  Town   crier "})
    assert answer.status_code == 200 and answer.json() == {**told, "name": "Town crier"}
    for wrong, code in (({"name": " "}, "bad_name"), ({"name": ""}, "bad_value")):
        require_error(program.ask("PATCH", path, wrong), 422, code, "name")
    require_error(program.ask("PATCH", path, {"title": "x", "name": "y"}), 422, "unknown_field", "title")
    TrainedModel.objects.create(owner=alice, name="Other", directory="users/none")
    require_error(program.ask("PATCH", path, {"name": "Other"}), 409, "name_taken", "name")
    assert [shown["name"] for shown in program.get("/models?limit=1").json()["data"]] == ["Other"]
    files = model_files.path_of(model)
    assert files.exists() and program.ask("DELETE", path).status_code == 204 and not files.exists()
    require_error(program.ask("DELETE", path), 404, "not_found")
    require_error(program.get(path), 404, "not_found")


def test_the_base_model_stays_whoever_owns_it(alice: User, base: TrainedModel, model: TrainedModel) -> None:
    program = Program(alice)
    for method, body in (("PATCH", {"name": "mine"}), ("DELETE", None)):
        require_error(program.ask(method, f"/models/{base.pk}", body), 404, "not_found")
    versions.make_base(model, how=BaseChange.How.PROMOTED)
    require_error(program.ask("DELETE", f"/models/{model.pk}"), 409, "no_base_model")
    assert TrainedModel.objects.count() == 2


def test_a_strangers_model_and_what_it_wrote_are_not_there(
    alice: User, bob: User, admin: User, model: TrainedModel
) -> None:
    generation = Program(alice).post(f"/models/{model.pk}/generate", {"n": 1}).json()
    asks: list[tuple[str, str, str, Any]] = [
        ("GET", "/models/{}", str(model.pk), None),
        ("PATCH", "/models/{}", str(model.pk), {"name": "mine"}),
        ("DELETE", "/models/{}", str(model.pk), None),
        ("POST", "/models/{}/generate", str(model.pk), {"n": 1}),
        ("GET", "/generations/{}", generation["id"], None),
    ]
    for stranger in (Program(bob), Program(admin, "read", "write", "admin")):
        for method, path, thing, body in asks:
            sentence = require_error(stranger.ask(method, path.format(thing), body), 404, "not_found")
            assert sentence == require_error(stranger.ask(method, path.format(uuid.uuid4()), body), 404, "not_found")
        for path in ("/models", "/generations", f"/generations?model={model.pk}"):
            assert stranger.get(path).json() == {"data": [], "has_more": False}
    nobody, reader, writer = Program(None), Program(alice, "read"), Program(alice, "write")
    for method, path, thing, body in asks:
        require_error(nobody.ask(method, path.format(thing), body), 401, "not_authenticated")
        lacking = writer if method == "GET" else reader
        require_error(lacking.ask(method, path.format(thing), body), 403, "missing_scope")
    assert reader.get(f"/generations/{generation['id']}").json() == generation
    model.refresh_from_db()
    assert model.name == "Bot" and Generation.objects.count() == 1
