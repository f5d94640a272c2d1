"""Clean the rows of a corpus: first read all of them, then judge and count them in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast, Substr

from tweets.cleaning import Cleaned, Cleaner, Drop, Survey
from tweets.corpora.report import Tally
from tweets.corpora.rows import write_outcomes
from tweets.models import Corpus
from tweets.sources import base

CHUNK = 2_000
_LOOK_SHARE = 0.15  # of the time, about

#: Only the month is needed, and a datetime from the database costs more time than the rest of a row.
_MONTH = Substr(Cast("posted_at", TextField()), 1, 7)
_COLUMNS = (
    "pk",
    "text",
    _MONTH,
    "is_repost",
    "is_reply",
    "is_quote",
    "has_warning",
    "is_removed",
    "cleaned",
    "dropped",
)


def clean(corpus: Corpus, fenced: Callable[[], AbstractContextManager[None]] = transaction.atomic) -> Iterator[float]:
    """Give every post its cleaned text or the reason why it was dropped, and the corpus its report.

    Yields the share that is done from time to time. The result depends only on the rules and on the posts in their
    order, not on how often this or the import was interrupted. `fenced` opens the transaction of each write
    (JobHandle.fenced).
    """
    rules = corpus.cleaning_rules
    survey = Survey(rules, corpus.posts_found)
    done = 0
    for texts in _texts(corpus):
        survey.look(texts)
        done += len(texts)
        yield _LOOK_SHARE * min(1.0, done / max(1, corpus.posts_found))
    overview = survey.overview()
    cleaner, tally = Cleaner(rules, overview), Tally(overview)
    done = 0
    for rows in _rows(corpus):
        outcomes = cleaner.clean_all([_post(row) for row in rows])
        changed = []
        for row, outcome in zip(rows, outcomes, strict=True):
            number, _, month, *_, is_removed, cleaned, dropped = row
            before = (cleaned, dropped)
            after = state_of(outcome, is_removed=is_removed)
            tally.add(number, month or "", outcome, after[1])
            if after != before:
                changed.append((*after, number))
        with fenced():
            write_outcomes(changed)
        done += len(rows)
        yield _LOOK_SHARE + (1 - _LOOK_SHARE) * min(1.0, done / max(1, corpus.posts_found))
    # The rows count, whatever the import counted.
    corpus.posts_found = done
    corpus.posts_kept, corpus.characters = tally.kept, tally.characters
    corpus.dropped = dict(sorted(tally.dropped.items()))
    corpus.report = tally.as_json()
    corpus.state = Corpus.State.READY
    with fenced():
        corpus.save(update_fields=["posts_found", "posts_kept", "characters", "dropped", "report", "state"])


def state_of(outcome: Cleaned, *, is_removed: bool) -> tuple[str, str]:
    """Return (cleaned, dropped) for the row. A post that the person removed keeps its text, so it can be put back."""
    if outcome.dropped in (None, Drop.BANNED) and is_removed:
        return outcome.text, Drop.REMOVED.value
    if outcome.dropped is Drop.BANNED:
        return outcome.text, Drop.BANNED.value
    return ("", outcome.dropped.value) if outcome.dropped else (outcome.text, "")


def _texts(corpus: Corpus) -> Iterator[list[str]]:
    last = 0
    while rows := list(corpus.posts.filter(pk__gt=last).order_by("pk").values_list("pk", "text")[:CHUNK]):
        yield [text for _, text in rows]
        last = rows[-1][0]


def _rows(corpus: Corpus) -> Iterator[list[tuple[Any, ...]]]:
    last = 0
    while rows := list(corpus.posts.filter(pk__gt=last).order_by("pk").values_list(*_COLUMNS)[:CHUNK]):
        yield rows
        last = rows[-1][0]


def _post(row: tuple[Any, ...]) -> base.Post:
    _, text, _, is_repost, is_reply, is_quote, has_warning, *_ = row
    return base.Post("", text, None, is_repost, is_reply, is_quote, has_warning)
