"""Find the post files of an X archive, in all layouts that it has had, and open them safely."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from botfactory.files.zip_files import BadZip, Member, ZipFolder
from botfactory.words.translatable import Sentence, mark
from tweets.sources.base import BadFile, FileTooLarge
from tweets.sources.reading.streams import CHUNK, Counted

_MODERN = re.compile(r"(?P<root>(?:[^/]+/)*?)(?:data/)?tweets?(?:-part\d{1,6})?\.js\Z")
_GRAILBIRD = re.compile(r"(?P<root>(?:[^/]+/)*?)data/js/tweets/\d{4}_\d{2}\.js\Z")
_TABLE = re.compile(r"(?P<root>(?:[^/]+/)*?)tweets\.csv\Z")
_NOTES = re.compile(r"(?:[^/]+/)*note-tweets?(?:-part\d{1,6})?\.js\Z")
_OF_X = re.compile(r"(?:^|/)(?:data/)?(?:manifest|account|profile|like|follower)\.js\Z")
_MAX_RATIO = 250  # real post files shrink to a tenth or a twentieth, zeros to a thousandth
_SMALL = 10_000_000  # bytes; below this, no ratio is dangerous
_MAX_FILES = 5_000  # with one file a month, all years since 2006 have 300
_LONGEST_NAME = 400  # characters; real names have 60
_WHERE = mark(
    "Upload the ZIP that X sent you (Settings, Your account, Download an archive of your data), or the file "
    "data/tweets.js in it."
)


@dataclass(frozen=True, slots=True)
class PostFile:
    """One file of posts in a ZIP. `name` is its path there, with forward slashes."""

    name: str
    member: Member

    @property
    def is_table(self) -> bool:
        return self.name.endswith(".csv")

    @property
    def names_authors(self) -> bool:
        """Whether each post comes with its author, as in archives of before 2019."""
        return bool(_GRAILBIRD.match(self.name))


@dataclass(slots=True)
class _Found:
    """What matters in the directory of a ZIP, however long it is."""

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
                said = mark("This ZIP has more post files than any archive of X, so we didn’t open it. %(where)s")
                raise BadFile(said, where=Sentence(_WHERE))
        self.is_of_x = self.is_of_x or bool(_OF_X.search(name))
        self.is_office = self.is_office or (name.endswith((".xml", ".rels")) and ("word/" in name or "xl/" in name))
        self.has_texts = self.has_texts or name.endswith((".txt", ".csv", ".json", ".jsonl"))

    def what_it_is_instead(self) -> Sentence:
        """Return what is wrong with a ZIP without posts, and what to do."""
        if self.is_office:
            return Sentence(
                mark(
                    "This is an Office document. Save it as .csv, or as .txt with one post on each line, and upload it."
                )
            )
        if self.is_empty:
            said = mark("This ZIP is empty. %(where)s")
        elif self.is_of_x:
            said = mark("This ZIP is from X, but data/tweets.js is missing. X may have split the archive. %(where)s")
        elif self.has_texts:
            said = mark("This ZIP isn’t an X archive: data/tweets.js is missing. Upload the file in it by itself.")
        else:
            said = mark("This ZIP isn’t an X archive: data/tweets.js is missing. %(where)s")
        return Sentence(said, where=Sentence(_WHERE))


def post_files(archive: ZipFolder, max_bytes: int) -> tuple[list[PostFile], list[PostFile]]:
    """Return the post files, newest posts first if the layout says so, and the files with the full texts of long posts.

    Raises BadFile if there are none or they can't be read, and FileTooLarge beyond `max_bytes` unpacked.
    """
    found = _Found()
    try:
        for member in archive.members():
            found.add(member)
    except BadZip:
        raise BadFile(mark("The ZIP is damaged. Download it from X again, then upload it again.")) from None
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
    """Return the top folder of the archive in the ZIP ("" or "name/"), and its post files in the newest layout."""
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
            shown = ", ".join(tops[:5]) + (", …" if len(tops) > 5 else "")
            said = mark("This ZIP contains %(number)s archives (%(names)s). Upload them one at a time.")
            raise BadFile(said, number=len(tops), names=shown)
        return tops[0], _in_order(roots[tops[0]])
    return None


def _in_order(names: list[str]) -> list[str]:
    months = [name for name in names if _GRAILBIRD.match(name)]
    if months:
        return sorted(months, reverse=True)
    return sorted(names, key=lambda name: (int((re.search(r"-part(\d+)\.js", name) or [0, 0])[1]), name))


def _refuse_harm(members: list[Member], max_bytes: int) -> None:
    if any(member.is_encrypted for member in members):
        raise BadFile(mark("The ZIP is protected by a password. Unpack it and upload the file data/tweets.js."))
    if sum(member.size for member in members) > max_bytes:
        raise FileTooLarge(
            mark("The archive has more than %(most)s MB of posts, which is more than we can read."),
            most=max_bytes // 1_000_000,
        )
    if any(member.size > max(_SMALL, member.packed_size * _MAX_RATIO) for member in members):
        said = mark("The ZIP is packed tighter than any real archive, so we didn’t open it. %(where)s")
        raise BadFile(said, where=Sentence(_WHERE))


def open_member(archive: ZipFolder, member: Member) -> io.BufferedReader:
    """Return the bytes of one file of the ZIP. Reading raises BadFile if they are damaged.

    It never returns more than the size that `_refuse_harm` has checked, whatever the packed data says.
    """
    try:
        reader = archive.open(member)
    except BadZip:
        said = mark("The ZIP is damaged: we can’t read %(file)s. Download the archive again.")
        raise BadFile(said, file=member.name) from None
    return io.BufferedReader(Counted(reader, member.size), CHUNK)
