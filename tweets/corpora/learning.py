"""What bots learn: the posts of a corpus, and whether they are enough."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import F
from django.db.models.expressions import OrderBy
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tweets.cleaning.personal import mask
from tweets.corpora import amounts, idle
from tweets.corpora import report as reports
from tweets.corpora.errors import CorpusTooSmall
from tweets.models import MIN_CHARACTERS, Corpus

#: With fewer, a model learns little of a voice, so the page warns.
FEW_CHARACTERS = 40_000


def too_small_sentence(corpus: Corpus) -> str:
    """Return why no model can be trained on so few characters, and what to do."""
    few = ngettext(
        "%(number)s character is too little to learn from.",
        "%(number)s characters are too few to learn from.",
        corpus.characters,
    )
    needed = _(
        "You need at least %(characters)s characters, which is about %(posts)s posts. Import more posts, or keep "
        "replies if most of your posts are replies."
    )
    return " ".join(
        (
            few % {"number": amounts.grouped(corpus.characters)},
            needed % {"characters": amounts.grouped(MIN_CHARACTERS), "posts": MIN_CHARACTERS // 80},
        )
    )


def require_enough(corpus: Corpus) -> None:
    """Return if a model can be trained on the corpus; else raise the CorpusError that says why not."""
    idle.require_ready(corpus)
    if corpus.is_too_small:
        raise CorpusTooSmall(too_small_sentence(corpus))


def training_posts(corpus: Corpus) -> list[str]:
    """Return the cleaned posts that bots learn from, in a fixed order.

    Masks personal data, unless the rules say otherwise, in posts that were cleaned before there was that rule.
    """
    return list(_to_learn(corpus, "pk"))


def newest_training_posts(corpus: Corpus) -> Iterator[str]:
    """Yield what `training_posts` returns, newest first; posts without a date come last."""
    return _to_learn(corpus, F("posted_at").desc(nulls_last=True), "-pk")


def oldest_training_posts(corpus: Corpus) -> list[str]:
    """Return what `training_posts` returns, oldest first; posts without a date come first."""
    return list(_to_learn(corpus, F("posted_at").asc(nulls_first=True), "pk"))


def _to_learn(corpus: Corpus, *order: str | OrderBy) -> Iterator[str]:
    posts = corpus.posts.filter(dropped="").order_by(*order).values_list("cleaned", flat=True).iterator(chunk_size=2000)
    if corpus.cleaning_rules.mask_personal and not reports.is_looked_through(corpus.report):
        return (mask(post)[0] for post in posts)
    return posts


def all_posts(corpus: Corpus) -> list[str]:
    """Return what `training_posts` returns, followed by the posts that the rules leave out.

    Those are cleaned if possible, else as their source had them.
    """
    left_out = corpus.posts.exclude(dropped="").order_by("pk").values_list("cleaned", "text")
    return [*training_posts(corpus), *(cleaned or text for cleaned, text in left_out)]
