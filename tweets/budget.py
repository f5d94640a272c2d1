"""How many posts of X this server has bought in each month, of the X_MONTHLY_POSTS that its operator pays for."""

from __future__ import annotations

from django.db import models
from django.db.models import F
from django.utils import timezone


class XMonth(models.Model):
    """The posts that were bought in a month, those set aside for a page that is on its way among them."""

    month = models.CharField(max_length=7, unique=True)  # "2026-11", in UTC, as X bills
    posts = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "tweets"
        ordering = ["-month"]
        verbose_name = "month of X"
        verbose_name_plural = "months of X"

    def __str__(self) -> str:
        return f"{self.month}: {self.posts:,} posts"


class MonthlyBudget:
    """`sources.x_budget.Budget` in the database. Each step is one conditional UPDATE, whoever else takes."""

    def __init__(self, monthly_posts: int) -> None:
        self.monthly_posts = monthly_posts
        self._month = ""

    def left(self) -> int:
        bought = XMonth.objects.filter(month=_this_month()).values_list("posts", flat=True).first()
        return max(0, self.monthly_posts - (bought or 0))

    def take(self, posts: int) -> int:
        self._month = _this_month()
        while True:
            bought = XMonth.objects.get_or_create(month=self._month)[0].posts
            granted = min(posts, max(0, self.monthly_posts - bought))
            # Zero rows where somebody else was faster: then there is less to be had.
            if not granted or XMonth.objects.filter(month=self._month, posts=bought).update(posts=bought + granted):
                return granted

    def give_back(self, posts: int) -> None:
        """To the month that they were taken from, which may be over."""
        XMonth.objects.filter(month=self._month, posts__gte=posts).update(posts=F("posts") - posts)


def _this_month() -> str:
    return f"{timezone.now():%Y-%m}"
