"""How long something takes, and how long ago something was, in words."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

#: Django's own texts lack "ago", and German has another case after it: its texts for timesince would be wrong here.
_AGO: Final[dict[str, Any]] = {
    "year": ngettext_lazy("%(num)d year ago", "%(num)d years ago", "num"),
    "month": ngettext_lazy("%(num)d month ago", "%(num)d months ago", "num"),
    "week": ngettext_lazy("%(num)d week ago", "%(num)d weeks ago", "num"),
    "day": ngettext_lazy("%(num)d day ago", "%(num)d days ago", "num"),
    "hour": ngettext_lazy("%(num)d hour ago", "%(num)d hours ago", "num"),
    "minute": ngettext_lazy("%(num)d minute ago", "%(num)d minutes ago", "num"),
}


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


def ago(at: datetime) -> str:
    """Return how long ago a time was, in its largest unit: "2 days ago", and "just now" within a minute."""
    now = timezone.now()
    if now - at < timedelta(minutes=1):
        return _("just now")
    return timesince(at, now, time_strings=_AGO, depth=1)
