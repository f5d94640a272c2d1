"""The errors of the learning core. Each message tells the person what to do; each class has a stable code."""

from __future__ import annotations

import os
from pathlib import PurePath


def mark(text: str) -> str:
    """Return the text as it is. It marks the text for translation (docs/development.md)."""
    return text


class Said(Exception):
    """The message of an error in English, with the template and values from which it can be translated.

    People read it, so it has the names of files only; `in_full`, for the terminal and logs, has their paths.

    >>> TooFewPosts(mark("The file %(path)s has no posts."), path="a.txt").template
    'The file %(path)s has no posts.'
    """

    def __init__(self, template: str, /, **values: object) -> None:
        self.template = template
        self.values = {name: _without_place(value) for name, value in values.items()}
        self.in_full = _filled(template, {name: getattr(value, "in_full", value) for name, value in values.items()})
        super().__init__(_filled(template, self.values))


def _without_place(value: object) -> object:
    if isinstance(value, OSError):
        reason = value.strerror or type(value).__name__
        return f"{reason} ({PurePath(os.fsdecode(value.filename)).name})" if value.filename else reason
    return value.name if isinstance(value, PurePath) else value


def _filled(template: str, values: dict[str, object]) -> str:
    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return template % shown if values else template


class LearningError(Said):
    """Training or generation failed; the message says why and what to do."""

    code = "learning_error"


class BadSetting(Said, ValueError):
    """A setting or a text has an invalid value."""


class CheckpointError(LearningError):
    """A model on disk is missing, damaged, or in a format that this version can't read."""

    code = "checkpoint_damaged"


class TooFewPosts(LearningError):
    """There are too few posts to learn from."""

    code = "too_few_posts"


class Cancelled(LearningError):
    """The person or a signal cancelled the work."""

    code = "cancelled"


class TrainingDiverged(LearningError):
    """The loss is no longer a finite number."""

    code = "training_diverged"


class BadSampling(LearningError):
    """The sampling settings can't produce a post."""

    code = "bad_sampling"


class BadTopic(BadSampling):
    """The bot can't write about this topic. `param`: the setting that has it."""

    param = "about"
