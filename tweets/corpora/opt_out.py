"""Handles that nobody may make a bot of: the operator's list, and the deletion of everything connected to them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from tweets.corpora import amounts, audit, deletion, made_from, whose
from tweets.models import BLEND, AuditEntry, Corpus, OptOut


@dataclass(frozen=True, slots=True)
class Losses:
    """What an opt-out deletes, or has deleted. `made` counts what was made from the corpora, by its plural noun."""

    corpora: int
    posts: int
    made: dict[str, int]

    def __str__(self) -> str:
        counts = {_("corpora"): self.corpora, _("posts"): self.posts, **self.made}
        return ", ".join(f"{name}: {amounts.grouped(number)}" for name, number in counts.items())


def corpora_of(network: str, handle: str) -> QuerySet[Corpus]:
    """Return all people's corpora of the account, and the blends that contain posts of it."""
    blends = [
        number
        for number, parts in Corpus.objects.filter(source=BLEND).values_list("pk", "parts")
        if (network, handle.lower()) in whose.accounts_in(parts)
    ]
    of_account = Q(Q(network=network) | Q(source=network), handle__iexact=handle)
    return Corpus.objects.filter(of_account | Q(pk__in=blends)).select_related("owner")


def losses(network: str, handle: str) -> Losses:
    """Return what an opt-out of this handle would delete."""
    corpora = corpora_of(network, handle)
    numbers = list(corpora.values_list("pk", flat=True))
    posts = corpora.aggregate(posts=Sum("posts_found"))["posts"] or 0
    return Losses(corpora=len(numbers), posts=posts, made=made_from.count(numbers, (network, handle)))


def add(*, network: str, handle: str, note: str = "", by: User) -> Losses:
    """Put the handle on the list, and delete its corpora, what was made from them, their jobs and files."""
    entry = OptOut.objects.create(network=network, handle=handle.lower(), note=note, by=by)
    return enforce(entry, by=by)


def enforce(entry: OptOut, *, by: User) -> Losses:
    """Delete everything connected to the handle. If this is interrupted, it can be repeated."""
    corpora = list(corpora_of(entry.network, entry.handle))
    numbers = [corpus.pk for corpus in corpora]
    # Jobs first: a running training must not leave a model behind.
    jobs.delete_jobs(deletion.jobs_of(numbers), with_subject=True)
    made = made_from.delete(numbers, (entry.network, entry.handle), by=by)
    posts = sum(deletion.delete_corpus(corpus, by=by).posts for corpus in corpora)
    gone = Losses(corpora=len(corpora), posts=posts, made=made)
    audit.record(
        AuditEntry.Action.OPT_OUT,
        by=by,
        about=f"{entry.account} ({entry.get_network_display()})",
        note=entry.note,
        corpora=gone.corpora,
        posts=gone.posts,
        made=made,
    )
    return gone


def take_off(entry: OptOut, *, by: User) -> None:
    """Take the handle off the list. What was deleted stays deleted."""
    audit.record(
        AuditEntry.Action.OPT_OUT, by=by, about=f"{entry.account} ({entry.get_network_display()})", taken_off=True
    )
    entry.delete()
