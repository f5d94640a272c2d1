"""The timeline of a bot: why a post was written, suggestions, writing on opening, and posts in lists."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botfactory import __version__
from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from models_app.bots import files, guards, loading
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.pages import bot_list, showing
from models_app.sharing import rights as sharing
from models_app.writing import asking, nearest
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.models_app.conftest import untrained
from tweets.corpora import learning
from tweets.corpora import services as corpora
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bot(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    return untrained(corpus, base)


def wrote(model: TrainedModel, owner: User, *posts: str) -> Generation:
    return Generation.objects.create(model=model, owner=owner, posts=list(posts), sampling={"count": 1}, seconds=0.1)


def with_samples(model: TrainedModel, *samples: str) -> TrainedModel:
    model.history = [{"epoch": 1, "validation_loss": 1.0, "samples": list(samples)}]
    model.kept_epoch = 1
    model.save()
    return model


def test_why_names_the_closest_learned_post(bot: TrainedModel, corpus: Corpus, alice: User) -> None:
    learned = learning.training_posts(corpus)[7]
    words = learned.split()
    found = nearest.why(alice, wrote(bot, alice, " ".join([*words[:4], "zzyzx", "qwxz"])), 0)
    assert found.run == 4 and found.percent == 67 and " ".join(words[:4]) in found.learned
    assert nearest.why(alice, wrote(bot, alice, "zzyzx qwxz"), 0) == nearest.Why("zzyzx qwxz")


def test_changed_posts_are_not_mistaken_for_the_learned_ones(bot: TrainedModel, corpus: Corpus, alice: User) -> None:
    written = wrote(bot, alice, learning.training_posts(corpus)[7])
    corpus.posts.filter(pk=corpus.posts.earliest("pk").pk).update(dropped="removed")
    found = nearest.why(alice, written, 0)
    assert found.percent == 100 and found.learned == ""
    assert "have changed since" in signed_in(alice).get(f"/generations/{written.pk}/why?post=0").content.decode()


def test_a_guard_that_was_rebuilt_names_the_same_post(alice: User, base: TrainedModel) -> None:
    posts = make_posts(300, seed=1)
    job = corpora.import_text(owner=alice, text="\n".join([posts[0]] * 6 + posts[1:] + ["zy"]), name="P", run_here=True)
    worker.run_claimed(job)
    corpus = Corpus.objects.get(pk=job.arguments["corpus"])
    bot, learned = untrained(corpus, base), learning.training_posts(corpus)
    assert bot.posts == len(learned) < corpus.posts.count()
    written = wrote(bot, alice, *(" ".join([*post.split()[:5], "zzyzx"]) for post in learned[::20]), "zy")

    def whys() -> list[nearest.Why]:
        loading.forget()
        guards.forget()
        return [nearest.why(alice, written, number) for number in range(len(written.posts))]

    *before, unknown = whys()
    assert all(why.learned for why in before) and unknown == nearest.Why("zy")
    file = files.path_of(bot) / files.FINGERPRINTS
    file.unlink()
    # Nothing that the bot started from has learned what the rules leave out.
    assert whys() == [*before, nearest.Why("zy", 100, 1)]
    # Earlier versions rebuilt guards in the order of all posts.
    CopyGuard.of([post.cleaned or post.text for post in corpus.posts.order_by("pk")]).save(file)
    shown = [(now.learned, then.learned) for now, then in zip(whys(), before, strict=False)]
    assert [now for now, then in shown if now not in ("", then)] == []


def test_the_page_shows_the_learned_post_to_the_owner_alone(
    bot: TrainedModel, corpus: Corpus, alice: User, bob: User
) -> None:
    Corpus.objects.filter(pk=corpus.pk).update(basis="own")
    sharing.share(TrainedModel.objects.get(pk=bot.pk), "public")
    learned = learning.training_posts(corpus)[3]
    new = " ".join([*learned.split()[:3], "zzyzx", "qwxz", "vbrt"])
    pages = {}
    for person in (alice, bob):
        written = wrote(bot, person, new)
        pages[person.username] = signed_in(person).get(f"/generations/{written.pk}/why?post=0").content.decode()
    assert "closest learned post:" in pages["alice"] and 'class="learned"' in pages["alice"]
    assert "Only the bot’s owner" in pages["bob"] and 'class="learned"' not in pages["bob"]


def test_when_sharing_ends_nobody_else_compares_with_the_learned_posts(
    bot: TrainedModel, corpus: Corpus, alice: User, bob: User
) -> None:
    Corpus.objects.filter(pk=corpus.pk).update(basis="own")
    address, guest = f"/generations/{wrote(bot, bob, 'a post').pk}/why", signed_in(bob)
    found = []
    for visibility in ("public", "unlisted", "private"):
        shared = sharing.share(TrainedModel.objects.get(pk=bot.pk), visibility)
        guest.get(shared.get_shared_url() or "/")
        found.append(guest.get(address).status_code)
    assert found == [200, 200, 404]


def test_why_of_the_base_model_says_that_nobody_knows(base: TrainedModel, alice: User) -> None:
    page = signed_in(alice).get(f"/generations/{wrote(base, alice, 'a post').pk}/why?post=0").content.decode()
    assert "We don’t know which posts" in page


def test_a_part_for_the_timeline_is_no_whole_page(bot: TrainedModel, alice: User) -> None:
    address = f"/generations/{wrote(bot, alice, 'a post').pk}/why?post=0"
    part = signed_in(alice).get(address, headers={"HX-Request": "true"}).content.decode()
    assert 'class="why"' in part and "<html" not in part


def test_what_does_not_exist_is_not_found(bot: TrainedModel, alice: User, bob: User) -> None:
    written = wrote(bot, alice, "a post")
    for post in ("1", "-1", "x", "9" * 5000):
        assert signed_in(alice).get(f"/generations/{written.pk}/why?post={post}").status_code == 404
    assert signed_in(bob).get(f"/generations/{written.pk}/why?post=0").status_code == 404
    assert signed_in(alice).get(f"/generations/{uuid.uuid4()}/why?post=0").status_code == 404


def test_suggestions_are_beginnings_that_the_bot_wrote_itself(bot: TrainedModel) -> None:
    samples = ["Today I ran", "Today I sat", "Hi @you", "#tag it is", "5 dogs", "see https://x.example", "Ok"]
    assert sharing.openings_of(with_samples(bot, *samples)) == ["Today I"]


def test_a_phone_has_the_button_that_writes_below_all_posts(bot: TrainedModel, alice: User) -> None:
    page = signed_in(alice).get(bot.get_absolute_url()).content.decode()
    bar = page[page.index("write-bar") :]
    assert bar.index('form="write-form"') < bar.index('href="#write-form"') and f"Bot Factory {__version__}" in page


def test_a_bot_without_posts_writes_when_its_page_opens(
    bot: TrainedModel, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, address = signed_in(alice), f"/models/{bot.pk}/"
    monkeypatch.setattr(asking, "is_free", lambda: False)
    assert "data-opening" not in client.get(address).content.decode()
    monkeypatch.setattr(asking, "is_free", lambda: True)
    assert "data-opening" in client.get(address).content.decode()
    wrote(bot, alice, "a post")
    assert "data-opening" not in client.get(address).content.decode()


def test_a_writer_without_work_is_free(bot: TrainedModel) -> None:
    # The writer of the tests runs in this process.
    assert asking.is_free() is True


def test_a_list_shows_the_last_post_that_the_bot_wrote_for_the_person(
    bot: TrainedModel, alice: User, bob: User
) -> None:
    with_samples(bot, "a sample")
    assert "a sample" in signed_in(alice).get("/models/").content.decode()
    wrote(bot, alice, "an older post")
    wrote(bot, alice, "the newest post", "another")
    wrote(bot, bob, "for somebody else")
    for path in ("/models/", "/"):
        page = signed_in(alice).get(path).content.decode()
        assert "the newest post" in page
        assert not any(text in page for text in ("an older post", "another", "for somebody else", "a sample"))


@pytest.mark.parametrize(
    ("posts", "shown"), [([" @…", "a whole post"], "a whole post"), ([" @…", "thanks @…"], "a sample")]
)
def test_no_list_teases_with_a_post_from_the_time_of_masks(
    bot: TrainedModel, alice: User, posts: list[str], shown: str
) -> None:
    wrote(with_samples(bot, "a sample"), alice, *posts)
    models = showing.with_last_posts(bot_list.find(TrainedModel.objects.filter(pk=bot.pk), alice))
    assert [model.shown_posts for model in models] == [(shown,)]


def test_bots_with_their_last_posts_cost_two_queries_for_any_number(bot: TrainedModel, alice: User) -> None:
    for number in range(3):
        bot.pk, bot.name, bot.job = uuid.uuid4(), f"Copy {number}", None
        bot.save(force_insert=True)
        wrote(bot, alice, "a post")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        models = showing.with_last_posts(bot_list.find(TrainedModel.objects.filter(owner=alice), alice))
    assert len(models) == 4 and len(queries) == 2
    assert [model.shown_posts for model in models].count(("a post",)) == 3


def test_the_front_page_shows_what_an_openly_shared_bot_writes(
    bot: TrainedModel, corpus: Corpus, charlie: Client, settings: Any
) -> None:
    assert "An example that we made up" in charlie.get("/").content.decode()
    Corpus.objects.filter(pk=corpus.pk).update(basis="own")
    sharing.share(with_samples(TrainedModel.objects.get(pk=bot.pk), "The bus was a whale"), "public")
    # Visitors see the gallery only where the administrator opened it.
    assert "The bus was a whale" not in charlie.get("/").content.decode()
    settings.OPEN_GALLERY = True
    page = charlie.get("/").content.decode()
    assert "The bus was a whale" in page and "An example that we made up" not in page


def test_the_gallery_shows_posts(bot: TrainedModel, corpus: Corpus, bob: User) -> None:
    Corpus.objects.filter(pk=corpus.pk).update(basis="own")
    sharing.share(with_samples(TrainedModel.objects.get(pk=bot.pk), "one", "two", "three", "four"), "public")
    page = signed_in(bob).get("/gallery/").content.decode()
    assert all(f">{post}<" in page for post in ("one", "two", "three")) and ">four<" not in page


def test_the_dashboard_says_what_needs_the_person(bot: TrainedModel, alice: User) -> None:
    client = signed_in(alice)
    assert "Needs you" not in client.get("/").content.decode()
    failed = {"state": "failed", "error_message": "The disk is full.", "finished_at": timezone.now()}
    Job.objects.filter(trained_model=bot).update(**failed)
    page = client.get("/").content.decode()
    assert "Needs you" in page and "The disk is full." in page


def test_cards_previews_and_lists_show_posts_without_faults_first(bot: TrainedModel, alice: User) -> None:
    faulty, good, other = "Today I want to say:", "I ran all the way home.", "The kettle sings today."
    with_samples(bot, faulty, good, other)
    assert sharing.samples_of(bot) == [good, other, faulty]
    assert showing.with_samples([bot], 2)[0].shown_posts == (good, other)
    wrote(bot, alice, faulty, other)
    listed = bot_list.with_last_post(TrainedModel.objects.filter(pk=bot.pk), alice)
    assert showing.with_last_posts(listed)[0].shown_posts == (other,)
