"""What Bot Factory knows about a source of posts: each folder here describes its own as `KIND`.

The words are plain English, marked for translation. Django code passes them through gettext where somebody sees them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from tweets.sources.base import Source, SourceSettings


@dataclass(frozen=True, slots=True)
class Account:
    """An account on a network. `handle` has no @ in front: "name", "name.bsky.social" or a DID, "name@server"."""

    network: str
    handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """What every source says about itself.

    - `name`: in the database and in the API, at most 16 characters
    - `label`: its proper name, or a noun without its article, such as "X archive"
    - `at_terminal`: what to type after `import_posts`, such as "@name.bsky.social"; "" if it can't be imported there
    """

    name: str
    label: str
    at_terminal: str


@dataclass(frozen=True, slots=True)
class HowTo:
    """Steps to get the file, folded up under a question. `without_script` is for browsers that run no JavaScript."""

    question: str
    steps: tuple[str, ...]
    without_script: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind(SourceKind):
    """A file that somebody uploads, a text that they paste (`is_pasted`), or one that comes with Bot Factory
    (`is_example`).

    - `offer`: what people import, such as "an X archive", for lists
    - `origin`: where a corpus comes from, with %(file)s
    - `hint`: which files these are, below the field of the upload; "" for a pasted text
    - `endings`: what the names of these files end in, such as ".zip"
    - `recognizes`: whether a file is one, by its name and its first bytes (64 or more); None for whatever no other
      source recognizes
    - `owner_of`: whose posts the file holds, if it names that account
    """

    offer: str
    origin: str
    open: Callable[[Path, SourceSettings], Source]
    hint: str = ""
    endings: tuple[str, ...] = ()
    recognizes: Callable[[str, bytes], bool] | None = None
    owner_of: Callable[[Path], Account | None] | None = None
    how_to: HowTo | None = None
    is_pasted: bool = False
    is_example: bool = False

    @property
    def is_upload(self) -> bool:
        return not self.is_pasted and not self.is_example


class Claim(IntEnum):
    """How sure a network is that a text names an account of its own. The surest network gets it."""

    NO = 0
    #: It looks like one of its handles, such as "@name@server".
    HANDLE = 1
    #: It's the address of a profile as many servers have them, such as "https://server/@name".
    ADDRESS = 2
    #: It's an address or an id that only this network has.
    CERTAIN = 3


def any_server(handle: str) -> str:
    """Return "": all accounts of the network are on one server."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(SourceKind):
    """A network whose accounts are read from its servers. Pages name it by its label, as in "Bluesky handle".

    - `example`, `hint`: placeholder and explanation of the handle's field. The hint can contain
      %(max_posts)s and, for a paid network, %(cost)s; a percent sign is written %%
    - `parse`: the handle in what somebody typed; ValueError with a sentence if it is none
    - `claim`: how surely a text names an account of this network
    - `settings`: a frozen dataclass with defaults. The operator sets its field `api_url` as NAME_API_URL, and readers
      get it with `SourceSettings.of`
    - `needs`: the field without which nothing can be read; `not_offered` says so
    - `is_paid`: each post that is read costs the operator money (tweets/importing/costs.py asks first)
    - `max_posts`: the newest posts of an account that an import reads
    - `known_server`: a name that always exists, to tell a wrong name from a machine without a network
    - `server_of`: the server of a handle, if accounts are on different servers, which may each ask for a pause
    """

    open: Callable[[str, SourceSettings], Source]
    example: str
    hint: str
    parse: Callable[[str], str]
    claim: Callable[[str], Claim]
    settings: type[Any] | None = None
    needs: str = ""
    not_offered: str = ""
    is_paid: bool = False
    max_posts: int = 20_000
    known_server: str = ""
    server_of: Callable[[str], str] = any_server

    def setting_of(self, field: str) -> str:
        """Return the name of the setting that a field of `settings` has in the environment."""
        return f"{self.name}_{field}".upper()
