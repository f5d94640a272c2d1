"""The newest posts of an account for a program: from a corpus of the caller, or read live from the network."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import F, Q
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.words.translation import translated
from tweets.corpora import amounts, audit, errors, offered, services, whose
from tweets.corpora.budget import MonthlyBudget
from tweets.importing import live_reads
from tweets.models import AuditEntry, Corpus
from tweets.sources import open_source
from tweets.sources.accounts import Account, account_of
from tweets.sources.base import BudgetSpent, NoPosts, RateLimited, SourceError
from tweets.sources.registry import network_of, uploads
from tweets.sources.x.settings import XSettings

#: From a live account: two pages of X, which cost a dollar in 2026.
MAX_LIVE = 200
#: From a corpus.
MAX_HELD = 3_200


def newest_posts(*, user: User, handle: str) -> list[str]:
    """Return the texts of the account's own posts, newest first; none if it hasn't posted.

    They come from the caller's newest corpus that was read from the account or an archive of it. Without one, the
    account is read live, and posts from X count towards X_MONTHLY_POSTS. Raises CorpusError or SourceError with a
    sentence.
    """
    try:
        account = account_of(handle)
    except ValueError as error:
        raise errors.BadHandle(translated(error)) from None
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
    # A text or table beside which somebody typed the account may hold only a few of its posts, or others.
    archives = [kind.name for kind in uploads() if kind.owner_of is not None]
    is_of_account = Q(source=account.network) | Q(network=account.network, source__in=archives)
    corpora = services.corpora_for_user(user).filter(is_of_account, handle__iexact=account.handle)
    return corpora.filter(state=Corpus.State.READY, posts_kept__gt=0).first()


def _held(corpus: Corpus) -> list[str]:
    kept = corpus.posts.filter(dropped="", is_repost=False)
    newest = kept.order_by(F("posted_at").desc(nulls_last=True), "pk")
    return list(newest.values_list("text", flat=True)[:MAX_HELD])


def _read(user: User, account: Account) -> list[str]:
    """Return the posts of the first pages. If a later page fails, keep the earlier ones: they may have cost money."""
    source = open_source(
        account.network,
        handle=account.handle,
        settings=replace(
            offered.settings_for(Corpus(owner=user, source=account.network, handle=account.handle)),
            include_reposts=False,
            max_posts=MAX_LIVE,
            # Somebody is waiting for the answer.
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
    """Return the error in words that fit a request, if those of an import would mislead."""
    if isinstance(error, RateLimited):
        network = network_of(account.network).label
        said = _("%(network)s asks for a pause. Ask again after %(time)s UTC.")
        return RateLimited(said % {"network": network, "time": f"{error.retry_at:%H:%M}"}, error.retry_at)
    own = offered.own_settings(network_of(account.network))
    if not isinstance(error, BudgetSpent) or not isinstance(own, XSettings):
        return error
    if not MonthlyBudget(own.monthly_posts, user).is_personal:
        return BudgetSpent(
            _(
                "This server can read %(posts)s from X a month, and has read all of them. Its administrator can raise "
                "X_MONTHLY_POSTS. Posts that you have imported here are free."
            )
            % {"posts": amounts.posts(own.monthly_posts)}
        )
    return error
