"""The errors of the learning core: each message is a sentence to act on, each class has a stable code."""

from __future__ import annotations


class LearningError(Exception):
    """Something in learning or writing could not be done; the message says what and what helps."""

    code = "learning_error"


class CheckpointError(LearningError):
    """A model on disk is missing, damaged or of a format that this version does not read."""

    code = "checkpoint_damaged"


class TooFewPosts(LearningError):
    """There is too little text to learn from."""

    code = "too_few_posts"


class Cancelled(LearningError):
    """The person (or a signal) asked for the end of the work."""

    code = "cancelled"


class TrainingDiverged(LearningError):
    """The loss is no longer a number."""

    code = "training_diverged"


class BadSampling(LearningError):
    """The request for new posts cannot be met as it stands."""

    code = "bad_sampling"
