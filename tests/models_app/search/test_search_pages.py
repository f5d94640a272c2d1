"""The pages of searches: their table, pictures and CSV, what they change, and for whom."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs.models import Job
from models_app.bots.rows import TrainedModel
from models_app.search import pictures, table
from models_app.search.rows import Search, Trial
from models_app.search.table import Table
from tests.conftest import signed_in
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.models_app.search.searching import search_for
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

ROWS: list[tuple[str, float | None, float, dict[str, Any]]] = [
    ("complete", 2.5, 30.0, {"learning_rate": 0.001, "epochs": 1, "batch_size": 8}),
    ("complete", 2.1, 60.0, {"learning_rate": 0.004, "epochs": 3, "batch_size": 16}),
    ("pruned", 2.9, 10.0, {"learning_rate": 0.02, "epochs": 3, "batch_size": 8}),
    ("complete", 2.3, 20.0, {"learning_rate": 0.002, "epochs": 2, "batch_size": 8}),
    ("failed", None, 0.0, {"learning_rate": 0.019, "epochs": 2, "batch_size": 16}),
    ("running", None, 0.0, {"learning_rate": 0.003, "epochs": 2, "batch_size": 16}),
]


def with_rows(search: Search, times: int = 1) -> Search:
    now = timezone.now()
    for state, bits, seconds, parameters in ROWS * times:
        Trial.objects.create(
            search=search,
            number=search.trials.count(),
            state=state,
            bits_per_character=bits,
            seconds=seconds,
            weights=1000,
            parameters=parameters,
            points={} if bits is None else {"1": bits},
            why="=cmd|' /C calc'!A0 is no learning rate." if state == "failed" else "",
            finished_at=now if bits else None,
        )
    return search


@pytest.fixture
def search(corpus: Corpus, base: TrainedModel) -> Search:
    return with_rows(search_for(corpus, base, trials=10))


def table_of(page: str) -> list[list[str]]:
    body = page.split("<tbody>")[1 if 'id="importance-title"' not in page else 2].split("</tbody>")[0]
    rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in rows]


def test_the_table_has_the_best_first_and_sorts_by_each_column(search: Search) -> None:
    client = signed_in(search.corpus.owner)  # type: ignore[union-attr]
    rows = table_of(client.get(f"/searches/{search.pk}/").content.decode())
    assert [row[:2] for row in rows] == [["1", "1"], ["2", "3"], ["3", "0"], ["", "2"], ["", "5"], ["", "4"]]
    assert rows[0][2:9] == ["Complete", "2.1000", "1", "60.0", "16", "3", "0.004"]
    trials = list(search.trials.all())
    for sort, numbers in {
        "seconds": [5, 4, 2, 3, 0, 1],
        "-seconds": [1, 0, 3, 2, 5, 4],
        "bits": [1, 3, 0, 2, 5, 4],
        "-learning_rate": [2, 4, 1, 5, 3, 0],
        "-number": [5, 4, 3, 2, 1, 0],
        "nonsense": [1, 3, 0, 2, 5, 4],
    }.items():
        found = [row.trial.number for row in Table.of(search, trials, sort).rows]
        assert sorted(found) == [0, 1, 2, 3, 4, 5] and found == numbers, sort
    page = client.get(f"/searches/{search.pk}/?sort=seconds").content.decode()
    assert 'aria-sort="ascending"' in page and f'href="/searches/{search.pk}/?sort=-seconds"' in page


def test_csv_has_all_trials_and_no_formula(search: Search) -> None:
    answer = signed_in(search.corpus.owner).get(f"/searches/{search.pk}/trials.csv")  # type: ignore[union-attr]
    assert answer["Content-Disposition"] == 'attachment; filename="posts-trials.csv"'
    head, *rows = csv.reader(io.StringIO(answer.content.decode()))
    assert head[:4] == ["rank", "number", "state", "bits_per_character"] and head[-1] == "error"
    assert rows[0][:4] == ["1", "1", "complete", "2.1"] and len(rows) == len(ROWS)
    assert rows[-1][-1].startswith("'=cmd")


def test_pictures_are_drawn_of_what_was_measured(search: Search) -> None:
    trials = list(search.trials.all())
    history, cost, parallel = (
        pictures.history(trials),
        pictures.cost(search, trials),
        pictures.parallel(search, trials),
    )
    assert history is not None and cost is not None and parallel is not None
    assert [dot.kind for dot in history.dots] == ["complete", "best", "pruned", "complete"]
    # A lower loss is further down, where y is larger.
    assert float(history.dots[1].y) > float(history.dots[3].y) > float(history.dots[0].y)
    # Trial 3 is cheaper than the best, and trial 0 is beaten by it in both.
    assert len(cost.line.split()) == 2
    assert [line.kind for line in parallel.lines][-1] == "best" and len(parallel.lines) == 4
    assert [axis[1] for axis in parallel.axes] == [*search.names, "bits per character"]
    assert pictures.history(trials[:1]) is None and pictures.cost(search, trials[:1]) is None
    german = {"accept-language": "de"}
    page = signed_in(search.corpus.owner).get(f"/searches/{search.pk}/", headers=german)  # type: ignore[union-attr]
    shown = page.content.decode()
    assert table_of(shown)[0][3:9] == ["2,1000", "1", "60,0", "16", "3", "0,004"]
    assert "Versuch 1: 2,1000 (batch_size 16, epochs 3, learning_rate 0,004)" in shown
    labels = re.findall(r"<text [^>]*>([^<]*\d[^<]*)</text>", shown)
    assert "2,5" in labels and "0,02" in labels and not [label for label in labels if "." in label]
    coordinates = [
        place
        for circle in re.findall(r'<circle class="\w+" cx="(\S+)" cy="(\S+)" r="4">', page.content.decode())
        for place in circle
    ]
    assert len(coordinates) == 14 and all(re.fullmatch(r"\d+\.\d", one) for one in coordinates)


def test_the_page_asks_again_only_while_it_runs(search: Search) -> None:
    client = signed_in(search.corpus.owner)  # type: ignore[union-attr]
    path = f"/searches/{search.pk}/"
    assert 'hx-trigger="every 4s"' in client.get(path).content.decode()
    assert client.post(f"{path}stop").status_code == 302
    page = client.get(path).content.decode()
    assert "hx-trigger" not in page and "Stopped" in page and "Resume" in page
    assert client.post(f"{path}resume").status_code == 302
    assert "Running" in client.get(path).content.decode()
    assert client.post(f"{path}add", {"trials": "5"}).status_code == 302
    search.refresh_from_db()
    assert search.wanted == 15
    refused = client.post(f"{path}add", {"trials": "500"})
    shown = refused.content.decode()
    assert refused.status_code == 400 and "at most 500 trials" in shown
    # The page of a refusal has another address, which can't be read again.
    assert f'hx-get="{path}"' in shown and f'href="{path}?sort=seconds"' in shown


def test_each_region_that_scrolls_has_an_id_by_which_it_keeps_its_place(search: Search) -> None:
    page = signed_in(search.corpus.owner).get(f"/searches/{search.pk}/").content.decode()  # type: ignore[union-attr]
    regions = re.findall(r'<div class="scroll"[^>]*tabindex="0"[^>]*>', page.partition('id="use-title"')[0])
    ids = [found[1] for region in regions if (found := re.search(r' id="([\w-]+)"', region))]
    assert len(regions) == len(set(ids)) == 4


def test_a_page_that_shows_all_trials_goes_on_to_do_so(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "SHOWN", 2)
    client, path = signed_in(search.corpus.owner), f"/searches/{search.pk}/"  # type: ignore[union-attr]
    few = client.get(f"{path}?sort=seconds").content.decode()
    assert len(table_of(few)) == 2 and f'href="{path}?sort=seconds&amp;all=1"' in few
    everything = client.get(f"{path}?sort=seconds&all=1").content.decode()
    assert len(table_of(everything)) == len(ROWS) and f'hx-get="{path}?sort=seconds&amp;all=1"' in everything
    assert f'href="{path}?sort=bits&amp;all=1"' in everything


def test_use_this_trains_a_bot(search: Search) -> None:
    client = signed_in(search.corpus.owner)  # type: ignore[union-attr]
    answer = client.post(f"/searches/{search.pk}/use", {"trial": "3", "name": "Third"})
    job = Job.objects.get(kind="fine_tune")
    assert answer["Location"] == f"/jobs/{job.pk}/" and job.arguments["name"] == "Third"
    assert job.arguments["chosen"]["learning_rate"] == 0.002
    refused = client.post(f"/searches/{search.pk}/use", {"trial": "2"})
    assert refused.status_code == 400 and "isn’t complete" in refused.content.decode()


def test_the_page_of_the_posts_leads_to_a_search(corpus: Corpus, base: TrainedModel, alice: User) -> None:
    client = signed_in(alice)
    start = f"/corpora/{corpus.pk}/search"
    assert start in client.get(f"/corpora/{corpus.pk}/").content.decode()
    form = {"start": str(base.pk), "trials": "3", "sampler": "random", "pruner": "none", "at_once": "1", "seed": "7"}
    answer = client.post(start, form | {"space": "[epochs]\nchoices = [1]"})
    search = Search.objects.get()
    assert answer["Location"] == f"/searches/{search.pk}/"
    assert (search.wanted, search.sampler, search.pruner, search.seed) == (3, "random", "none", 7)
    assert search.space == {"epochs": {"choices": [1]}}
    assert f"/searches/{search.pk}/" in client.get(start).content.decode()
    [job] = Job.objects.filter(kind="search")
    assert f"/searches/{search.pk}/" in client.get(f"/jobs/{job.pk}/").content.decode()
    for wrong, sentence in [
        ("[epochs]\nchoices = [99]", "Choose 1 to 10 epochs"),
        ("epochs", "neither JSON nor TOML"),
        ("[units]\nchoices = [1]", "There is no setting units"),
    ]:
        refused = client.post(start, form | {"space": wrong})
        assert refused.status_code == 400 and sentence in refused.content.decode()
    PersonalLimits.objects.create(user=alice, training_minutes_a_day=1)
    refused = client.post(start, form | {"trials": "500"})
    assert refused.status_code == 400 and "You can train for at most 1 minute a day" in refused.content.decode()
    assert Search.objects.count() == 1


def test_a_base_model_goes_by_what_people_call_it(search: Search, corpus: Corpus, base: TrainedModel) -> None:
    client = signed_in(corpus.owner)
    assert base.name == search.start_name == "base"
    form = client.get(f"/corpora/{corpus.pk}/search").content.decode()
    assert f'<option value="{base.pk}">The base model</option>' in form
    for name, sentence in {
        "base": "Each trial starts from the base model.",
        "fluent": "Each trial starts from the fluent base model.",
        "wide": "Each trial starts from the base model wide.",
        "alice/mine": "Each trial starts from alice/mine.",
        "": "Each trial starts from scratch.",
    }.items():
        Search.objects.filter(pk=search.pk).update(start_name=name)
        assert sentence in client.get(f"/searches/{search.pk}/").content.decode()


def test_strangers_the_administrator_and_nobody_see_no_search_of_a_person(
    search: Search, bob: User, admin: User, charlie: Client
) -> None:
    pages = [f"/searches/{search.pk}/", f"/searches/{search.pk}/trials.csv"]
    acts = [f"/searches/{search.pk}/{act}" for act in ("stop", "resume", "delete", "add", "use")]
    for person in (bob, admin):
        client = signed_in(person)
        assert {client.get(page).status_code for page in pages} == {404}
        assert {client.post(act).status_code for act in acts} == {404}
        assert client.get(f"/corpora/{search.corpus_id}/search").status_code == 404
    assert {charlie.get(page).status_code for page in pages} == {302}
    assert {charlie.post(act).status_code for act in acts} == {302}
    assert Search.objects.count() == 1 and Job.objects.get(kind="search").state == "queued"


@pytest.mark.usefixtures("small_network")
def test_administrators_search_for_base_models(
    admin: User, alice: User, bob: User, base: TrainedModel, server: Path, charlie: Client
) -> None:
    start, desk = "/admin/base-models/search", signed_in(admin)
    assert start in desk.get("/admin/base-models/").content.decode()
    form = {
        "name": "wide",
        "learn_from": ["deep/train.txt"],
        "validation": "valid.txt",
        "network": "glr",
        "megabytes": "0.01",
        "trials": "2",
        "space": "[units]\nchoices = [4, 8]\n[batch_size]\nchoices = [8]",
        "sampler": "tpe",
        "pruner": "median",
        "at_once": "1",
    }
    empty = desk.get(start)
    # What the space names has no field of its own.
    assert empty.status_code == 200 and 'name="vocabulary"' not in empty.content.decode()
    answer = desk.post(start, form)
    search = Search.objects.get()
    assert answer["Location"] == f"/searches/{search.pk}/"
    assert (search.owner, search.name, search.settings["budget"]) == (None, "wide", {"megabytes": 0.01})
    refused = desk.post(start, form | {"space": "[wings]\nchoices = [2]"})
    assert refused.status_code == 400 and "There is no setting wings" in refused.content.decode()
    Trial.objects.create(
        search=search, number=0, state="complete", bits_per_character=3.0, weights=500, parameters={"units": 4}
    )
    page = f"/searches/{search.pk}/"
    assert "Make a base model from a trial" in desk.get(page).content.decode()
    # One who may look, but not train.
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename="view_trainedmodel"))
    staff = signed_in(bob)
    assert staff.get(page).status_code == 200 and "Use this" not in staff.get(page).content.decode()
    assert {staff.post(f"{page}{act}").status_code for act in ("stop", "resume", "delete", "add", "use")} == {404}
    assert (staff.get(start).status_code, signed_in(alice).get(page).status_code) == (403, 404)
    assert (signed_in(alice).get(start).status_code, charlie.get(page).status_code) == (403, 302)
    used = desk.post(f"{page}use", {"minutes": "0.5", "name": "mine"})
    job = Job.objects.get(kind="train_base")
    assert used["Location"] == f"/jobs/{job.pk}/"
    assert (job.arguments["network"]["units"], job.arguments["budget"]) == (4, {"minutes": 0.5})
    assert desk.post(f"{page}delete").status_code == 302 and not Search.objects.exists()


def test_the_page_asks_few_questions_however_many_trials(corpus: Corpus, base: TrainedModel) -> None:
    client = signed_in(corpus.owner)
    counts = []
    search = with_rows(search_for(corpus, base, trials=10))
    for times in (1, 40):
        with_rows(search, times)
        with CaptureQueriesContext(connection) as asked:
            page = client.get(f"/searches/{search.pk}/").content.decode()
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 12
    assert len(table_of(page)) == 100 and "Show all 252" in page
    everything = client.get(f"/searches/{search.pk}/?all=1").content.decode()
    assert len(table_of(everything)) == 252
