"""The archive that X lets people download of their own account."""

from __future__ import annotations

from pathlib import Path

from botfactory.words.translatable import mark
from tweets.sources.base import Source, SourceSettings
from tweets.sources.kinds import Account, FileKind, HowTo


def _open(path: Path, settings: SourceSettings) -> Source:
    from tweets.sources.x_archive.reader import XArchiveSource

    return XArchiveSource(path, settings)


def _owner_of(path: Path) -> Account | None:
    from tweets.sources.x_archive.owner import owner_of_archive

    name = owner_of_archive(path)
    return Account("x", name) if name else None


def _recognizes(file_name: str, head: bytes) -> bool:
    """Return True for every ZIP and every .js file: the archive's reader says best what is wrong with another one."""
    beginning = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PK\x03\x04") or beginning.startswith((b"window.YTD.", b"Grailbird.data.")):
        return True
    return file_name.lower().endswith((".zip", ".js"))


KIND = FileKind(
    name="x_archive",
    label=mark("X archive"),
    offer=mark("an X archive"),
    origin=mark("From the X archive %(file)s"),
    at_terminal="an X archive (.zip or tweets.js)",
    open=_open,
    hint=mark("The .zip of an X archive, or its tweets.js."),
    endings=(".zip", ".js"),
    recognizes=_recognizes,
    owner_of=_owner_of,
    how_to=HowTo(
        question=mark("How do I get my X archive?"),
        steps=(
            mark("On X, open Settings and privacy → Your account → Download an archive of your data."),
            mark("Confirm your password and press “Request archive”. X notifies you after about a day."),
            mark(
                "Download the .zip and upload it here as it is, whatever its size. Only your posts and your @name "
                "leave your computer."
            ),
        ),
        without_script=mark(
            "Your browser doesn’t run JavaScript, so it would send the whole archive. Unpack it and upload only "
            "data/tweets.js."
        ),
    ),
)
