"""What can't be done with a queue; each message is a sentence for the person."""

from __future__ import annotations


class PublishingError(Exception):
    """`code` is for programs; `param` names the wrong field."""

    code = "publishing_error"
    param: str | None = None

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param or self.param


class BadValue(PublishingError):
    code = "bad_value"


class TooLong(PublishingError):
    code = "too_long"
    param = "text"


class Duplicate(PublishingError):
    """The bot has posted nearly the same, or is going to. The owner can insist."""

    code = "duplicate"
    param = "text"


class NoAccount(PublishingError):
    code = "no_account"


class NotNow(PublishingError):
    """The post is in another state than this needs."""

    code = "not_now"


class NoRoom(PublishingError):
    code = "no_room"


class NothingNew(PublishingError):
    code = "nothing_new"


class NotConnected(PublishingError):
    """The network didn't let us in; the sentence says what to do."""

    code = "not_connected"
