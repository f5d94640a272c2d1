"""What posts of X would cost. A person sees and accepts the cost before anything is bought."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from django.core import signing
from django.core.cache import cache
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.accounts.models import User
from botfactory.words.translation import grouped, translated
from tweets.corpora import errors, offered, services
from tweets.corpora.budget import MonthlyBudget
from tweets.models import Corpus
from tweets.sources import SourceError, SourceSettings
from tweets.sources.base import RateLimited
from tweets.sources.kinds import Account
from tweets.sources.x import KIND, look_up
from tweets.sources.x.costs import SMALLEST_PAGE, estimated_cost
from tweets.sources.x.settings import XSettings

#: How long an estimate can be accepted. After that, the account is looked up again.
SECONDS_TO_CONFIRM = 3600
_SALT = "tweets.importing.costs"
_ANSWER_SECONDS = 10.0  # somebody is waiting for the page
_RETRY_DELAYS = (1.0,)


class CannotLookUp(errors.CorpusError):
    """X didn't say how many posts there are. The message says why."""

    code = "cannot_look_up"


@dataclass(frozen=True, slots=True)
class Estimate:
    """At most `bought` posts for about `cost` dollars, including `look_up` dollars for looking up the account.

    `posts` is how many the account has, None if unknown. An import from `cursor` needs no other lookup. `budget_left`
    of the operator's `monthly_posts` are left this month; if it `is_personal`, of the person's own.
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
        """Whether more posts could be bought if this month's budget allowed it."""
        return self.bought == self.budget_left < min(KIND.max_posts, self.posts or KIND.max_posts)

    def __str__(self) -> str:
        """Return the estimate in sentences for the terminal and the API."""
        if self.posts is None:
            said = [_("X doesn’t say how many posts %(account)s has.") % {"account": self.account}]
        else:
            message = ngettext("%(account)s has %(count)s post.", "%(account)s has %(count)s posts.", self.posts)
            said = [message % {"account": self.account, "count": grouped(self.posts)}]
        if self.posts:
            message = ngettext(
                "The import buys %(count)s post for about $%(cost)s.",
                "The import buys %(count)s posts for about $%(cost)s.",
                self.bought,
            )
        else:
            message = ngettext(
                "The import buys at most %(count)s post for about $%(cost)s.",
                "The import buys at most %(count)s posts for about $%(cost)s.",
                self.bought,
            )
        said.append(message % {"count": grouped(self.bought), "cost": f"{self.cost:.2f}"})
        said.append(_("That includes $%(cost)s for looking up the account.") % {"cost": f"{self.look_up:.2f}"})
        if self.is_cut_by_budget:
            message = _("That’s all that is left of this month’s %(limit)s posts (X_MONTHLY_POSTS).")
            said.append(message % {"limit": grouped(self.monthly_posts)})
        return " ".join(said)


def of_account(account: Account, *, owner: User | None = None) -> Estimate:
    """Look the account up (which costs money), and return the estimate for all its posts within `owner`'s limit.

    Raises the CorpusError that says why nothing can be imported from it.
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
            _("X asks for a pause until %(time)s UTC. Nothing was bought. Import %(account)s after that.")
            % {"time": f"{pause.retry_at:%H:%M}", "account": corpus.account}
        ) from pause
    except SourceError as error:
        raise CannotLookUp(translated(error)) from error
    if found.posts == 0:
        raise CannotLookUp(_("%(account)s hasn’t posted anything. Try another account.") % {"account": corpus.account})
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
    """Return what the newer posts of a corpus of X cost at most. X tells how many there are only after the purchase."""
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
    """Return what the confirmation page sends back, so that the account isn't looked up (and paid for) twice."""
    return signing.dumps([str(owner.pk), estimate.account.lower(), estimate.cursor], salt=_SALT)


def confirmed_cursor(value: str, *, owner: User, account: Account) -> str | None:
    """Return the cursor of the estimate that `owner` accepted for this account; None if they didn't, or long ago."""
    try:
        who, asked, cursor = signing.loads(value, salt=_SALT, max_age=SECONDS_TO_CONFIRM)
    except (signing.BadSignature, ValueError):
        return None
    return str(cursor) if (who, asked) == (str(owner.pk), f"@{account.handle}".lower()) else None


def digest_of(confirmation: str) -> str:
    """Return what identifies the result of `signed` in the arguments of the import that was confirmed with it."""
    return hashlib.sha256(confirmation.encode()).hexdigest()


def remember(estimate: Estimate, owner: User) -> None:
    """Keep the estimate for an hour, so that `owner` can accept it by API without another lookup."""
    cache.set(_remembered(owner, estimate.account), estimate.cursor, timeout=SECONDS_TO_CONFIRM)


def remembered_cursor(*, owner: User, account: Account) -> str:
    """Return the cursor of the estimate that was kept for them, or "" without one."""
    return str(cache.get(_remembered(owner, f"@{account.handle}"), ""))


def _remembered(owner: User, account: str) -> str:
    return f"{_SALT}:{owner.pk}:{account.lower()}"


def _budget(settings: SourceSettings) -> tuple[int, int, bool]:
    """Return how many posts are left this month, out of how many, and whether that is the person's own limit.

    Raises CannotLookUp if they are too few for a single page.
    """
    budget = settings.budget
    assert isinstance(budget, MonthlyBudget)
    left = budget.left()
    if left < SMALLEST_PAGE:
        raise CannotLookUp(translated(budget.spent(datetime.now(UTC).date())))
    return left, budget.monthly_posts, budget.is_personal
