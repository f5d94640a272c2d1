"""What a source of posts is: the values it gives, the way it gives them, and the errors it may raise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol, TypeVar

from tweets.sources.budget import Budget


@dataclass(frozen=True, slots=True)
class Post:
    """One post as its source has it: full text, HTML entities unescaped, no NUL and no lone surrogate in it.

    `key` is at most 64 characters and stable within the source: the post's id, or its place ("line-000000123") when
    the source has no ids or gives the same id again. `created_at` is aware and in UTC, None where the source does not
    say. `is_reply` is True for a post addressed to somebody else; the next post of one's own thread is not a reply.
    `is_quote` is True for own words above somebody's post, `has_warning` for a post behind a content warning.
    """

    key: str
    text: str
    created_at: datetime | None
    is_repost: bool = False
    is_reply: bool = False
    is_quote: bool = False
    has_warning: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some posts in the source's order (possibly none), and where the next page starts.

    `note` is a sentence for the person about the whole account, "" where there is nothing to say.
    """

    posts: tuple[Post, ...]
    cursor: str | None
    total: int | None = None
    note: str = ""


Own = TypeVar("Own")


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How posts are read.

    Networks leave out posts whose `include_...` is False. With `newer_than`, the key of a post, they read only posts
    after that one. `own` has the settings that only one source reads, such as XSettings.
    """

    own: object = None
    budget: Budget | None = None  # of a source that costs money; None: as many posts as `max_posts` says
    private_servers: tuple[str, ...] = ()  # "http://social.lan:3000": reached although they are in a private network
    newer_than: str | None = None
    include_replies: bool = True
    include_reposts: bool = True
    include_quotes: bool = True
    page_size: int = 100
    text_column: str = ""  # of a table or of objects in a file; "" to find it
    max_posts: int = 3200  # the newest posts that X hands out of one account
    max_file_bytes: int = 100_000_000  # of an uploaded file, after gzip is undone
    max_archive_bytes: int = 2_000_000_000  # of the post files in an archive, uncompressed; media are never read
    max_answer_bytes: int = 10_000_000  # of one answer of a server, after gzip is undone
    timeout_seconds: float = 30.0  # without a byte from the other side
    total_seconds: float = 60.0  # for one answer, with its redirects
    retry_delays: tuple[float, ...] = (1.0, 2.0, 4.0)  # seconds before each further attempt at an answer

    def __post_init__(self) -> None:
        if self.page_size < 1 or self.max_posts < 1:
            raise ValueError("page_size and max_posts must be at least 1.")

    def of(self, kind: type[Own]) -> Own:
        """Return the settings of one source: those that were given, or its defaults."""
        return self.own if isinstance(self.own, kind) else kind()

    def wants(self, post: Post) -> bool:
        """False for a post that one of the `include_...` says No to."""
        return (
            (self.include_replies or not post.is_reply)
            and (self.include_reposts or not post.is_repost)
            and (self.include_quotes or not post.is_quote)
        )


class Source(Protocol):
    """Posts that come a page at a time."""

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yields every page from the start, or from the `cursor` of an earlier page, maybe of another process.

        The last page has no cursor. Raises SourceError when the source cannot be read, ValueError when the cursor is
        not one of this kind of source.
        """
        ...


class SourceError(Exception):
    """The source could not be read; the message is a sentence for the person. `transient`: worth another try later."""

    code: ClassVar[str] = "source_error"
    transient: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnknownHandle(SourceError):
    code = "unknown_handle"


class SuspendedHandle(SourceError):
    code = "suspended_handle"


class ProtectedHandle(SourceError):
    code = "protected_handle"


class NoPosts(SourceError):
    code = "no_posts"


class BadCredentials(SourceError):
    code = "bad_credentials"


class NoCredits(SourceError):
    code = "no_credits"


class BudgetSpent(SourceError):
    """The operator's posts of this month are used up."""

    code = "budget_spent"


class RateLimited(SourceError):
    """The source asks us to wait until `retry_at` (aware, UTC)."""

    code = "rate_limited"
    transient = True

    def __init__(self, message: str, retry_at: datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class SourceUnavailable(SourceError):
    code = "source_unavailable"
    transient = True


class UnknownServer(SourceError):
    code = "unknown_server"


class RefusedAddress(SourceError):
    """The server is in a private network, or it is not to be asked for another reason."""

    code = "refused_address"


class BadAnswer(SourceError):
    """The server answered, but not as one of its kind does; asking again would not help."""

    code = "bad_answer"


class BadFile(SourceError):
    code = "bad_file"


class WhichColumn(BadFile):
    """It is not clear which of the `columns` (or fields) holds the posts: `SourceSettings.text_column` has to name it.

    Nothing that depends on the answer has been read before it is raised.
    """

    code = "which_column"

    def __init__(self, message: str, columns: tuple[str, ...]) -> None:
        super().__init__(message)
        self.columns = columns


class FileTooLarge(SourceError):
    code = "file_too_large"


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with surrogate pairs joined, lone surrogates and NULs dropped: every database and file takes it."""
    if not _UNSTORABLE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore").replace("\x00", "")
