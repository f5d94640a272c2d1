"""What web processes and writers say to each other, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, NotRequired, Self, TypedDict

from models_app.ml.config import SamplingConfig

#: Characters that a post is expected to have, if its limit is higher.
EXPECTED_LENGTH: Final = 140
#: Measuring a character of a post takes less than writing one.
MEASURING: Final = 0.5


def characters_of(sampling: SamplingConfig) -> int:
    """Return about how many characters such a request makes a bot write.

    A low limit doesn't make it less work: the fewer characters a post may have, the more are drawn that don't end.
    """
    return len(sampling.prompt) + sampling.drafts_to_write * EXPECTED_LENGTH


def bot_of(model: str, sha256: str) -> str:
    """Return how writers call the bot of this row with these weights."""
    return f"{model}.{sha256}"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to write, or to measure posts where `posts` is given.

    model, sha256: the row and its weights; person: who asks; answers: the web process that waits; weight: the
    milliseconds that it's expected to take all writers together; sampling: SamplingConfig as a dictionary; beginnings:
    whether to tell how posts begin while they are being written.
    """

    id: str
    model: str
    sha256: str
    person: str
    answers: str
    weight: int
    sampling: dict[str, Any] | None = None
    posts: list[str] | None = None
    beginnings: bool = False

    @property
    def bot(self) -> str:
        """The row and its weights, as in `Facts`."""
        return bot_of(self.model, self.sha256)

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


class Event(TypedDict):
    """What a writer says to the process that waits.

    post: one is written, the `number`th of this request, for the `place`th that is asked for; beginnings: of those that
    are being written, by their place; done: the result; failed: why there is none, with how to translate the message
    (botfactory.words.translation.stored).
    """

    request: str
    kind: Literal["post", "beginnings", "done", "failed"]
    number: NotRequired[int]
    place: NotRequired[int]
    post: NotRequired[str]
    beginnings: NotRequired[dict[str, str]]
    result: NotRequired[dict[str, Any]]
    code: NotRequired[str]
    message: NotRequired[str]
    words: NotRequired[dict[str, Any]]


class Facts(TypedDict):
    """What a writer says of itself.

    rates: by tier, characters that it writes in a second; bots: those in memory, as in `Request.bot`; megabytes: that
    the process holds.
    """

    host: str
    pid: int
    threads: int
    rates: dict[str, float]
    requests: int
    models: int
    bots: list[str]
    megabytes: float
