"""How long something takes, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _


def lasting(seconds: float) -> str:
    """Return a duration in words, rounded to seconds, and from an hour on to minutes, as the pages' scripts do.

    >>> lasting(45.2), lasting(80), lasting(120), lasting(7_500)
    ('45 s', '1 min 20 s', '2 min', '2 h 5 min')
    """
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60) if whole < 3600 else (round(whole / 60), 0)
    if not minutes:
        return _("%(seconds)s s") % {"seconds": rest}
    if rest:
        return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return _("%(minutes)s min") % {"minutes": minutes}
    if not minutes:
        return _("%(hours)s h") % {"hours": hours}
    return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
