"""The browser and system that a User-Agent header names, in words that people use."""

from __future__ import annotations

import re
from typing import Final

#: The first that fits counts: each names itself, and nearly all of them name those below as well.
_BROWSERS: Final = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Vivaldi", r"Vivaldi/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"(?:Headless)?Chrome/|CriOS/|Chromium/"),
    ("Safari", r"Version/[\d.]+ (?:Mobile/\w+ )?Safari/|Safari/"),
    ("curl", r"^curl/"),
    ("Python", r"python-(?:requests|httpx|urllib3)/|Python-urllib/|aiohttp/"),
)
_SYSTEMS: Final = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Windows", r"Windows"),
    ("Mac", r"Macintosh|Mac OS X"),
    ("Linux", r"Linux|X11"),
)


def name_of(user_agent: str) -> str:
    """ "Firefox on Linux"; of what isn't known nothing is made up: "Firefox", "Unknown browser on Linux"."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    return f"{browser or 'Unknown browser'} on {system}" if system else browser or "Unknown browser"


def _first(known: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for name, pattern in known if re.search(pattern, user_agent)), "")
