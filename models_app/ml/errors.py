"""The errors of the learning core. Each message tells the person what to do; each class has a stable code."""

from __future__ import annotations


def mark(text: str) -> str:
    """Return the text as it is. It marks the text for translation (docs/development.md)."""
    return text


class Said(Exception):
    """The message of an error in English, with the template and values from which it can be translated.

    >>> TooFewPosts(mark("The file %(path)s has no posts."), path="a.txt").template
    'The file %(path)s has no posts.'
    """

    def __init__(self, template: str, /, **values: object) -> None:
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        super().__init__(template % shown if values else template)
        self.template, self.values = template, values


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
