"""Play "real or bot?": ten posts, five of them real; what people get right is a figure of the bot."""

from __future__ import annotations

import random
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Any, Final, Self

from django.db import transaction
from django.db.models import Count, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.accounts.models import User
from botfactory.words.translation import grouped
from models_app.bots.interval import wilson
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling.mentions import without
from models_app.sharing import permissions
from models_app.sharing.rights import Right
from models_app.writing import asking, generations
from models_app.writing.playing import held_out
from models_app.writing.playing.rows import Game
from tweets.cleaning import personal
from tweets.models import Post

#: How many posts of each kind a game has.
OF_EACH: Final = 5
POSTS: Final = 2 * OF_EACH


class GameError(Exception):
    """No game is possible; the message tells the person why."""

    code = "no_game"


@dataclass(frozen=True, slots=True)
class Shown:
    """A post of a game. `guessed_real`: None before the answer."""

    number: int
    text: str
    is_real: bool
    guessed_real: bool | None

    @property
    def is_right(self) -> bool:
        return self.guessed_real == self.is_real


@dataclass(frozen=True, slots=True)
class ToldApart:
    """How often people told a bot's posts from real ones.

    share: of right answers; error: its standard error, which is 0 for a share of 0 or 1; games: finished ones;
    people: who played them; right: the number of right answers; posts: the number of judged posts; low, high: the
    ends of the share's Wilson score interval at 95 %.
    """

    share: float
    error: float
    games: int
    people: int
    right: int
    posts: int
    low: float
    high: float

    @classmethod
    def of(cls, model: TrainedModel) -> Self | None:
        """Return the figure of the model's finished games, or None if there are none."""
        found = model.games.exclude(right=None).aggregate(
            right=Sum("right"), games=Count("pk"), people=Count("player", distinct=True)
        )
        if not found["games"]:
            return None
        right, posts = found["right"], POSTS * found["games"]
        share = right / posts
        low, high = wilson(right, posts)
        return cls(
            share=share,
            error=sqrt(share * (1 - share) / posts),
            games=found["games"],
            people=found["people"],
            right=right,
            posts=posts,
            low=low,
            high=high,
        )

    @property
    def sentence(self) -> str:
        """Return the figure as a sentence."""
        text = ngettext(
            "People correctly judged %(right)s of %(posts)s posts as real or by the bot, in %(games)s game. Over many "
            "games, they’d probably get between %(low)s%% and %(high)s%% right (95%% confidence). Guessing gets "
            "50%%.",
            "People correctly judged %(right)s of %(posts)s posts as real or by the bot, in %(games)s games. Over many "
            "games, they’d probably get between %(low)s%% and %(high)s%% right (95%% confidence). Guessing gets "
            "50%%.",
            self.games,
        )
        return text % {
            "right": grouped(self.right),
            "posts": grouped(self.posts),
            "games": grouped(self.games),
            # Rounded outwards, so the ends are never the same number.
            "low": floor(100 * self.low),
            "high": ceil(100 * self.high),
        }


def may_play(model: TrainedModel, rights: frozenset[Right]) -> bool:
    """Return whether somebody with these rights on the model may play with it.

    Its owner may. Others may if they can let it write and its owner has opened the game, which shows real posts.
    """
    if Right.CHANGE in rights:
        return True
    return model.is_game_open and could_have_game(model) and Right.WRITE in rights


def could_have_game(model: TrainedModel) -> bool:
    """Return whether the model may have a game, without looking at its posts."""
    return model.owner_id is not None and model.corpus is not None and not model.is_base


def set_open(model: TrainedModel, is_open: bool, *, by: User) -> None:
    """Let others play with the model, or no longer. The audit log records it, since it shows real posts."""
    permissions.allow(model, "is_game_open", is_open, closed="game closed", opened="game open", by=by)


def current(player: User, model: TrainedModel) -> Game | None:
    """Return the game that the person is playing with the model."""
    return Game.objects.filter(player=player, model=model, right=None).first()


def game_for_user(user: User, model: TrainedModel, game_id: uuid.UUID) -> Game:
    """Return the person's game with the model. Raises Game.DoesNotExist for others."""
    return Game.objects.get(pk=game_id, player=user, model=model)


def begin(*, player: User, model: TrainedModel, proceed: Callable[[], None] | None = None) -> Game:
    """Begin a game, or return the one that the person hasn't finished.

    Raises GameError, NoHeldOutPosts, and what `asking.write` raises. Whoever calls this has checked `may_play`.
    """
    if (unfinished := current(player, model)) is not None:
        return unfinished
    real = held_out.posts_of(model, for_owner=model.owner_id == player.pk)
    if len(real) < OF_EACH:
        raise GameError(_("There are too few real posts that the bot hasn’t learned. A game needs five."))
    chance = random.Random(secrets.randbits(64))
    # A few more, because it may repeat itself or write what somebody really wrote.
    sampling = SamplingConfig(count=OF_EACH + 3, max_characters=held_out.LONGEST)
    posts = asking.write(model=model, owner=player, sampling=sampling, proceed=proceed)
    known = {post.text for post in real}
    written = [text for text in dict.fromkeys(posts) if text not in known][:OF_EACH]
    if len(written) < OF_EACH:
        raise GameError(_("The bot couldn’t write five posts for the game. Train it longer, or on more posts."))
    chosen = chance.sample(_unseen(player, model, real), OF_EACH)
    items: list[dict[str, Any]] = [*({"real": post.key} for post in chosen), *({"bot": text} for text in written)]
    chance.shuffle(items)
    with transaction.atomic():
        generations.require_there(model)
        return Game.objects.create(model=model, player=player, items=items)


def _unseen(player: User, model: TrainedModel, real: list[held_out.RealPost]) -> list[held_out.RealPost]:
    """Return the posts that the person hasn't seen in an earlier game, or all if there are too few of those."""
    earlier = Game.objects.filter(player=player, model=model).values_list("items", flat=True)
    seen = {item["real"] for items in earlier for item in items if "real" in item}
    unseen = [post for post in real if post.key not in seen]
    return unseen if len(unseen) >= OF_EACH else real


def answer(game: Game, *, number: int, is_real: bool) -> Game:
    """Answer the post with this number, from 0. Does nothing for one that is answered, or isn't next."""
    with transaction.atomic():
        locked = Game.objects.select_for_update().get(pk=game.pk)
        if number == len(locked.answers) < len(locked.items):
            locked.answers = [*locked.answers, is_real]
            if len(locked.answers) == len(locked.items):
                pairs = zip(locked.items, locked.answers, strict=True)
                locked.right = sum(("real" in item) == guess for item, guess in pairs)
            locked.save(update_fields=["answers", "right"])
    return locked


def _without_names(post: str) -> str:
    """Return the post as a bot might write it: without @names and personal data."""
    return personal.mask(without(post))[0]


def shown(game: Game) -> list[Shown]:
    """Return the posts of the game. A real one that has been deleted since has no text."""
    keys = [item["real"] for item in game.items if "real" in item]
    corpus = game.model.corpus_id
    texts = dict(Post.objects.filter(pk__in=keys, corpus=corpus, dropped="").values_list("pk", "cleaned"))
    guesses = [*game.answers, *[None] * (len(game.items) - len(game.answers))]
    return [
        Shown(
            number=number,
            text=_without_names(texts.get(item["real"], "")) if "real" in item else item["bot"],
            is_real="real" in item,
            guessed_real=guess,
        )
        for number, (item, guess) in enumerate(zip(game.items, guesses, strict=True), 1)
    ]
