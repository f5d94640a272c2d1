"""What can go wrong when a server is asked. Each message is a sentence for the person."""

from __future__ import annotations

from botfactory.words.translatable import Sentence, mark


class NetError(Exception):
    """There is no answer; the message says why."""

    def __init__(self, message: Sentence) -> None:
        super().__init__(message)
        self.message = message


class Refused(NetError):
    """We don't ask this server: it is in a private network, or its address isn't allowed."""


class UnknownHost(NetError):
    """There is no server of this name, as far as this machine can tell: without a network none has one."""

    def __init__(self, host: str, *, is_possible: bool = True) -> None:
        """`is_possible` is False for a name that no network anywhere could know."""
        super().__init__(Sentence(mark("There is no server %(host)s. Check the spelling of its name."), host=host))
        self.host, self.is_possible = host, is_possible


class Unavailable(NetError):
    """The server doesn't answer, or not in time. Another try may help."""


class BadAnswer(NetError):
    """The server's answer can't be used. Another try wouldn't help."""
