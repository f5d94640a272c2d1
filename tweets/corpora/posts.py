"""The posts of a corpus one by one: find them, remove them by hand, put them back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal

from django.db import transaction
from django.db.models import QuerySet

from botfactory.web.listing import in_any_case
from tweets.cleaning import Drop
from tweets.cleaning.banned import word_finder
from tweets.corpora import idle
from tweets.corpora.report import shifted
from tweets.models import Corpus, Post

Show = Literal["kept", "dropped", "removed", "all"]
#: Posts left out for one of these reasons keep their cleaned text, so no cleaning is needed to put them back.
_BY_HAND = ("", Drop.BANNED.value)


def find(
    corpus: Corpus, *, words: str = "", show: Show = "kept", since: date | None = None, until: date | None = None
) -> QuerySet[Post]:
    """Return the posts whose original text contains these words, in any case, in the order of their source.

    since, until: the first and the last day; posts without a date are on none.
    """
    posts = corpus.posts.order_by("pk")
    if since is not None:
        posts = posts.filter(posted_at__date__gte=since)
    if until is not None:
        posts = posts.filter(posted_at__date__lte=until)
    if show == "kept":
        posts = posts.filter(dropped="")
    elif show == "removed":
        posts = posts.filter(dropped=Drop.REMOVED)
    elif show == "dropped":
        posts = posts.exclude(dropped="").exclude(dropped=Drop.REMOVED)
    words = words.strip()
    return posts.filter(in_any_case("text", words)) if words else posts


def take_out(corpus: Corpus, posts: QuerySet[Post]) -> int:
    """Remove the kept ones among these posts, whatever the rules say, and return how many. Their text stays."""
    with transaction.atomic():
        corpus = idle.lock_idle(corpus)
        found = list(posts.filter(dropped__in=_BY_HAND).values_list("pk", "posted_at", "cleaned", "dropped"))
        _write((pk for pk, *_ in found), is_removed=True, dropped=Drop.REMOVED.value)
        banned = sum(dropped == Drop.BANNED for *_, dropped in found)
        _count(corpus, [(at, text) for _, at, text, dropped in found if not dropped], -1)
        _count_dropped(corpus, {Drop.REMOVED: len(found), Drop.BANNED: -banned})
    return len(found)


def put_back(corpus: Corpus, posts: QuerySet[Post]) -> int:
    """Put the removed ones among these posts back, except those with a banned word, and return how many."""
    with transaction.atomic():
        corpus = idle.lock_idle(corpus)
        is_banned = word_finder(corpus.cleaning_rules.banned_words)
        found = list(posts.filter(dropped=Drop.REMOVED).values_list("pk", "posted_at", "cleaned"))
        banned = {pk for pk, _, text in found if is_banned(text)}
        _write((pk for pk, *_ in found if pk not in banned), is_removed=False, dropped="")
        _write(banned, is_removed=False, dropped=Drop.BANNED.value)
        kept = [(at, text) for pk, at, text in found if pk not in banned]
        _count(corpus, kept, 1)
        _count_dropped(corpus, {Drop.REMOVED: -len(found), Drop.BANNED: len(banned)})
    return len(kept)


def _write(numbers: Iterable[int], *, is_removed: bool, dropped: str) -> None:
    wanted = list(numbers)
    for start in range(0, len(wanted), 500):
        Post.objects.filter(pk__in=wanted[start : start + 500]).update(is_removed=is_removed, dropped=dropped)


def _count(corpus: Corpus, posts: list[tuple[datetime | None, str]], by: int) -> None:
    corpus.posts_kept += by * len(posts)
    corpus.characters += by * sum(len(text) for _, text in posts)
    corpus.report = shifted(corpus.report, posts, by)


def _count_dropped(corpus: Corpus, more: dict[Drop, int]) -> None:
    counts = dict(corpus.dropped)
    for reason, number in more.items():
        counts[reason.value] = counts.get(reason.value, 0) + number
    corpus.dropped = {reason: number for reason, number in sorted(counts.items()) if number > 0}
    corpus.save(update_fields=["posts_kept", "characters", "dropped", "report"])
