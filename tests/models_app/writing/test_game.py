"""The guessing game: which posts it shows, to whom, and what it adds to the report card."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from models_app.bots import files, interval, registry
from models_app.bots.rows import TrainedModel
from models_app.ml.training import dataset
from models_app.sharing import rights as sharing
from models_app.training import estimates
from models_app.writing import asking
from models_app.writing.playing import held_out
from models_app.writing.playing import services as playing
from models_app.writing.playing.rows import Game
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import untrained
from tests.rest.helpers import Program
from tweets.corpora import learning
from tweets.models import AuditEntry, Corpus, Post

pytestmark = pytest.mark.django_db(transaction=True)

SEED = 5


@pytest.fixture
def bot(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    Corpus.objects.filter(pk=corpus.pk).update(handle="town.example", basis="public")
    TrainedModel.objects.filter(pk=untrained(corpus, base).pk).update(training={"seed": SEED})
    return TrainedModel.objects.get(corpus=corpus)


def learned_and_held_out(bot: TrainedModel) -> tuple[set[str], set[str]]:
    assert bot.corpus is not None
    posts = learning.training_posts(bot.corpus)
    learned, held = dataset.split(posts, validation_share=estimates.VALIDATION_SHARE, seed=SEED)
    return set(learned), set(held)


def played(client: Client, path: str, guess: str | None = None) -> str:
    """Play a game, by the same guess each time, or right each time. Return the page of the result."""
    page = client.post(path, follow=True).content.decode()
    for number in range(playing.POSTS):
        game = Game.objects.get(right=None)
        right = "real" if "real" in game.items[number] else "bot"
        body = {"game": str(game.pk), "number": str(number), "guess": guess or right}
        page = client.post(path, body, follow=True).content.decode()
    return page


def test_its_real_posts_were_never_learned(bot: TrainedModel) -> None:
    learned, held = learned_and_held_out(bot)
    posts = held_out.posts_of(bot, for_owner=True)
    assert {post.text for post in posts} <= held and len(posts) > 20
    assert not {post.text for post in posts} & learned
    assert {Post.objects.get(pk=post.key).cleaned for post in posts} == {post.text for post in posts}


def test_an_instant_bot_has_never_seen_what_its_context_lacks(bot: TrainedModel) -> None:
    assert bot.corpus is not None
    posts = learning.training_posts(bot.corpus)
    files.save_context(files.path_of(bot), posts[:200])
    bot.training = {"kind": "instant"}
    shown = {post.text for post in held_out.posts_of(bot, for_owner=True)}
    assert shown <= set(posts[200:]) - set(posts[:200]) and len(shown) > 50


def test_a_post_that_a_parent_learned_is_not_held_out(bot: TrainedModel) -> None:
    # As if it had started from another bot of the same posts.
    further = TrainedModel.objects.get(pk=bot.pk)
    further.parent = bot
    assert held_out.posts_of(further, for_owner=True) == held_out.posts_of(bot, for_owner=True)
    bot.training = {"seed": SEED + 1}
    of_parent = {post.text for post in held_out.posts_of(bot, for_owner=True)}
    both = {post.text for post in held_out.posts_of(further, for_owner=True)}
    assert both == of_parent & learned_and_held_out(further)[1] and both < of_parent
    # The guard of a parent that learned other posts knows these, too.
    bot.corpus = None
    assert held_out.posts_of(further, for_owner=True) == []


def test_others_see_a_fixed_few(bot: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "MAX_FOR_OTHERS", 6)
    few = held_out.posts_of(bot, for_owner=False)
    assert len(few) == 6 and few == held_out.posts_of(bot, for_owner=False)


def test_taking_a_post_out_shows_others_one_more_at_most(bot: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "MAX_FOR_OTHERS", 6)
    assert bot.corpus is not None
    files.save_context(files.path_of(bot), learning.training_posts(bot.corpus)[:200])
    bot.training = {"kind": "instant"}
    before = {post.key for post in held_out.posts_of(bot, for_owner=False)}
    gone = max(before)
    bot.corpus.posts.filter(pk=gone).delete()
    after = {post.key for post in held_out.posts_of(bot, for_owner=False)}
    assert len(after) == 6 and before - after == {gone}


def test_without_names_personal_data_and_banned_phrases(bot: TrainedModel) -> None:
    shown = held_out.posts_of(bot, for_owner=True)
    named, secret = (Post.objects.get(pk=post.key) for post in shown[:2])
    length = [len(post.cleaned) for post in (named, secret)]
    named.cleaned = "@somebody said so".ljust(length[0], "!")
    secret.cleaned = "write to me@mine.example".ljust(length[1], "!")
    for post in (named, secret):
        post.save()
    Corpus.objects.update(rules={"mask_personal": False})
    changed = TrainedModel.objects.get(pk=bot.pk)
    extra = len(named.cleaned) + len(secret.cleaned) - sum(length)
    TrainedModel.objects.filter(pk=bot.pk).update(characters=changed.characters + extra)
    found = {post.key: post.text for post in held_out.posts_of(TrainedModel.objects.get(pk=bot.pk), for_owner=True)}
    assert found[named.pk].startswith("said so") and secret.pk not in found


@pytest.mark.parametrize("what", ["changed", "deleted", "parent"])
def test_where_nobody_knows_what_was_held_out_there_is_no_game(bot: TrainedModel, alice: User, what: str) -> None:
    if what == "changed":
        Post.objects.filter(pk=Post.objects.earliest("pk").pk).update(dropped="removed")
    elif what == "deleted":
        TrainedModel.objects.filter(pk=bot.pk).update(corpus=None)
    else:
        TrainedModel.objects.filter(pk=bot.pk).update(parent=None, parent_name="alice/deleted")
    answer = signed_in(alice).post(f"/models/{bot.pk}/game")
    assert answer.status_code == 400 and 'role="alert"' in answer.content.decode()
    assert not Game.objects.exists()


def test_a_game_from_the_first_post_to_the_figure(bot: TrainedModel, alice: User) -> None:
    client, path = signed_in(alice), f"/models/{bot.pk}/game"
    page = played(client, path)
    game = Game.objects.get()
    assert game.right == 10 and sum("real" in item for item in game.items) == 5
    assert "10 of 10 posts as real or by the bot, in 1 game. " in page and "between 72% and 100% right" in page
    assert "10 of 10</h1>" in page and "🟩" * 10 in page and page.count("you were right") == 10
    # What the bot wrote for the game doesn't mix with what it wrote for the person.
    assert not Generation.objects.exists()
    page = played(client, path, guess="bot")
    assert "5 of 10" in page and page.count("you were wrong") == 5
    figure = playing.ToldApart.of(bot)
    assert figure is not None and (figure.share, figure.games, figure.people) == (0.75, 2, 1)
    sentence = (
        "People correctly judged 15 of 20 posts as real or by the bot, in 2 games. Over many games, they’d probably "
        "get between 53% and 89% right (95% confidence). Guessing gets 50%."
    )
    assert sentence in client.get(f"/models/{bot.pk}/").content.decode()
    told = Program(alice).get(f"/models/{bot.pk}").json()["told_apart_by_people"]
    assert (told.pop("error"), told.pop("low"), told.pop("high")) == pytest.approx((0.0968, 0.5313, 0.8881), abs=1e-4)
    assert told == {"share": 0.75, "games": 2, "people": 1, "right": 15, "posts": 20}
    # The second game had other real posts than the first.
    first, second = ({item.get("real") for item in each.items} - {None} for each in Game.objects.all())
    assert not first & second


@pytest.mark.parametrize(
    ("right", "posts", "low", "high"),
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (1, 1, 0.2065, 1.0)],
)
def test_few_answers_leave_a_wide_interval(right: int, posts: int, low: float, high: float) -> None:
    assert interval.wilson(right, posts) == pytest.approx((low, high), abs=1e-4)


def test_an_interval_stays_within_its_share_and_nothing_to_everything() -> None:
    for posts in range(1, 200):
        found = [interval.wilson(right, posts) for right in range(posts + 1)]
        assert all(0 <= low <= right / posts <= high <= 1 and low < high for right, (low, high) in enumerate(found))


def test_all_wrong_is_no_certainty_either(bot: TrainedModel, alice: User) -> None:
    Game.objects.create(model=bot, player=alice, answers=[True] * 10, right=0)
    figure = playing.ToldApart.of(bot)
    assert figure is not None and (figure.share, figure.error) == (0, 0)
    assert "0 of 10 posts" in figure.sentence and "between 0% and 28% right" in figure.sentence


def test_a_page_of_a_game_gives_nothing_away(bot: TrainedModel, alice: User) -> None:
    client, path = signed_in(alice), f"/models/{bot.pk}/game"
    page = client.post(path, follow=True).content.decode()
    game = Game.objects.get()
    first, *others = playing.shown(game)
    real = [post.text for post in others if post.is_real]
    assert "Post 1 of 10" in page and not any(text in page for text in real)
    assert first.guessed_real is None and "the last one" not in page
    # Reloading, or beginning again, goes on with the same game.
    assert "Post 1 of 10" in client.get(path).content.decode()
    client.post(path)
    assert Game.objects.count() == 1
    # An answer that is sent twice counts once, and none can be skipped.
    for number in ("0", "0", "5", "-1"):
        client.post(path, {"game": str(game.pk), "number": number, "guess": "real"})
    game.refresh_from_db()
    assert game.answers == [True]
    assert ">1 of 10 posts answered<" in client.get(path).content.decode()
    for nonsense in ({"game": "x"}, {"number": "x"}):
        body = {"game": str(game.pk), "number": "1", "guess": "bot", **nonsense}
        assert client.post(path, body).status_code == 404


def test_others_play_only_if_the_owner_allows_it(
    bot: TrainedModel, alice: User, bob: User, admin: User, charlie: Client
) -> None:
    owner, guest = signed_in(alice), signed_in(bob)
    sharing.share(bot, "public")
    shared, page = f"/gallery/{bot.pk}/game", f"/gallery/{bot.pk}/"
    for client in (guest, signed_in(admin)):
        assert client.get(shared).status_code == 404 and client.post(shared).status_code == 404
        assert client.get(f"/models/{bot.pk}/game").status_code == 404
    assert shared not in guest.get(page).content.decode()
    assert guest.post(f"/models/{bot.pk}/game/open", {"open": "yes"}).status_code == 404
    owner.post(f"/models/{bot.pk}/game/open", {"open": "yes"})
    assert AuditEntry.objects.filter(action="share", details__after="game open").count() == 1
    assert shared in guest.get(page).content.decode() and charlie.get(shared).status_code == 302
    result = played(guest, shared)
    assert f"http://testserver{shared}" in result
    assert "10 of 10 posts" in guest.get(shared).content.decode()
    told = Program(bob).get(f"/gallery/{bot.pk}").json()["told_apart_by_people"]
    assert (told["right"], told["posts"]) == (10, 10)
    assert (told["low"], told["high"]) == pytest.approx((0.7225, 1), abs=1e-4)
    # Nobody sees somebody else's game.
    game = Game.objects.get()
    assert "The ten posts" not in owner.get(f"/models/{bot.pk}/game?game={game.pk}").content.decode()
    owner.post(f"/models/{bot.pk}/game/open")
    assert guest.get(shared).status_code == 404
    owner.post(f"/models/{bot.pk}/game/open", {"open": "yes"})
    sharing.share(TrainedModel.objects.get(pk=bot.pk), "private")
    assert guest.get(shared).status_code == 404


def test_a_bot_that_is_shared_by_link_is_played_by_link(bot: TrainedModel, alice: User, bob: User) -> None:
    playing.set_open(bot, True, by=alice)
    sharing.share(bot, "unlisted")
    guest = signed_in(bob)
    assert guest.get(f"/gallery/{bot.pk}/game").status_code == 404
    assert guest.get(f"/shared/{bot.link}/game").status_code == 200


def test_a_deleted_post_is_gone_from_games_too_and_games_go_with_the_bot(bot: TrainedModel, alice: User) -> None:
    signed_in(alice).post(f"/models/{bot.pk}/game")
    game = Game.objects.get()
    key = next(item["real"] for item in game.items if "real" in item)
    Post.objects.filter(pk=key).delete()
    assert [post.text for post in playing.shown(game)].count("") == 1
    registry.delete(bot)
    assert not Game.objects.exists()


def test_a_bot_that_is_deleted_while_it_writes_has_no_game(
    bot: TrainedModel, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = asking.write

    def written(**asked: Any) -> list[str]:
        posts = write(**asked)
        registry.delete(bot)
        return posts

    monkeypatch.setattr(asking, "write", written)
    number = bot.pk
    page = signed_in(alice).post(f"/models/{number}/game")
    assert page.status_code == 400 and "This bot has just been deleted." in page.content.decode()
    assert not Game.objects.exists()
