"""The form of an account's ZIP (docs/your-data.md): its names, its limits and its manifest."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from botfactory.files.untrusted import Facts, InUtc

FORMAT: Final = "bot-factory-account"
#: Increase it when an older Bot Factory couldn't read the ZIP any more.
VERSION: Final = 1

MANIFEST: Final = "manifest.json"
ACCOUNT: Final = "account.json"
SETTINGS: Final = "settings.json"
JOBS: Final = "jobs.jsonl"

#: What an import reads at most, in bytes: the manifest, a description, a line of a .jsonl file.
MAX_MANIFEST: Final = 8_000_000
MAX_DESCRIPTION: Final = 4_000_000
MAX_LINE: Final = 4_000_000
#: The most files of a ZIP.
MAX_FILES: Final = 20_000

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*$", max_length=200)]


class File(Facts):
    """A file of the ZIP, unpacked."""

    name: Name
    size: int = Field(ge=0)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class LeftOut(Facts):
    """Something that is missing from the ZIP, and why."""

    name: str
    why: str


class Head(Facts):
    """What every version of the manifest begins with."""

    format: Literal["bot-factory-account"]
    version: int


class Manifest(Head):
    """The last file of the ZIP, `manifest.json`: what is in the others."""

    product: str = ""
    created_at: InUtc
    username: str = Field("", max_length=150)
    files: tuple[File, ...] = Field(max_length=MAX_FILES)
    left_out: tuple[LeftOut, ...] = ()


class Mail(Facts):
    """Which mails the person wants."""

    training_succeeded: bool = False
    training_failed: bool = False


class Settings(Facts):
    """What an import reads of `settings.json`. Tokens and webhooks aren't whole there."""

    mail: Mail = Mail()


def place_of(folder: str, number: object, name: str) -> str:
    """Return the name of a thing's file in the ZIP."""
    return f"{folder}/{number}/{name}"
