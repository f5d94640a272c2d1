"""`/searches` and `manage.py search`: begin, follow, stop, resume, extend and use a search."""

from __future__ import annotations

import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from models_app.bots.rows import TrainedModel
from models_app.search import runner
from models_app.search import services as searches
from models_app.search.rows import Search, Trial
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.models_app.search.searching import BASE_SPACE, SPACE, base_search, finish, search_for
from tests.rest.helpers import Program, require_error
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_pace(alice: User) -> None:
    PersonalLimits.objects.create(user=alice, unlimited=True)


def test_a_program_searches_and_trains_the_best(corpus: Corpus, base: TrainedModel, alice: User) -> None:
    program = Program(alice)
    begun = program.post("/searches", {"corpus": str(corpus.pk), "space": SPACE, "trials": 2, "seed": 7})
    assert begun.status_code == 202, begun.content
    told = begun.json()
    assert told["kind"] == "bot"
    assert (told["state"], told["trials"], told["ended"], told["best"]) == ("running", 2, 0, None)
    assert told["space"] == SPACE and told["model"] == str(base.pk) and len(told["jobs"]) == 1
    job = program.get(f"/jobs/{told['jobs'][0]}").json()
    assert (job["kind"], job["corpus"], job["details"]) == ("search", str(corpus.pk), {"search": told["id"]})
    finish(Search.objects.get(pk=told["id"]))
    done = program.get(f"/searches/{told['id']}").json()
    assert (done["state"], done["ended"], done["seconds_left"]) == ("done", 2, None)
    trials = program.get(f"/searches/{told['id']}/trials").json()["data"]
    assert [trial["number"] for trial in trials] == [0, 1]
    assert done["best"] == min(trials, key=lambda trial: (trial["bits_per_character"], trial["number"]))
    assert [one["id"] for one in program.get("/searches").json()["data"]] == [told["id"]]
    used = program.post(f"/searches/{told['id']}/use", {"name": "Best"})
    assert used.status_code == 202 and used.json()["details"]["name"] == "Best"
    assert used.json()["details"]["hyperparameters"]["learning_rate"] == done["best"]["parameters"]["learning_rate"]
    require_error(program.post(f"/searches/{told['id']}/use", {"trial": 9}), 409, "not_possible")


def test_a_program_stops_resumes_extends_and_deletes(corpus: Corpus, base: TrainedModel, alice: User) -> None:
    search, program = search_for(corpus, base), Program(alice)
    path = f"/searches/{search.pk}"
    require_error(program.post(f"{path}/resume"), 409, "not_possible")
    assert program.post(f"{path}/stop").json()["state"] == "stopped"
    assert program.post(f"{path}/resume").json()["state"] == "running"
    assert program.post(f"{path}/trials", {"trials": 4}).json()["trials"] == 7
    require_error(program.post(f"{path}/trials", {"trials": 500}), 409, "not_possible")
    assert program.ask("DELETE", path).status_code == 204
    assert not Job.objects.filter(kind="search").exists()
    require_error(program.get(path), 404, "not_found")


def test_an_answer_that_is_kept_for_a_key_goes_with_its_search(corpus: Corpus, base: TrainedModel, alice: User) -> None:
    program = Program(alice)

    def begin() -> Any:
        return program.post("/searches", {"corpus": str(corpus.pk), "space": SPACE}, Idempotency_Key="one")

    begun = begin().json()
    assert begin().json() == begun and Search.objects.count() == 1
    assert program.ask("DELETE", f"/searches/{begun['id']}").status_code == 204
    require_error(begin(), 409, "answer_not_kept", "Idempotency-Key")
    assert not Search.objects.exists()


def test_wrong_requests_name_the_mistake(corpus: Corpus, base: TrainedModel, alice: User) -> None:
    program = Program(alice)
    asked = {"corpus": str(corpus.pk)}
    cases: list[tuple[dict[str, Any], str, str | None, str]] = [
        ({"space": {"units": {"choices": [8]}}}, "bad_space", "space", "There is no setting units"),
        ({"space": {"epochs": {"low": 0, "high": 2}}}, "bad_space", "space", "Choose 1 to 10 epochs, not 0"),
        ({"space": {"epochs": {"low": 1, "high": 10**400}}}, "bad_space", "space", "isn’t a number"),
        ({"space": {"learning_rate": {"choices": [10**400]}}}, "bad_space", "space", "isn’t a number"),
        (
            {"space": {"learning_rate": {"low": 0.0001, "high": 0.01, "step": 1e-320}}},
            "bad_space",
            "space",
            "step is too small",
        ),
        ({"minutes": 3}, "bad_minutes", "minutes", "Only a fluent training"),
        ({"sampler": "grid"}, "bad_value", "sampler", "sampler must be one of"),
    ]
    for changed, code, param, sentence in cases:
        assert sentence in require_error(program.post("/searches", asked | changed), 422, code, param)


def test_a_program_without_the_scope_sees_no_searches_for_base_models(
    admin: User, base: TrainedModel, server: Path
) -> None:
    search = base_search(admin)
    program = Program(admin, "read", "write")
    assert program.get("/searches").json()["data"] == []
    require_error(program.get(f"/searches/{search.pk}"), 404, "not_found")
    require_error(program.ask("DELETE", f"/searches/{search.pk}"), 404, "not_found")
    assert Search.objects.filter(pk=search.pk).exists()


def said(*words: object) -> str:
    out = io.StringIO()
    call_command("search", *map(str, words), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_terminal_searches_here_and_uses_the_best(
    corpus: Corpus, base: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker's job would come back after each trial. Here, a worker could take it then.
    monkeypatch.setattr(runner, "TOGETHER", 0.0)
    space = tmp_path / "space.toml"
    space.write_text("[learning_rate]\nlow = 0.0005\nhigh = 0.01\nlog = true\n[epochs]\nchoices = [1]\n")
    owner = ("--owner", "alice")
    told = said(*owner, "start", corpus.pk, "--tier", "quick", "--space", space, "--trials", 2, "--here", "--seed", 7)
    search = Search.objects.get()
    assert f"Posts ({search.pk}): 2 of 2 trials, done" in told
    assert Job.objects.get(kind="search").attempt == 1
    # The best first.
    lines = told.splitlines()[1:]
    losses = [float(line.split()[2]) for line in lines]
    assert losses == sorted(losses) and len(lines) == 2 and "learning_rate" in lines[0]
    shown = json.loads(said(*owner, "--json", "show", search.pk))
    assert (shown["state"], shown["ended"]) == ("done", 2) and len(shown["trials"]) == 2
    assert f"({search.pk})" in said(*owner, "show")
    assert "3 trials, running" in said(*owner, "add", search.pk, 1)
    assert "3 trials, stopped" in said(*owner, "stop", search.pk)
    assert "3 trials, running" in said(*owner, "resume", search.pk)
    job = json.loads(said(*owner, "--json", "use", search.pk, "--name", "Mine"))
    assert Job.objects.get(pk=job["job"]).arguments["name"] == "Mine"


@pytest.mark.usefixtures("small_network")
def test_the_terminal_searches_for_a_base_model(admin: User, base: TrainedModel, server: Path) -> None:
    words = ["start-base", "--corpus", "deep/train.txt", "--valid", "valid.txt", "--megabytes", 0.01, "--name", "wide"]
    told = said(*words, "--space", json.dumps(BASE_SPACE), "--trials", 1, "--here")
    search = Search.objects.get()
    assert search.owner is None and "1 of 1 trial, done" in told
    queued = said("use", search.pk, "--megabytes", "0.02")
    job = Job.objects.get(kind="train_base")
    assert str(job.pk) in queued and job.arguments["budget"] == {"megabytes": 0.02}
    worker.run(job.pk)
    assert TrainedModel.objects.get(job=job).name == "wide"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["start", "nothing"], "There is no corpus nothing"),
        (["start", "{corpus}", "--space", "nothing.toml"], "Can't read the space nothing.toml"),
        (["start", "{corpus}", "--space", '{"rate": 1}'], "There is no setting rate"),
        (["start", "{corpus}", "--trials", "0"], "Choose 1 to 500 trials"),
        (["show", "nothing"], "There is no search nothing"),
        (["use", "{search}"], "No trial of this search is complete"),
        (["use", "{search}", "--minutes", "3"], "Only a base model can learn longer"),
        (["start-base", "--minutes", "1", "--space", "tutorial"], "what to learn from"),
    ],
)
def test_the_terminal_tells_mistakes(
    words: list[str], sentence: str, corpus: Corpus, base: TrainedModel, admin: User
) -> None:
    search = search_for(corpus, base)
    owner = ["--owner", "admin" if "base" in words[0] else "alice"]
    with pytest.raises(CommandError, match=sentence):
        said(*owner, *[word.replace("{corpus}", str(corpus.pk)).replace("{search}", str(search.pk)) for word in words])
    assert Search.objects.count() == 1


def test_strangers_find_no_search_at_the_terminal(corpus: Corpus, base: TrainedModel, bob: User) -> None:
    search = search_for(corpus, base)
    for words in (["show", search.pk], ["stop", search.pk], ["use", search.pk]):
        with pytest.raises(CommandError, match="There is no search"):
            said("--owner", "bob", *words)
    assert said("--owner", "bob", "show") == ""
    assert searches.active_jobs(search).exists() and not Trial.objects.exists()


def test_administrators_search_for_a_base_model_over_the_api(
    admin: User, alice: User, server: Path, small_network: None
) -> None:
    PersonalLimits.objects.create(user=admin, unlimited=True)
    program, stranger = Program(admin, "read", "write", "admin"), Program(alice)
    body: dict[str, Any] = {
        "name": "wide",
        "files": ["deep/train.txt"],
        "validation": "valid.txt",
        "megabytes": 0.01,
        "space": BASE_SPACE,
        "trials": 1,
        "seed": 7,
    }
    require_error(stranger.post("/searches/base", body), 403, "missing_scope")
    wrongs: list[tuple[dict[str, Any], str, str | None]] = [
        ({"files": ["../secret.txt"]}, "base_error", None),
        ({"megabytes": None}, "base_error", None),
        ({"minutes": 1}, "base_error", None),
        ({"space": {"nothing": {"choices": [1]}}}, "bad_space", "space"),
        ({"model": str(uuid.uuid4())}, "bad_value", "model"),
    ]
    for wrong, code, param in wrongs:
        require_error(program.post("/searches/base", body | wrong), 422, code, param)
    begun = program.post("/searches/base", body)
    assert begun.status_code == 202, begun.content
    told = begun.json()
    path = f"/searches/{told['id']}"
    assert told["kind"] == "base"
    assert (told["state"], told["trials"], told["megabytes"], told["files"]) == ("running", 1, 0.01, ["deep/train.txt"])
    require_error(stranger.get(path), 404, "not_found")
    require_error(program.post(f"{path}/use", {}), 409, "not_possible")
    assert program.post(f"{path}/stop").json()["state"] == "stopped"
    assert program.post(f"{path}/resume").json()["state"] == "running"
    assert program.post(f"{path}/trials", {"trials": 2}).json()["trials"] == 3
    search = Search.objects.get(pk=told["id"])
    values = {"units": 8, "learning_rate": 0.002, "dropout": 0.1, "batch_size": 8}
    Trial.objects.create(search=search, number=0, state="complete", bits_per_character=3.0, parameters=values)
    assert program.get(path).json()["best"]["parameters"] == values
    assert [trial["number"] for trial in program.get(f"{path}/trials").json()["data"]] == [0]
    used = program.post(f"{path}/use", {"name": "made"})
    assert (used.status_code, used.json()["kind"]) == (202, "train_base")
    assert Job.objects.get(kind="train_base").arguments["network"]["units"] == 8
    assert [one["id"] for one in program.get("/searches").json()["data"]] == [told["id"]]
    assert program.ask("DELETE", path).status_code == 204
    require_error(program.get(path), 404, "not_found")
