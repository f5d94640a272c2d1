"""Numbers of posts, characters and other things in words, in the reader's language."""

from __future__ import annotations

from django.utils.translation import ngettext

from botfactory.words.translation import grouped

__all__ = ["characters", "files", "grouped", "jobs", "posts"]


def posts(number: int) -> str:
    """Return "1 post" or "2,000 posts"."""
    return ngettext("%(number)s post", "%(number)s posts", number) % {"number": grouped(number)}


def characters(number: int) -> str:
    """Return "1 character" or "2,000 characters"."""
    return ngettext("%(number)s character", "%(number)s characters", number) % {"number": grouped(number)}


def files(number: int) -> str:
    """Return "1 file" or "2 files"."""
    return ngettext("%(number)s file", "%(number)s files", number) % {"number": grouped(number)}


def jobs(number: int) -> str:
    """Return "1 job" or "2 jobs"."""
    return ngettext("%(number)s job", "%(number)s jobs", number) % {"number": grouped(number)}
