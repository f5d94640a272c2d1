"""Tags that draw icons and avatars, for every template, without a load tag."""

from __future__ import annotations

from collections.abc import Sequence

from django.template import Library
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from botfactory.web import avatars

register = Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw the icon of that name from static/img/icons.svg, in the colour of the text around it."""
    address = static("img/icons.svg")
    return format_html(
        '<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><use href="{}#{}"></use></svg>', address, name
    )


@register.simple_tag
def avatar(name: str, size: str = "") -> SafeString:
    """Draw the face of that name. `size`: "small", "large", or "" for 2.5 rem."""
    face = mark_safe(avatars.face(name))
    return format_html('<svg class="avatar {}" viewBox="0 0 64 64" aria-hidden="true">{}</svg>', size, face)


#: The size of a spark's drawing, which is stretched to the width that its style gives it, and the room for its stroke.
_WIDTH, _HEIGHT, _ROOM = 100.0, 32.0, 6.0


@register.simple_tag
def spark(values: Sequence[float], label: str) -> SafeString:
    """Draw the values as a small curve with a dot at the lowest one. `label`: what it shows, for screen readers."""
    low, high = min(values), max(values)
    step = (_WIDTH - 2 * _ROOM) / max(1, len(values) - 1)
    fall = (_HEIGHT - 2 * _ROOM) / (high - low) if high > low else 0.0
    points = [
        f"{_ROOM + number * step:.1f},{_ROOM + (high - value) * fall if fall else _HEIGHT / 2:.1f}"
        for number, value in enumerate(values)
    ]
    # The dot is a line without length and with round ends: stretching the drawing leaves it round.
    best = points[list(values).index(low)].replace(",", " ")
    return format_html(
        '<svg class="spark" viewBox="0 0 100 32" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<polyline points="{}"></polyline><path d="M{}h0"></path></svg>',
        label,
        " ".join(points),
        best,
    )
