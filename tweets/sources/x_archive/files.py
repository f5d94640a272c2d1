"""Which files of an X archive hold posts, in all the layouts it has had, and how to open them without harm."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tweets.sources.base import BadFile, FileTooLarge
from tweets.sources.reading.streams import CHUNK, Counted
from tweets.sources.reading.zip_files import BadZip, Member, ZipFolder

_MODERN = re.compile(r"(?P<root>(?:[^/]+/)*?)(?:data/)?tweets?(?:-part\d{1,6})?\.js\Z")
_GRAILBIRD = re.compile(r"(?P<root>(?:[^/]+/)*?)data/js/tweets/\d{4}_\d{2}\.js\Z")
_TABLE = re.compile(r"(?P<root>(?:[^/]+/)*?)tweets\.csv\Z")
_NOTES = re.compile(r"(?:[^/]+/)*note-tweets?(?:-part\d{1,6})?\.js\Z")
_OF_X = re.compile(r"(?:^|/)(?:data/)?(?:manifest|account|profile|like|follower)\.js\Z")
_MAX_RATIO = 250  # real post files shrink to a tenth or a twentieth; zeros shrink to a thousandth
_SMALL = 10_000_000  # bytes below which no ratio is a danger
_MAX_FILES = 5_000  # a month a file is 300 in all the years that there have been
_LONGEST_NAME = 400  # characters; the names of real files have 60
_WHERE = (
    "Upload the whole zip that X sent you (Settings, Your account, Download an archive of your data), "
    "or data/tweets.js out of it."
)


@dataclass(frozen=True, slots=True)
class PostFile:
    """One file of posts in a zip. `name` is its path there with forward slashes."""

    name: str
    member: Member

    @property
    def is_table(self) -> bool:
        return self.name.endswith(".csv")


@dataclass(slots=True)
class _Found:
    """What matters of a zip's directory, however long it is."""

    files: dict[str, Member] = field(default_factory=dict)
    is_empty: bool = True
    is_of_x: bool = False
    is_office: bool = False
    has_texts: bool = False

    def add(self, member: Member) -> None:
        name = member.name
        if "__MACOSX/" in name or name.rpartition("/")[2].startswith("._") or len(name) > _LONGEST_NAME:
            return
        self.is_empty = False
        if any(pattern.match(name) for pattern in (_MODERN, _GRAILBIRD, _TABLE, _NOTES)):
            self.files[name] = member
            if len(self.files) > _MAX_FILES:
                raise BadFile(f"The zip holds more post files than any archive of X, so it was not opened. {_WHERE}")
        self.is_of_x = self.is_of_x or bool(_OF_X.search(name))
        self.is_office = self.is_office or (name.endswith((".xml", ".rels")) and ("word/" in name or "xl/" in name))
        self.has_texts = self.has_texts or name.endswith((".txt", ".csv", ".json", ".jsonl"))

    def what_it_is_instead(self) -> str:
        if self.is_empty:
            return f"The zip is empty. {_WHERE}"
        if self.is_of_x:
            return f"The zip comes from X but data/tweets.js is missing in it: X may have split the archive. {_WHERE}"
        if self.is_office:
            return "The file is an Office document. Save it as .txt, one post on a line, or as .csv and upload that."
        if self.has_texts:
            return (
                f"The zip is not an X archive: data/tweets.js is missing. Upload the file inside it by itself. {_WHERE}"
            )
        return f"The zip is not an X archive: data/tweets.js is missing. {_WHERE}"


def post_files(archive: ZipFolder, max_bytes: int) -> tuple[list[PostFile], list[PostFile]]:
    """The post files, newest posts first where the layout tells, and the files with the full texts of long posts.

    Raises BadFile where there is none or where they cannot be read, FileTooLarge beyond `max_bytes` uncompressed.
    """
    found = _Found()
    try:
        for member in archive.members():
            found.add(member)
    except BadZip:
        raise BadFile("The zip is damaged. Download it from X again and upload it once more.") from None
    layout = _layout(found.files)
    if layout is None:
        raise BadFile(found.what_it_is_instead())
    root, names = layout
    notes = [
        PostFile(name, member)
        for name, member in found.files.items()
        if _NOTES.match(name) and name.rpartition("/")[0] in (f"{root}data", root.rstrip("/"))
    ]
    files = [PostFile(name, found.files[name]) for name in names]
    _refuse_harm([file.member for file in (*files, *notes)], max_bytes)
    return files, notes


def _layout(names: Iterable[str]) -> tuple[str, list[str]] | None:
    """The archive's top folder in the zip ("" or "name/") and its post files, of the newest layout that is there."""
    for pattern in (_MODERN, _GRAILBIRD, _TABLE):
        roots: dict[str, list[str]] = {}
        for name in names:
            match = pattern.match(name)
            if match:
                roots.setdefault(match.group("root"), []).append(name)
        if not roots:
            continue
        shallowest = min(root.count("/") for root in roots)
        tops = sorted(root for root in roots if root.count("/") == shallowest)
        if len(tops) > 1:
            shown = ", ".join(tops[:5]) + (" and others" if len(tops) > 5 else "")
            raise BadFile(f"The zip holds {len(tops)} archives ({shown}). Upload them one at a time.")
        return tops[0], _in_order(roots[tops[0]])
    return None


def _in_order(names: list[str]) -> list[str]:
    months = [name for name in names if _GRAILBIRD.match(name)]
    if months:
        return sorted(months, reverse=True)
    return sorted(names, key=lambda name: (int((re.search(r"-part(\d+)\.js", name) or [0, 0])[1]), name))


def _refuse_harm(members: list[Member], max_bytes: int) -> None:
    if any(member.is_encrypted for member in members):
        raise BadFile("The zip is protected by a password. Unpack it and upload data/tweets.js out of it.")
    if sum(member.size for member in members) > max_bytes:
        raise FileTooLarge(
            f"The archive holds more than {max_bytes / 1_000_000:,.0f} MB of posts, more than can be read."
        )
    if any(member.size > max(_SMALL, member.packed_size * _MAX_RATIO) for member in members):
        raise BadFile(f"The zip is packed tighter than any real archive, so it was not opened. {_WHERE}")


def open_member(archive: ZipFolder, member: Member) -> io.BufferedReader:
    """The bytes of one file of the zip; reading raises BadFile where they are damaged.

    No more than the size that `_refuse_harm` has seen comes out, whatever the packed data says.
    """
    try:
        reader = archive.open(member)
    except BadZip:
        raise BadFile(f"The zip is damaged: {member.name} cannot be read. Download the archive again.") from None
    return io.BufferedReader(Counted(reader, member.size), CHUNK)
