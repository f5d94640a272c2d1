"""Held-out posts on the report card: for the owner's eyes only."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.ml.evaluation.surprise import words_of
from models_app.sharing import rights as sharing
from models_app.training import report_cards, surprises
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import train
from tests.models_app.shared_bot import make_bot
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def read(corpus: Corpus, model: TrainedModel) -> TrainedModel:
    """The bot of alice with three posts of this corpus on its card."""
    posts = corpus.posts.filter(dropped="").order_by("pk")[:3]
    model.report["surprise"] = [
        {"post": post.pk, "base": [9.5] * len(words_of(post.cleaned)), "bot": [2.0] * len(words_of(post.cleaned))}
        for post in posts
    ]
    model.save()
    return model


def shown_to(user: User, model: TrainedModel) -> list[surprises.Surprising]:
    return surprises.shown(model, report_cards.card_posts_for_user(user, model))


def test_a_card_keeps_the_bits_of_held_out_posts_but_not_their_text(corpus: Corpus, base: TrainedModel) -> None:
    model = TrainedModel.objects.get(job=train(corpus, base))
    stored = model.report["surprise"]
    posts = [corpus.posts.get(pk=post["post"]).cleaned for post in stored]
    assert len(posts) == 3 and not any(post in str(model.report) for post in posts)
    shown = shown_to(corpus.owner, model)
    for text, post in zip(posts, shown, strict=True):
        for reading in post.readings:
            assert " ".join(word.text for word in reading.words) == " ".join(text.split())
            assert reading.bits == pytest.approx(sum(word.bits for word in reading.words), abs=len(reading.words))
    by_base, by_bot = (sum(post.readings[place].bits for post in shown) for place in (0, 1))
    assert by_bot < by_base


def test_its_owner_sees_them_and_nobody_else_does(
    alice: User, bob: User, admin: User, corpus: Corpus, read: TrainedModel
) -> None:
    model = read
    text = corpus.posts.get(pk=model.report["surprise"][0]["post"]).cleaned.split()[0]
    own = signed_in(alice).get(model.get_absolute_url()).content.decode()
    assert "What surprises it" in own and f">{text}<small>" in own.replace("&#x27;", "'")
    Corpus.objects.filter(pk=corpus.pk).update(basis="own")
    sharing.share(TrainedModel.objects.get(pk=model.pk), "public")
    for stranger in (bob, admin):
        assert signed_in(stranger).get(model.get_absolute_url()).status_code == 404
        shared = signed_in(stranger).get(f"/gallery/{model.pk}/")
        assert shared.status_code == 200 and "surprise" not in shared.content.decode()
        assert "surprise" not in signed_in(stranger).get(f"/api/v1/gallery/{model.pk}").content.decode()
    assert "surprise" not in (sharing.figures_of(model) or {})
    told = signed_in(alice).get(f"/api/v1/models/{model.pk}").json()
    assert told["report"]["surprise"] == model.report["surprise"]


def test_not_even_a_bot_that_is_the_base_model_tells_others(
    alice: User, bob: User, read: TrainedModel, corpus: Corpus
) -> None:
    model = read
    TrainedModel.objects.filter(is_base=True, tier=model.tier).update(is_base=False)
    TrainedModel.objects.filter(pk=model.pk).update(is_base=True)
    told = signed_in(bob).get(f"/api/v1/models/{model.pk}").json()["report"]
    assert "bits_per_character" in told and "surprise" not in told
    page = signed_in(bob).get(model.get_absolute_url())
    assert page.status_code == 200 and page.context["surprises"] == []


def test_a_post_that_has_changed_or_is_gone_is_not_shown(alice: User, corpus: Corpus, read: TrainedModel) -> None:
    model = read
    first, second, _ = (post["post"] for post in model.report["surprise"])
    corpus.posts.filter(pk=first).delete()
    corpus.posts.filter(pk=second).update(cleaned="other words")
    assert len(shown_to(alice, model)) == 1
    corpus.delete()
    assert shown_to(alice, TrainedModel.objects.get(pk=model.pk)) == []


def test_a_card_of_an_earlier_version_lacks_them_until_it_is_made_again(
    alice: User, corpus: Corpus, model: TrainedModel
) -> None:
    from botfactory.jobs import worker

    kept = [post["bot"] for post in model.report.pop("surprise")]
    model.save()
    page = signed_in(alice).get(model.get_absolute_url())
    assert page.status_code == 200 and "What surprises it" not in page.content.decode()
    report_cards.remake(model, by=alice)
    worker.run_next("train")
    model.refresh_from_db()
    assert [post["bot"] for post in model.report["surprise"]] == [pytest.approx(bits, abs=0.1) for bits in kept]
    assert len(shown_to(alice, model)) == 3


def test_the_page_asks_at_most_twelve_questions(alice: User, base: TrainedModel, read: TrainedModel) -> None:
    read.report["copies"] = [{"post": read.report["surprise"][0]["post"], "share": 0.9, "run": 5}]
    read.save()
    Generation.objects.create(model=read, owner=alice, posts=["Hello."], seconds=1)
    make_bot(Corpus.objects.get(owner=alice), base, "Further", read)
    client = signed_in(alice)
    with CaptureQueriesContext(connection) as asked:
        page = client.get(read.get_absolute_url())
    assert page.context["surprises"] and page.context["copies"][0]["text"] and page.context["generation"]
    assert len(asked) <= 12
