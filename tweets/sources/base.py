"""What all sources share: the values that they return, the settings that they get, and the errors that they raise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol, TypeVar

from botfactory.words.translatable import Sentence, mark
from tweets.sources.budget import Budget


@dataclass(frozen=True, slots=True)
class Post:
    """One post as its source has it: the full text, with HTML entities unescaped, no NUL and no lone surrogate.

    - `key`: at most 64 characters and stable within the source: the post's id, or its place ("line-000000123") if the
      source has no ids or repeats one
    - `created_at`: aware and in UTC, None if unknown
    - `is_reply`: addressed to somebody else; the next post of one's own thread isn't a reply
    - `is_quote`: own words above somebody else's post
    - `has_warning`: behind a content warning
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

    - `note`: a sentence for the person about the whole account, or ""
    - `account`: the id that its network gives the account, whatever its handle; "" if the source has none
    """

    posts: tuple[Post, ...]
    cursor: str | None
    total: int | None = None
    note: str = ""
    account: str = ""


Own = TypeVar("Own")


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How posts are read.

    Networks leave out posts whose `include_...` is False. With `newer_than`, the key of a post, they read only posts
    after that one. With `account_id`, they first check with `require_account` that the handle still belongs to the
    account. `own` has the settings that only one source reads, such as XSettings.
    """

    own: object = None
    budget: Budget | None = None  # of a source that costs money; None: as many posts as `max_posts` says
    private_servers: tuple[str, ...] = ()  # "http://social.lan:3000": reached although they are in a private network
    newer_than: str | None = None
    account_id: str = ""
    include_replies: bool = True
    include_reposts: bool = True
    include_quotes: bool = True
    page_size: int = 100
    text_column: str = ""  # of a table, or the field of objects; "" to detect it
    max_posts: int = 3200  # the newest posts of an account
    max_file_bytes: int = 100_000_000  # of an uploaded file, unpacked
    max_archive_bytes: int = 2_000_000_000  # of the post files in an archive, unpacked; media are never read
    max_answer_bytes: int = 10_000_000  # of one answer of a server, unpacked
    timeout_seconds: float = 30.0  # without a byte from the server
    total_seconds: float = 60.0  # for one answer, including redirects
    retry_delays: tuple[float, ...] = (1.0, 2.0, 4.0)  # seconds before each further attempt

    def __post_init__(self) -> None:
        if self.page_size < 1 or self.max_posts < 1:
            raise ValueError("page_size and max_posts must be at least 1.")

    def of(self, kind: type[Own]) -> Own:
        """Return the settings of one source: those that were given, or its defaults."""
        return self.own if isinstance(self.own, kind) else kind()

    def require_account(self, found: str, *, shown: str) -> None:
        """Return if a handle belongs to `account_id`, or if that is unknown. Raises OtherAccount.

        `found` is the id of the account that has the handle now, and `shown` the handle as people write it.
        """
        if self.account_id not in ("", found):
            raise OtherAccount(
                mark(
                    "%(account)s now belongs to another account, so no newer posts were imported. Your posts are kept. "
                    "You can import the other account as new posts."
                ),
                account=shown,
            )

    def wants(self, post: Post) -> bool:
        """Return False for a post that one of the `include_...` leaves out."""
        return (
            (self.include_replies or not post.is_reply)
            and (self.include_reposts or not post.is_repost)
            and (self.include_quotes or not post.is_quote)
        )


class Source(Protocol):
    """Posts that come one page at a time."""

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yield every page from the start, or from the `cursor` of an earlier page, even of another process.

        The last page has no cursor. Raises SourceError if the source can't be read, and ValueError if the cursor isn't
        one of this kind of source.
        """
        ...


class NoAccount(ValueError):
    """What somebody typed is no account. The message is a sentence for the person, like that of a SourceError."""

    def __init__(self, template: str, /, **values: object) -> None:
        super().__init__(template % values if values else template)
        self.template, self.values = template, values


class SourceError(Exception):
    """The source can't be read. The message is a sentence for the person; `transient` errors are worth another try.

    The message keeps its template and values, so that Django code can translate it (botfactory.words.translation).
    """

    code: ClassVar[str] = "source_error"
    transient: bool = False

    def __init__(self, message: str, /, **values: object) -> None:
        self.message = message if isinstance(message, Sentence) else Sentence(message, **values)
        super().__init__(str(self.message))

    @property
    def template(self) -> str:
        return self.message.template

    @property
    def plural(self) -> str:
        return self.message.plural

    @property
    def values(self) -> Mapping[str, object]:
        return self.message.values


class UnknownHandle(SourceError):
    code = "unknown_handle"


class OtherAccount(SourceError):
    """Since the posts were imported, the handle has passed to another account."""

    code = "other_account"


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
    """No posts of this month's budget are left."""

    code = "budget_spent"


class RateLimited(SourceError):
    """The source asks for a pause until `retry_at` (aware, UTC)."""

    code = "rate_limited"
    transient = True

    def __init__(self, message: str, retry_at: datetime, /, **values: object) -> None:
        super().__init__(message, **values)
        self.retry_at = retry_at


class SourceUnavailable(SourceError):
    code = "source_unavailable"
    transient = True


class UnknownServer(SourceError):
    code = "unknown_server"


class RefusedAddress(SourceError):
    """The server is in a private network, or it must not be contacted for another reason."""

    code = "refused_address"


class BadAnswer(SourceError):
    """The server answered, but not like a server of its kind. Asking again wouldn't help."""

    code = "bad_answer"


class BadFile(SourceError):
    code = "bad_file"


class WhichColumn(BadFile):
    """Several `columns` (or fields) may contain the posts, and `SourceSettings.text_column` must name the right one.

    It is raised before anything that depends on the answer is read.
    """

    code = "which_column"

    def __init__(self, message: str, columns: tuple[str, ...], /, **values: object) -> None:
        super().__init__(message, **values)
        self.columns = columns


class FileTooLarge(SourceError):
    code = "file_too_large"


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Return a text that every database and file accepts: surrogate pairs joined, lone surrogates and NULs dropped."""
    if not _UNSTORABLE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore").replace("\x00", "")
