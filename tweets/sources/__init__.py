"""Where posts come from. A source is a folder here that describes itself, and one line in `registry.SOURCES`."""

from __future__ import annotations

from tweets.sources.base import Page, Post, Source, SourceError, SourceSettings
from tweets.sources.registry import detect_kind, open_source

__all__ = ["Page", "Post", "Source", "SourceError", "SourceSettings", "detect_kind", "open_source"]
