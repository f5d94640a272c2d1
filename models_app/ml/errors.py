"""The errors of the learning core. Each message tells the person what to do; each class has a stable code."""

from __future__ import annotations


class LearningError(Exception):
    """Training or generation failed; the message says why and what to do."""

    code = "learning_error"


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
