"""What a post is to be about, as a fluent bot reads it: a line before the post, between two end marks."""

from __future__ import annotations


def line_about(topic: str) -> str:
    """Return the line that says what the next post is about."""
    return f"about: {topic}"
