"""How long something takes, in words."""

from __future__ import annotations

import math

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


def about(seconds: float) -> str:
    """Return an estimate in words, rounded to 5 s, to 10 s from one minute on, and to minutes from ten minutes on.

    >>> about(0.4), about(58), about(86), about(7_500)
    ('5 s', '1 min', '1 min 30 s', '2 h 5 min')
    """
    step = 5 if seconds < 60 else 10 if seconds < 600 else 60
    # Half a step is rounded up, as the pages' scripts do.
    return lasting(max(step, math.floor(seconds / step + 0.5) * step))
