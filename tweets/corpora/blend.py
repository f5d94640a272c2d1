"""A corpus made from several others, each with a weight: its share of the posts. The same parts give the same blend."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.models import Job
from botfactory.words.translatable import Sentence, mark
from tweets.cleaning import CleaningRules, Form, Links
from tweets.corpora import errors, idle, services
from tweets.corpora.rows import insert
from tweets.models import BLEND, Corpus
from tweets.sources import base

MAX_PARTS = 5
MAX_WEIGHT = 100
CHUNK = 2_000
#: The parts are already clean, so a blend drops only duplicates.
RULES = CleaningRules(
    keep_reposts=True,
    keep_replies=True,
    keep_quotes=True,
    keep_warnings=True,
    unescape=False,
    links=Links.KEEP,
    cut_quotes=False,
    drop_via=False,
    drop_cut=False,
    drop_auto=False,
    unicode=Form.KEEP,
    minimum_characters=1,
)


class BadBlend(errors.CorpusError):
    code = "bad_blend"


def parts_for_user(user: Any) -> QuerySet[Corpus]:
    """Return what `user` may blend: their own corpora that are ready, except blends."""
    ready = services.corpora_for_user(user).filter(state=Corpus.State.READY, posts_kept__gt=0)
    return ready.exclude(source=BLEND)


def blend(*, owner: User, weights: Mapping[uuid.UUID, int], name: str = "", run_here: bool = False) -> Job:
    """Create a corpus from the parts with a weight above 0, and queue the job that fills it."""
    wanted = {number: weight for number, weight in weights.items() if weight}
    if not 2 <= len(wanted) <= MAX_PARTS:
        raise BadBlend(
            _("A blend has 2 to %(most)s parts. Give 2 to %(most)s collections a weight above 0.") % {"most": MAX_PARTS}
        )
    if any(not 0 < weight <= MAX_WEIGHT for weight in wanted.values()):
        raise BadBlend(_("A weight is a number from 0 to %(most)s.") % {"most": MAX_WEIGHT})
    parts = list(parts_for_user(owner).filter(pk__in=wanted).order_by("created_at", "pk"))
    if len(parts) != len(wanted):
        raise BadBlend(_("One of these collections is deleted or not ready. Reload the page and choose again."))
    numbers = shares({part.pk: part.posts_kept for part in parts}, wanted)
    corpus = Corpus(owner=owner, source=BLEND, basis=_basis(parts))
    # Personal data that all parts keep on purpose stays.
    corpus.cleaning_rules = replace(RULES, mask_personal=any(part.cleaning_rules.mask_personal for part in parts))
    corpus.name = services.corpus_name(name, " + ".join(part.name for part in parts))
    corpus.parts = [
        {
            "corpus": str(part.pk),
            "name": part.name,
            "source": part.source,
            "handle": part.handle,
            "network": part.network,
            "weight": wanted[part.pk],
            "posts": numbers[part.pk],
        }
        for part in parts
    ]
    return services.submit_new(corpus, run_here=run_here)


def shares(kept: Mapping[uuid.UUID, int], weights: Mapping[uuid.UUID, int]) -> dict[uuid.UUID, int]:
    """Return how many posts each part gives: as many as the weights allow without repeating one, and at least one."""
    most_each = min(kept[number] / weights[number] for number in kept)  # posts for a weight of 1
    return {number: max(1, int(most_each * weights[number] + 1e-9)) for number in kept}


def fill(corpus: Corpus) -> None:
    """Copy the posts, spread evenly over each part, and mark the corpus as complete.

    Raises JobFailed if a part is deleted or its cleaning failed, and ComeBackLater while one is being cleaned.
    """
    with transaction.atomic():
        parts = _locked_parts(corpus)
        for place, described in enumerate(corpus.parts):
            part = parts[described["corpus"]]
            kept = list(part.posts.filter(dropped="").order_by("pk").values_list("pk", flat=True))
            number = min(described["posts"], len(kept))
            chosen = [kept[index * len(kept) // number] for index in range(number)]
            for start in range(0, number, CHUNK):
                rows = part.posts.filter(pk__in=chosen[start : start + CHUNK]).order_by("pk")
                corpus.posts_found += insert(
                    corpus,
                    [
                        base.Post(f"{place}-{pk}", text, posted_at)
                        for pk, text, posted_at in rows.values_list("pk", "cleaned", "posted_at")
                    ],
                )
        corpus.is_complete = True
        corpus.save(update_fields=["posts_found", "is_complete"])


def _locked_parts(corpus: Corpus) -> dict[str, Corpus]:
    """Lock the parts until the transaction ends, and return them by their id."""
    found = {}
    # Every blend locks in the same order.
    for described in sorted(corpus.parts, key=lambda described: str(described["corpus"])):
        part = Corpus.objects.filter(pk=described["corpus"], owner=corpus.owner).first()
        if part is None:
            why = mark("%(name)s has been deleted. Make a new blend from the other collections.")
            raise JobFailed(BadBlend.code, Sentence(why, name=described["name"]))
        try:
            found[described["corpus"]] = idle.lock_when_ready(part)
        except JobFailed as failure:
            raise JobFailed(BadBlend.code, failure.said) from failure
    return found


def _basis(parts: list[Corpus]) -> str:
    """Return the weakest basis of the parts."""
    found = {part.basis for part in parts}
    return next(
        basis for basis in ("", Corpus.Basis.PUBLIC, Corpus.Basis.PERMISSION, Corpus.Basis.OWN) if basis in found
    )
