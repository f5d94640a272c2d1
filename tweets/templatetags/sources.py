"""Words about the sources of posts for templates: `{% load sources %}`."""

from __future__ import annotations

from django.template import Library

from tweets.models import Corpus
from tweets.pages import ways

register = Library()


@register.simple_tag
def offers() -> str:
    """`{% offers %}`: all that can be imported here."""
    return ways.offers()


@register.simple_tag
def origin(corpus: Corpus) -> str:
    """`{% origin corpus %}`: where its posts come from."""
    return ways.origin(corpus)
