"""Phrases that no bot here may write, as the administrator lists them: one on each line."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError

MAX: Final = 500
LONGEST: Final = 100

#: What an installation begins with: what tells somebody to hurt or kill themselves. Written for Bot Factory. Spelling,
#: spaces and punctuation are not listed, since the comparison overlooks them.
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
    """Return the list that an installation begins with. Migrations call it."""
    return SHIPPED


def phrases_in(text: str) -> tuple[str, ...]:
    """Return the phrases of a list, without empty lines and repeated ones."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def require_sane(text: str) -> None:
    """Raise ValidationError with what to do for a list that is too long."""
    phrases = phrases_in(text)
    if len(phrases) > MAX:
        raise ValidationError(f"These are {len(phrases):,} phrases. Keep at most {MAX:,}.")
    if too_long := next((phrase for phrase in phrases if len(phrase) > LONGEST), None):
        raise ValidationError(f"“{too_long[:30]}…” is longer than {LONGEST} characters. Shorten it.")
