"""What posts of X would cost, told before they are bought: only what a person has said Yes to is imported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from django.core import signing
from django.core.cache import cache

from botfactory.accounts.models import User
from botfactory.words import counted
from tweets import errors, offered, services
from tweets.budget import MonthlyBudget
from tweets.models import Corpus
from tweets.sources import SourceError, SourceSettings
from tweets.sources.base import RateLimited
from tweets.sources.kinds import Account
from tweets.sources.x import KIND, look_up
from tweets.sources.x.costs import SMALLEST_PAGE, estimated_cost
from tweets.sources.x.settings import XSettings

#: How long a Yes may take; then the account is looked up, and asked about, again.
SECONDS_TO_CONFIRM = 3600
_SALT = "tweets.costs"
_ANSWER_SECONDS = 10.0  # somebody waits in front of the page
_RETRY_DELAYS = (1.0,)


class CannotLookUp(errors.CorpusError):
    """X did not tell how many posts there are; the message says why."""

    code = "cannot_look_up"


@dataclass(frozen=True, slots=True)
class Estimate:
    """At most `bought` posts for about `cost` dollars, `look_up` dollars for the look-up of the account among them.

    `posts` is how many the account has, None where that is not known. `cursor` is where an import goes on without
    another look-up. `budget_left` of the operator's `monthly_posts` are left this month, or of the person's own where
    that `is_personal`.
    """

    account: str
    posts: int | None
    bought: int
    cost: Decimal
    look_up: Decimal
    budget_left: int
    monthly_posts: int
    is_personal: bool = False
    cursor: str = ""

    @property
    def is_cut_by_budget(self) -> bool:
        """Whether more could be bought if the operator's budget of this month allowed it."""
        return self.bought == self.budget_left < min(KIND.max_posts, self.posts or KIND.max_posts)

    def __str__(self) -> str:
        """Sentences for the terminal."""
        unknown = f"X doesn’t say how many posts {self.account} has."
        said = unknown if self.posts is None else f"{self.account} has {counted(self.posts, 'post')}."
        said += f" Importing it buys {'' if self.posts else 'at most '}{counted(self.bought, 'post')}"
        said += f" for about ${self.cost:.2f}"
        said += f", the look-up of the account (${self.look_up:.2f}) included."
        if self.is_cut_by_budget:
            said += f" More than these are not left of this month's {self.monthly_posts:,} (X_MONTHLY_POSTS)."
        return said


def of_account(account: Account, *, owner: User | None = None) -> Estimate:
    """The estimate for all posts of an account of X, which is looked up (and paid for) once; within `owner`'s limit.

    Raises the CorpusError that says why nothing can be brought of it.
    """
    corpus = Corpus(source=KIND.name, handle=account.handle, owner=owner)
    settings = replace(
        offered.settings_for(corpus), retry_delays=_RETRY_DELAYS, timeout_seconds=_ANSWER_SECONDS, newer_than=None
    )
    left, monthly, is_personal = _budget(settings)
    try:
        found = look_up(account.handle, settings)
    except RateLimited as pause:
        raise CannotLookUp(
            f"X asks for a pause until {pause.retry_at:%H:%M} UTC. Nothing was bought: bring {corpus.account} then."
        ) from pause
    except SourceError as error:
        raise CannotLookUp(str(error)) from error
    if found.posts == 0:
        raise CannotLookUp(f"{corpus.account} has not posted anything. Try another account.")
    bought = min(settings.max_posts, left) if found.reachable is None else found.reachable
    return Estimate(
        account=corpus.account,
        posts=found.posts,
        bought=bought,
        cost=estimated_cost(bought, settings),
        look_up=settings.of(XSettings).user_price,
        budget_left=left,
        monthly_posts=monthly,
        is_personal=is_personal,
        cursor=found.cursor,
    )


def of_newer(corpus: Corpus) -> Estimate:
    """The most that the newer posts of a corpus of X may cost. X tells how many there are only as they are bought."""
    services.require_newer(corpus)
    settings = offered.settings_for(corpus)
    left, monthly, is_personal = _budget(settings)
    bought = min(settings.max_posts, left)
    return Estimate(
        account=corpus.account,
        posts=None,
        bought=bought,
        cost=estimated_cost(bought, settings),
        look_up=settings.of(XSettings).user_price,
        budget_left=left,
        monthly_posts=monthly,
        is_personal=is_personal,
    )


def signed(estimate: Estimate, owner: User) -> str:
    """What the confirmation page sends back, so that the account is not looked up (and paid for) twice."""
    return signing.dumps([str(owner.pk), estimate.account.lower(), estimate.cursor], salt=_SALT)


def confirmed_cursor(value: str, *, owner: User, account: Account) -> str | None:
    """The cursor of the estimate that `owner` said Yes to for this account, None where they have not, or long ago."""
    try:
        who, asked, cursor = signing.loads(value, salt=_SALT, max_age=SECONDS_TO_CONFIRM)
    except (signing.BadSignature, ValueError):
        return None
    return str(cursor) if (who, asked) == (str(owner.pk), f"@{account.handle}".lower()) else None


def remember(estimate: Estimate, owner: User) -> None:
    """For whom no page sends it back: a Yes of `owner` within the hour needs no other look-up."""
    cache.set(_remembered(owner, estimate.account), estimate.cursor, timeout=SECONDS_TO_CONFIRM)


def remembered_cursor(*, owner: User, account: Account) -> str:
    """The cursor of the estimate that was remembered for them, "" where none is."""
    return str(cache.get(_remembered(owner, f"@{account.handle}"), ""))


def _remembered(owner: User, account: str) -> str:
    return f"{_SALT}:{owner.pk}:{account.lower()}"


def _budget(settings: SourceSettings) -> tuple[int, int, bool]:
    """How many posts are left this month, of how many, and whether these are the person's.

    CannotLookUp where they are too few for a single page.
    """
    budget = settings.budget
    assert isinstance(budget, MonthlyBudget)
    left = budget.left()
    if left < SMALLEST_PAGE:
        raise CannotLookUp(budget.spent(datetime.now(UTC).date()))
    return left, budget.monthly_posts, budget.is_personal
