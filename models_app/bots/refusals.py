"""Words about what a bot didn't write: why drafts were rejected, and why there is only one post."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.words.translation import grouped
from models_app.ml.sampling.outcome import Refused


def reasons(refused: Refused, max_characters: int, *, has_prompt: bool = False) -> list[str]:
    """Return the reasons that occurred, with their counts, as phrases."""
    empty = (
        ngettext("%(count)s with nothing after the prompt", "%(count)s with nothing after the prompt", refused.empty)
        if has_prompt
        else ngettext("%(count)s empty", "%(count)s empty", refused.empty)
    )
    found = [
        (
            refused.copies,
            ngettext("%(count)s copy of a learned post", "%(count)s copies of learned posts", refused.copies or 0),
        ),
        (refused.banned, ngettext("%(count)s with a banned word", "%(count)s with a banned word", refused.banned)),
        (
            refused.unfinished,
            ngettext(
                "%(count)s longer than the limit of %(limit)s character",
                "%(count)s longer than the limit of %(limit)s characters",
                max_characters,
            ),
        ),
        (refused.empty, empty),
        (
            refused.house,
            ngettext("%(count)s with a phrase banned here", "%(count)s with a phrase banned here", refused.house),
        ),
        (
            refused.personal,
            ngettext("%(count)s with personal data", "%(count)s with personal data", refused.personal),
        ),
        (
            refused.links,
            ngettext("%(count)s with a made-up link", "%(count)s with a made-up link", refused.links),
        ),
        (
            refused.mentions,
            ngettext("%(count)s with an @name", "%(count)s with an @name", refused.mentions),
        ),
    ]
    limit = grouped(max_characters)
    return [text % {"count": grouped(count), "limit": limit} for count, text in found if count]


def one_for_all() -> str:
    """Return why there is only one post if all posts would be the same."""
    return _(
        "With temperature 0 or top k 1, every post is the same, so you get one post. For several posts, choose a "
        "higher temperature and top k 0."
    )
