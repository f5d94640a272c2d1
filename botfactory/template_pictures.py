"""Tags that draw icons and avatars, for every template, without a load tag."""

from __future__ import annotations

from django.template import Library
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from botfactory import avatars

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
