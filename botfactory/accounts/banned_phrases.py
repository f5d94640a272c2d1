"""Phrases that no bot here may write. The administrator lists them, one on each line."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.words.translation import grouped

MAX: Final = 500
LONGEST: Final = 100

#: The list of a new installation: phrases that tell people to hurt or kill themselves. Written for Bot Factory.
#: Variants in case, spaces and punctuation aren't listed, since the comparison ignores them.
SHIPPED: Final = """\
kill yourself
kill yourselves
kill urself
kill ur self
kill yaself
kill yoself
kill thyself
kys
hang yourself
hang urself
hang yourselves
shoot yourself in the head
shoot urself in the head
neck yourself
neck urself
rope yourself
rope urself
off yourself
unalive yourself
unalive urself
slit your wrists
slit ur wrists
slash your wrists
cut your wrists
end your life
end ur life
end your own life
take your own life
go jump off a bridge
go jump off a cliff
go drink bleach
go die in
die in a fire
die in a hole
i hope you die
i hope u die
you should die
you deserve to die
u deserve to die
the world would be better without you
the world would be better off without you
the world is better off without you
everyone would be better off without you
everybody would be better off without you
nobody would miss you
no one would miss you
"""


def shipped() -> str:
    """Return the list of a new installation. Migrations call this function."""
    return SHIPPED


def phrases_in(text: str) -> tuple[str, ...]:
    """Return the phrases of a list, without empty lines and duplicates."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def require_sane(text: str) -> None:
    """Raise ValidationError if the list or one of its phrases is too long."""
    phrases = phrases_in(text)
    if len(phrases) > MAX:
        message = _("The list has %(count)s phrases. Keep at most %(most)s.")
        raise ValidationError(message % {"count": grouped(len(phrases)), "most": grouped(MAX)})
    if too_long := next((phrase for phrase in phrases if len(phrase) > LONGEST), None):
        message = ngettext(
            "“%(start)s…” is longer than %(most)s character. Shorten it.",
            "“%(start)s…” is longer than %(most)s characters. Shorten it.",
            LONGEST,
        )
        raise ValidationError(message % {"start": too_long[:30], "most": LONGEST})
