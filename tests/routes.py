"""Every route of the site, for tests that request all of them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping

from django.urls import URLPattern, URLResolver, get_resolver


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[str]:
    """Every route of the site as a pattern with {names}."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + simple(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        elif isinstance(entry, URLPattern):
            yield path


def simple(pattern: str) -> str:
    """{job} for <uuid:job_id> and for (?P<job_id>...)."""
    pattern = re.sub(r"\(\?P<(\w+?)(?:_id)?>[^)]*\)", r"{\1}", pattern.removeprefix("^").removesuffix("$"))
    return re.sub(r"<(?:\w+:)?(\w+?)(?:_id)?>", r"{\1}", pattern)


def filled(route: str, ids: Mapping[str, uuid.UUID]) -> str:
    """The route with something in its place for each name."""
    known = {**ids, "app_label": "jobs"}
    return re.sub(r"\{(\w+)\}", lambda name: str(known.get(name[1], "1")), route)
