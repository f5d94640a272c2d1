"""The newest posts of an account for a program: from a corpus of the caller, else read live from the network."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.db.models import F

from botfactory.accounts.models import User
from botfactory.words import counted
from tweets import audit, errors, live_reads, offered, services, whose
from tweets.budget import MonthlyBudget
from tweets.models import AuditEntry, Corpus
from tweets.sources import open_source
from tweets.sources.accounts import Account, account_of
from tweets.sources.base import BudgetSpent, NoPosts, RateLimited, SourceError
from tweets.sources.registry import network_of

#: Of a live account: two pages of X, a dollar at its price of 2026.
MAX_LIVE = 200
#: From a corpus.
MAX_HELD = 3_200


def newest_posts(*, user: User, handle: str) -> list[str]:
    """Texts of the account's own posts, the newest first; none where it has posted nothing.

    From the newest corpus of the account that is the caller's, as far as it is kept; where there is none, live, and
    what X gives is paid for out of X_MONTHLY_POSTS. Raises CorpusError or SourceError with a sentence.
    """
    try:
        account = account_of(handle)
    except ValueError as error:
        raise errors.BadHandle(str(error)) from None
    whose.require_not_opted_out(account.network, account.handle)
    corpus = _corpus_of(user, account)
    if corpus is None:
        offered.require_offered(account.network)
        texts = live_reads.shared(account, MAX_LIVE, lambda: _read(user, account))
    else:
        texts = _held(corpus)
    about = Corpus(handle=account.handle).account
    audit.record(
        AuditEntry.Action.EXPORT,
        by=user,
        about=f"{about} ({network_of(account.network).label})",
        subject_id=corpus.pk if corpus else None,
        posts=len(texts),
        through="API",
    )
    return texts


def _corpus_of(user: User, account: Account) -> Corpus | None:
    corpora = services.corpora_for_user(user).filter(source=account.network, handle__iexact=account.handle)
    return corpora.filter(state=Corpus.State.READY, posts_kept__gt=0).first()


def _held(corpus: Corpus) -> list[str]:
    kept = corpus.posts.filter(dropped="", is_repost=False)
    newest = kept.order_by(F("posted_at").desc(nulls_last=True), "pk")
    return list(newest.values_list("text", flat=True)[:MAX_HELD])


def _read(user: User, account: Account) -> list[str]:
    """The posts of the first pages. What came before some trouble on a later one is kept: it may have been paid for."""
    source = open_source(
        account.network,
        handle=account.handle,
        settings=replace(
            offered.settings_for(Corpus(owner=user, source=account.network, handle=account.handle)),
            include_reposts=False,
            max_posts=MAX_LIVE,
            # Somebody waits for the answer.
            retry_delays=(0.5,),
            timeout_seconds=10.0,
            total_seconds=20.0,
        ),
    )
    texts: list[str] = []
    try:
        for page in source.pages():
            texts += [post.text for post in page.posts if not post.is_repost and post.text]
    except NoPosts:
        return []
    except SourceError as error:
        said = _said_of_an_answer(error, account, user)
        if not texts:
            raise said from error
        if isinstance(said, RateLimited):
            live_reads.pause(account, said)
    return texts


def _said_of_an_answer(error: SourceError, account: Account, user: User) -> SourceError:
    """The error in the words of a question and its answer, where those of an import would mislead."""
    if isinstance(error, RateLimited):
        network = network_of(account.network).label
        return RateLimited(f"{network} asks for a pause: ask again from {error.retry_at:%H:%M} UTC on.", error.retry_at)
    if isinstance(error, BudgetSpent) and not MonthlyBudget(settings.X_MONTHLY_POSTS, user).is_personal:
        return BudgetSpent(
            f"This server may read {counted(settings.X_MONTHLY_POSTS, 'post')} of X in a month, and those of this "
            "month are used up. Its administrator can raise X_MONTHLY_POSTS; posts that you have brought here are free."
        )
    return error
