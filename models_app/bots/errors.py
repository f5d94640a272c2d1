"""Why something can't be done with a model."""

from __future__ import annotations

from django.utils.translation import gettext as _


class ModelError(Exception):
    """Something can't be done with a model. The message tells the person why; `code` is for programs."""

    code = "model_error"


class UnknownModel(ModelError):
    code = "unknown_model"


class BadRequest(ModelError):
    """Something in the request doesn't fit; `param` is the name of the setting, if it is one."""

    code = "bad_request"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class StillBase(ModelError):
    code = "still_base"


class WrongTier(ModelError):
    """The model to start from is of another tier than the one asked for."""

    code = "wrong_tier"
    param = "tier"


class ModelRetired(ModelError):
    code = "model_retired"


class GuardKept(ModelError):
    """The person can't turn off a protection of this model. `param`: which one."""

    code = "guard_kept"

    def __init__(self, param: str) -> None:
        super().__init__(
            _(
                "Only the bot’s owner can turn off copy protection, @name hiding or the check for personal data. Leave "
                "all of them on."
            )
        )
        self.param = param
