"""What cleaning rules do, shown on real posts: the current rules, and others before they are applied."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from tweets.cleaning import Cleaner, CleaningRules, Survey
from tweets.corpora.clean_corpus import state_of
from tweets.models import Corpus
from tweets.sources import base

#: A trial cleans this many posts, which takes well under a second.
TRIED = 3_000
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Example:
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What one rule did: `kind` is a Change or a Drop, `number` says to how many posts, with a few examples."""

    kind: str
    number: int
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class Difference:
    """A post that other rules would treat differently: its text, or why it is dropped, now and with those rules."""

    text: str
    now: str
    now_dropped: str
    then: str
    then_dropped: str


@dataclass(frozen=True, slots=True)
class Trial:
    looked_at: int
    kept_now: int
    kept_then: int
    differences: int
    shown: list[Difference]


@dataclass(frozen=True, slots=True)
class Shown:
    """The posts of a corpus that its page shows.

    sample: kept posts that are spread evenly over it; drops: why the last cleaning dropped posts, the most frequent
    reason first; changes: what it did to the texts of kept posts.
    """

    sample: list[str]
    drops: list[Effect]
    changes: list[Effect]


def shown(corpus: Corpus, *, sample: int = 12) -> Shown:
    """Return the posts that the page of the corpus shows, by one query."""
    examples = corpus.report.get("examples", {})
    chosen = corpus.report.get("sample", [])[:sample] if corpus.is_ready else []
    wanted = {*chosen, *(number for numbers in examples.values() for number in numbers)}
    rows = {row[0]: row for row in corpus.posts.filter(pk__in=wanted).values_list("pk", "text", "cleaned", "dropped")}

    def effects(counts: dict[str, int]) -> list[Effect]:
        return [
            Effect(kind, count, [Example(*rows[number][1:3]) for number in examples.get(kind, ()) if number in rows])
            for kind, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        ]

    kept = (rows[number] for number in sorted(chosen) if number in rows)
    return Shown(
        sample=[cleaned for _, _, cleaned, dropped in kept if not dropped],
        drops=effects(corpus.dropped),
        changes=effects(corpus.report.get("changes", {})),
    )


def trial(corpus: Corpus, rules: CleaningRules) -> Trial:
    """Return what the rules would do with the first posts of the corpus. Nothing changes."""
    posts = list(corpus.posts.order_by("pk")[:TRIED])
    survey = Survey(rules, len(posts))
    survey.look([post.text for post in posts])
    outcomes = Cleaner(rules, survey.overview()).clean_all(
        [
            base.Post(
                post.key, post.text, post.posted_at, post.is_repost, post.is_reply, post.is_quote, post.has_warning
            )
            for post in posts
        ]
    )
    kept_then, found = 0, []
    for post, outcome in zip(posts, outcomes, strict=True):
        then, then_dropped = state_of(outcome, is_removed=post.is_removed)
        kept_then += not then_dropped
        now = "" if post.dropped else post.cleaned
        then = "" if then_dropped else then
        if (now, post.dropped) != (then, then_dropped):
            found.append(Difference(post.text, now, post.dropped, then, then_dropped))
    return Trial(
        looked_at=len(posts),
        kept_now=sum(not post.dropped for post in posts),
        kept_then=kept_then,
        differences=len(found),
        shown=_mixed(found),
    )


def _mixed(found: list[Difference]) -> list[Difference]:
    """Return a few of the differences, about equally many of each sort."""
    sorts: dict[tuple[str, str], list[Difference]] = {}
    for difference in found:
        sorts.setdefault((difference.now_dropped, difference.then_dropped), []).append(difference)
    return [each for rank in zip_longest(*sorts.values()) for each in rank if each is not None][:SHOWN]
