from __future__ import annotations

import json
import re
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.utils.html import escape

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import files, loading, versions
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.ml.config import MAX_TOP_K
from models_app.ml.sampling.sampler import Sampler
from models_app.sharing import rights
from models_app.training import planning
from models_app.writing.rows import Generation
from models_app.your_data import bots
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.rest.helpers import Program
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLING = {"count": "3", "temperature": "0.8", "top_k": "40", "prompt": "", "seed": "5"}


def test_posts_arrive_as_a_part_of_the_page(alice: User, base: TrainedModel) -> None:
    client = signed_in(alice)
    answer = client.post(f"/models/{base.pk}/generate", SAMPLING, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    generation = Generation.objects.get()
    assert len(generation.posts) == 3 and generation.sampling["seed"] == 5
    assert "<html" not in answer.content.decode()


async def test_posts_are_shown_as_they_are_written(alice: User, base: TrainedModel) -> None:
    client = AsyncClient()
    await client.aforce_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    headers = {"Accept": "application/x-ndjson", "HX-Request": "true"}
    answer: Any = await client.post(f"/models/{base.pk}/generate", SAMPLING, headers=headers)
    assert answer.status_code == 200 and answer["Content-Type"] == "application/x-ndjson"
    text = "".join([piece.decode() async for piece in answer.streaming_content])
    *posts, last = [json.loads(line) for line in text.splitlines()]
    kept = await Generation.objects.aget()
    assert sorted(post["post"] for post in posts) == sorted(kept.posts) and len(posts) == 3
    assert "<html" not in last["generation"]["html"] and f'id="generation-{kept.pk}"' in last["generation"]["html"]
    await sync_to_async(connections.close_all)()


async def test_what_goes_wrong_while_posts_are_written_takes_their_place(
    alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*values: Any, **more: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(Sampler, "draw", broken)
    client = AsyncClient()
    await client.aforce_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    headers = {"Accept": "application/x-ndjson", "HX-Request": "true"}
    answer: Any = await client.post(f"/models/{base.pk}/generate", SAMPLING, headers=headers)
    (line,) = [piece.decode() async for piece in answer.streaming_content]
    shown = json.loads(line)["error"]["html"]
    assert 'role="alert"' in shown and "That didn’t work" in shown and "secret" not in shown
    await sync_to_async(connections.close_all)()


def test_what_cannot_be_written_is_told_before_the_stream(alice: User, base: TrainedModel) -> None:
    headers = {"Accept": "application/x-ndjson", "HX-Request": "true"}
    answer = signed_in(alice).post(f"/models/{base.pk}/generate", {**SAMPLING, "count": "0"}, headers=headers)
    assert answer.status_code == 400 and 'role="alert"' in answer.content.decode()
    assert not Generation.objects.exists()


def test_without_javascript_the_page_comes_back_with_the_posts(alice: User, base: TrainedModel) -> None:
    answer = signed_in(alice).post(f"/models/{base.pk}/generate", {**SAMPLING, "prompt": "Ünï🤖"}, follow=True)
    assert "Ünï🤖" in answer.content.decode()


def test_the_page_offers_the_usual_temperature_and_says_why(alice: User, base: TrainedModel) -> None:
    page = signed_in(alice).get(f"/models/{base.pk}/").content.decode()
    assert 'name="temperature" id="id_temperature" min="0" max="2" step="0.05" value="0.9" data-usual="0.9"' in page
    assert "0.9 sounds most like the real posts" in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": "0"},
        {"count": "101"},
        {"count": "many"},
        {"count": ""},
        {"temperature": "-1"},
        {"temperature": "nan"},
        {"temperature": "inf"},
        {"temperature": "2.1"},
        {"top_k": "-3"},
        {"top_k": str(MAX_TOP_K + 1)},
        {"seed": "-1"},
        {"seed": "x"},
        {"prompt": "x" * 281},
        {"prompt": "x" * 280},
    ],
)
def test_nonsense_is_told_and_writes_nothing(alice: User, base: TrainedModel, wrong: dict[str, str]) -> None:
    client = signed_in(alice)
    for headers in ({"HX-Request": "true"}, {}):
        answer = client.post(f"/models/{base.pk}/generate", {**SAMPLING, **wrong}, headers=headers)
        assert answer.status_code == 400
    assert not Generation.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": "0"},
        {"epochs": "11"},
        {"epochs": "x"},
        {"start": "x"},
        {"name": "n" * 81},
        {"dropout": "1"},
        {"batch_size": "0"},
    ],
)
def test_a_training_asked_for_wrongly_is_not_queued(
    alice: User, base: TrainedModel, corpus: Corpus, wrong: dict[str, str]
) -> None:
    right = {"epochs": "2", "start": str(base.pk), "name": "Bot"}
    assert signed_in(alice).post(f"/corpora/{corpus.pk}/", {**right, **wrong}).status_code == 400
    assert not Job.objects.filter(kind="fine_tune").exists()
    more = {"learning_rate": "0.001", "dropout": "", "seed": "7"}
    assert signed_in(alice).post(f"/corpora/{corpus.pk}/", {**right, **more}).status_code == 302
    arguments = Job.objects.get(kind="fine_tune").arguments
    assert (arguments["epochs"], arguments["seed"], arguments["settings"]) == (2, 7, {"learning_rate": 0.001})


def test_the_page_of_a_training_tells_its_rounds(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    told = []
    for rounds in (1, 2):
        job = planning.fine_tune(owner=alice, corpus=corpus, start=base, epochs=4, settings={"rounds": rounds})
        told.append(" ".join(signed_in(alice).get(f"/jobs/{job.pk}/").content.decode().split()))
    assert "4 epochs, starting from the base model" in told[0] and "Each round" not in told[0]
    assert "4 epochs in 2 rounds, starting from" in told[1] and "Each round starts over" in told[1]


def test_the_form_begins_with_the_epochs_that_fit_the_corpus(alice: User, base: TrainedModel, corpus: Corpus) -> None:
    for characters, epochs in ((50_000, 4), (250_000, 2), (5_000_000, 1)):
        Corpus.objects.filter(pk=corpus.pk).update(characters=characters)
        page = signed_in(alice).get(f"/corpora/{corpus.pk}/").content.decode()
        assert f'<output id="epochs-value" for="id_epochs">{epochs}</output>' in page
        assert f'max="10" step="1" value="{epochs}"' in page


def test_too_few_characters_are_told_on_the_page(alice: User, base: TrainedModel) -> None:
    corpus = import_posts(alice, count=20)
    answer = signed_in(alice).post(f"/corpora/{corpus.pk}/", {"epochs": "2", "start": str(base.pk)})
    assert answer.status_code == 400 and "too few to learn from" in answer.content.decode()


def test_the_corpus_page_works_without_a_base_model_and_says_so(
    alice: User, base: TrainedModel, corpus: Corpus
) -> None:
    (versions.shipped_directory() / "config.json").unlink()
    TrainedModel.objects.all().delete()
    answer = signed_in(alice).get(f"/corpora/{corpus.pk}/")
    assert answer.status_code == 200 and "train_base" in answer.content.decode()


def test_a_model_whose_files_are_gone_says_so(alice: User, model: TrainedModel) -> None:
    import shutil

    shutil.rmtree(files.path_of(model))
    loading._sampler.cache_clear()
    answer = signed_in(alice).post(f"/models/{model.pk}/generate", SAMPLING)
    assert answer.status_code == 400


def test_the_report_card_is_shown_with_its_yardsticks_and_how_it_was_computed(
    alice: User, base: TrainedModel, model: TrainedModel
) -> None:
    page = signed_in(alice).get(f"/models/{model.pk}/").content.decode()
    for words in (
        "Report card",
        "new posts",
        "voice",
        "real words",
        "this bot",
        "real posts",
        "base model",
        "with seed 1",
    ):
        assert words in page
    assert page.count("<progress") >= 8
    share = model.report["told_apart"]["share"]
    assert f"A classifier correctly judged {round(100 * share)} out of 100 posts as real or by the bot." in page
    assert "data-report" not in signed_in(alice).get(f"/models/{base.pk}/").content.decode()


def test_copies_are_shown_beside_the_learned_post_to_the_owner_alone(
    alice: User, bob: User, corpus: Corpus, model: TrainedModel
) -> None:
    post = corpus.posts.filter(dropped="").first()
    assert post is not None
    model.report = {**model.report, "copies": [{"post": post.pk, "share": 0.9, "run": 5}]}
    model.save()
    page = signed_in(alice).get(f"/models/{model.pk}/").content.decode()
    assert escape(post.cleaned) in page and "1 copy without the copy guard" in page and "5 in a row" in page
    # As the base model, everybody can let it write, but not everybody can read the posts it learned from.
    versions.make_base(model, how=BaseChange.How.PROMOTED)
    page = signed_in(bob).get(f"/models/{model.pk}/").content.decode()
    assert escape(post.cleaned) not in page


def test_a_bot_without_a_report_card_says_why(alice: User, model: TrainedModel) -> None:
    TrainedModel.objects.filter(pk=model.pk).update(report={})
    assert (
        "an earlier version of Bot Factory trained it" in signed_in(alice).get(f"/models/{model.pk}/").content.decode()
    )


def test_what_was_kept_is_told_and_its_posts_are_shown(alice: User, model: TrainedModel) -> None:
    model.history = [
        {"epoch": epoch, "train_loss": 2.0, "validation_loss": loss, "samples": [f"Of epoch {epoch}."]}
        for epoch, loss in enumerate((2.0, 1.5, 1.6), start=1)
    ]
    model.kept_epoch, model.interpolation, model.samples = 3, 0.6, ["Of what was kept."]
    model.save()
    page = signed_in(alice).get(f"/models/{model.pk}/").content.decode()
    assert "kept epoch</dt><dd>3 <small>of 3, 60% of the way there</small>" in page
    told = Program(alice).get(f"/models/{model.pk}").json()
    assert (told["kept_epoch"], told["interpolation"]) == (3, 0.6)
    assert rights.samples_of(model) == ["Of what was kept."]
    # Bots of early versions say less.
    facts = bots.describe(model)
    facts["best_epoch"] = facts.pop("kept_epoch")
    del facts["interpolation"]
    brought = bots.read(facts)
    assert (brought.kept_epoch, brought.interpolation) == (3, None)


def test_a_model_is_renamed_and_deleted(alice: User, model: TrainedModel) -> None:
    client = signed_in(alice)
    answer = client.post(f"/models/{model.pk}/rename", {"name": "Another name"})
    assert answer["Location"] == f"/models/{model.pk}/#rename"
    assert "Another name" in client.get(f"/models/{model.pk}/").content.decode()
    for wrong, sentence in (("x" * 81, "1 to 80 characters, but this one has 81"), (" ", "but this one has 0")):
        answer = client.post(f"/models/{model.pk}/rename", {"name": wrong})
        page = answer.content.decode()
        assert answer.status_code == 400 and "<h1>Another name</h1>" in page
        # The page says so above the form, in which what was typed is kept.
        said, form = page.split('id="rename"')[1].split(f'action="/models/{model.pk}/rename#rename"')
        assert "data-form-errors" in said and sentence in said
        assert f'value="{wrong}" required autocomplete="off" aria-invalid="true"' in form
    client.post(f"/models/{model.pk}/delete")
    assert client.get(f"/models/{model.pk}/").status_code == 404
    assert not files.path_of(model).exists()


def test_a_report_card_that_is_being_made_is_asked_for_at_the_models_own_page(alice: User, model: TrainedModel) -> None:
    TrainedModel.objects.filter(pk=model.pk).update(report={})
    Job.objects.filter(trained_model=model).update(state=State.RUNNING)
    client = signed_in(alice)
    page = client.post(f"/models/{model.pk}/rename", {"name": " "}).content.decode()
    [asked] = re.findall(r'data-report hx-get="([^"]+)"', page)
    assert client.get(asked).status_code == 200 and asked == model.get_absolute_url()


def test_posts_are_shown_and_never_run(alice: User, base: TrainedModel) -> None:
    script = "<script>alert(1)</script>"
    answer = signed_in(alice).post(f"/models/{base.pk}/generate", {**SAMPLING, "prompt": script}, follow=True)
    assert script not in answer.content.decode()
    assert "&lt;script&gt;" in answer.content.decode()
