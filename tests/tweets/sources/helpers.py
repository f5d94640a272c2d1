"""Helpers for the tests of all sources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tweets.sources.base import Page, Post, Source

DATA = Path(os.environ.get("BOTFACTORY_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no real data at {DATA}: set BOTFACTORY_DATA to the folder with archives/ and personas/"
)


def posts_of(pages: Iterable[Page]) -> list[Post]:
    return [post for page in pages for post in page.posts]


def assert_resumes_everywhere(source: Source) -> list[Post]:
    """Check that each cursor gives the rest of the posts, each once, and return all posts."""
    pages = list(source.pages())
    whole = posts_of(pages)
    assert len({post.key for post in whole}) == len(whole)
    done = 0
    for page in pages[:-1]:
        done += len(page.posts)
        assert page.cursor is not None
        assert posts_of(source.pages(page.cursor)) == whole[done:]
    assert pages[-1].cursor is None
    return whole
