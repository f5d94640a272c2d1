"""The filter `{{ user_agent|browser }}`, which gives "Firefox on Linux"."""

from __future__ import annotations

from django import template

from botfactory.accounts.browsers import name_of

register = template.Library()
register.filter("browser", name_of)
