"""How many posts this server has bought from X in each month, out of the X_MONTHLY_POSTS that its operator pays for."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from botfactory.accounts import limits, meters
from botfactory.accounts.models import User
from botfactory.words.plurals import counted
from tweets.sources.x.budget import spent_sentence

#: The limit of a person for posts bought from X.
X_POSTS = "x_posts_a_month"


class XMonth(models.Model):
    """The posts bought in a month, including those reserved for a page that is being read."""

    month = models.CharField(max_length=7, unique=True)  # "2026-11", in UTC, as X bills
    posts = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "tweets"
        ordering = ["-month"]
        verbose_name = _("month of X")
        verbose_name_plural = _("months of X")

    def __str__(self) -> str:
        return f"{self.month}: {counted(self.posts, 'post')}"


class MonthlyBudget:
    """A `sources.budget.Budget` in the database. Each step is one conditional UPDATE, so imports can run side by side.

    Posts bought for `owner` also count for that person. If `is_limited`, their own limit holds too.
    """

    def __init__(self, monthly_posts: int, owner: User | None = None, *, is_limited: bool = True) -> None:
        self._server_posts = monthly_posts
        self._owner = owner
        self._own_posts = limits.limits_of(owner).x_posts_a_month if owner is not None and is_limited else None
        self._month = ""

    @property
    def is_personal(self) -> bool:
        """Whether the person reaches their own limit before the server's."""
        own = self._left_of_own()
        return own is not None and own < self._left_of_server()

    @property
    def monthly_posts(self) -> int:
        return self._own_posts if self.is_personal and self._own_posts is not None else self._server_posts

    def left(self) -> int:
        own, server = self._left_of_own(), self._left_of_server()
        return server if own is None else min(own, server)

    def spent(self, today: date) -> str:
        if self.is_personal and self._own_posts is not None:
            used = self._own_posts - (self._left_of_own() or 0)
            return str(limits.LimitReached(X_POSTS, allowed=self._own_posts, used=used, wanted=0))
        return spent_sentence(self._server_posts, today)

    def take(self, posts: int) -> int:
        self._month = meters.this_month()
        if self._owner is None:
            return self._take_of_server(posts)
        own = meters.take(self._owner.pk, X_POSTS, self._month, posts, limit=self._own_posts)
        granted = self._take_of_server(own)
        meters.give_back(self._owner.pk, X_POSTS, self._month, own - granted)
        return granted

    def give_back(self, posts: int) -> None:
        """Return the posts to the month that they were taken from, even if it's over."""
        XMonth.objects.filter(month=self._month, posts__gte=posts).update(posts=F("posts") - posts)
        if self._owner is not None:
            meters.give_back(self._owner.pk, X_POSTS, self._month, posts)

    def _take_of_server(self, posts: int) -> int:
        while True:
            bought = XMonth.objects.get_or_create(month=self._month)[0].posts
            granted = min(posts, max(0, self._server_posts - bought))
            # The UPDATE changes no row if somebody else was faster. Then fewer are left.
            if not granted or XMonth.objects.filter(month=self._month, posts=bought).update(posts=bought + granted):
                return granted

    def _left_of_server(self) -> int:
        bought = XMonth.objects.filter(month=meters.this_month()).values_list("posts", flat=True).first()
        return max(0, self._server_posts - (bought or 0))

    def _left_of_own(self) -> int | None:
        if self._owner is None or self._own_posts is None:
            return None
        return max(0, self._own_posts - meters.used(self._owner.pk, X_POSTS, meters.this_month()))
