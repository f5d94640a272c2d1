"""Filters and tags for every template, without a load tag."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.template import Library

from botfactory.web import durations, script_words
from botfactory.words import plurals

register = Library()


@register.filter
def counted(number: Any, nouns: str) -> str:
    """`{{ count|counted:"post" }}`, or `|counted:"reply,replies"`; what isn't a number counts as 0."""
    noun, _, plural = nouns.partition(",")
    return plurals.counted(int(number or 0), noun, plural)


@register.filter
def lasting(time: timedelta) -> str:
    """`{{ job.took|lasting }}`: "1 min 20 s"."""
    return durations.lasting(time.total_seconds())


@register.filter
def ago(at: datetime) -> str:
    """`{{ job.created_at|ago }}`: "2 days ago"."""
    return durations.ago(at)


@register.simple_tag
def address_of_script_words() -> str:
    """Return the address of the scripts' texts in the active language, or "" for English."""
    return script_words.address()
