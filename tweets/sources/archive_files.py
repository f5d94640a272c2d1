"""Which files of an X archive hold posts, in all the layouts it has had, and how to open them without harm."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass

from tweets.sources.base import BadFile, FileTooLarge
from tweets.sources.streams import CHUNK, Counted

_MODERN = re.compile(r"(?P<root>(?:[^/]+/)*?)(?:data/)?tweets?(?:-part\d+)?\.js\Z")
_GRAILBIRD = re.compile(r"(?P<root>(?:[^/]+/)*?)data/js/tweets/\d{4}_\d{2}\.js\Z")
_TABLE = re.compile(r"(?P<root>(?:[^/]+/)*?)tweets\.csv\Z")
_NOTES = re.compile(r"(?:[^/]+/)*note-tweets?(?:-part\d+)?\.js\Z")
_MAX_RATIO = 250  # real post files shrink to a tenth or a twentieth; zeros shrink to a thousandth
_SMALL = 10_000_000  # bytes below which no ratio is a danger
_WHERE = (
    "Upload the whole zip that X sent you (Settings, Your account, Download an archive of your data), "
    "or data/tweets.js out of it."
)


@dataclass(frozen=True, slots=True)
class PostFile:
    """One file of posts in a zip. `name` is its path there with forward slashes."""

    name: str
    info: zipfile.ZipInfo

    @property
    def is_table(self) -> bool:
        return self.name.endswith(".csv")


def post_files(archive: zipfile.ZipFile, max_bytes: int) -> tuple[list[PostFile], list[PostFile]]:
    """The post files, newest posts first where the layout tells, and the files with the full texts of long posts.

    Raises BadFile where there is none or where they cannot be read, FileTooLarge beyond `max_bytes` uncompressed.
    """
    names = {info.filename.replace("\\", "/").lstrip("/"): info for info in archive.infolist() if not info.is_dir()}
    names = {name: info for name, info in names.items() if not _is_mac_litter(name)}
    root, found = _layout(names)
    notes = [
        PostFile(name, info)
        for name, info in names.items()
        if _NOTES.match(name) and name.rpartition("/")[0] in (f"{root}data", root.rstrip("/"))
    ]
    files = [PostFile(name, names[name]) for name in found]
    _refuse_harm([file.info for file in (*files, *notes)], max_bytes)
    return files, notes


def _layout(names: dict[str, zipfile.ZipInfo]) -> tuple[str, list[str]]:
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
            raise BadFile(f"The zip holds {len(tops)} archives ({', '.join(tops)}). Upload them one at a time.")
        return tops[0], _in_order(roots[tops[0]])
    raise BadFile(_what_it_is_instead(names))


def _in_order(names: list[str]) -> list[str]:
    months = [name for name in names if _GRAILBIRD.match(name)]
    if months:
        return sorted(months, reverse=True)
    return sorted(names, key=lambda name: (int((re.search(r"-part(\d+)\.js", name) or [0, 0])[1]), name))


def _what_it_is_instead(names: dict[str, zipfile.ZipInfo]) -> str:
    if not names:
        return f"The zip is empty. {_WHERE}"
    if any(re.search(r"(?:^|/)(?:data/)?(?:manifest|account|profile|like|follower)\.js\Z", name) for name in names):
        return f"The zip comes from X but data/tweets.js is missing in it: X may have split the archive. {_WHERE}"
    if any(name.endswith((".xml", ".rels")) and ("word/" in name or "xl/" in name) for name in names):
        return "The file is an Office document. Save it as .txt, one post on a line, or as .csv and upload that."
    if any(name.endswith((".txt", ".csv", ".json", ".jsonl")) for name in names):
        return f"The zip is not an X archive: data/tweets.js is missing. Upload the file inside it by itself. {_WHERE}"
    return f"The zip is not an X archive: data/tweets.js is missing. {_WHERE}"


def _is_mac_litter(name: str) -> bool:
    return "__MACOSX/" in name or name.rpartition("/")[2].startswith("._")


def _refuse_harm(infos: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if any(info.flag_bits & 1 for info in infos):
        raise BadFile("The zip is protected by a password. Unpack it and upload data/tweets.js out of it.")
    if sum(info.file_size for info in infos) > max_bytes:
        raise FileTooLarge(
            f"The archive holds more than {max_bytes / 1_000_000:,.0f} MB of posts, more than can be read."
        )
    if any(info.file_size > max(_SMALL, info.compress_size * _MAX_RATIO) for info in infos):
        raise BadFile(f"The zip is packed tighter than any real archive, so it was not opened. {_WHERE}")


def open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> io.BufferedReader:
    """The bytes of one file of the zip; reading raises BadFile where they are damaged.

    No more than the size that `_refuse_harm` has seen comes out, whatever the packed data says.
    """
    try:
        member = archive.open(info)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        raise BadFile(f"The zip is damaged: {info.filename} cannot be read. Download the archive again.") from None
    return io.BufferedReader(Counted(member, info.file_size), CHUNK)
