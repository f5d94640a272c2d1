"""The account of an X archive: its @name, and nothing else from the same file."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from botfactory.files.zip_files import BadZip, Member, ZipFolder
from tweets.sources.base import SourceError
from tweets.sources.x.handles import parse
from tweets.sources.x_archive.files import open_member

#: account.js in today's archives; before 2019 user_details.js and the post files.
_OWNER = re.compile(r"(?:[^/]+/)*(?:account\.js|data/js/user_details\.js|data/js/tweets/\d{4}_\d{2}\.js)\Z")
_LITTER = re.compile(r"(?:^|/)(?:__MACOSX/|\._)")
_LARGEST: Final = 5_000_000
#: The most entries of the directory that are read.
_MAX_ENTRIES: Final = 500_000
#: The most files that are opened, the shallowest first.
_MOST: Final = 3


def owner_of_archive(path: Path) -> str | None:
    """Return the name of the account, without the @, or None if the archive doesn't name it.

    The file that names it also has the email address; nothing else in it is kept. For an archive that can't be read
    the result is None, because the reader of its posts says what is wrong.
    """
    try:
        with ZipFolder(path) as archive:
            return _owner_in(archive)
    except (BadZip, OSError):
        return None


def _owner_in(archive: ZipFolder) -> str | None:
    found: list[Member] = []
    for member in itertools.islice(archive.members(), _MAX_ENTRIES):
        if _OWNER.match(member.name) and not _LITTER.search(member.name) and member.size <= _LARGEST:
            # Keep only a few, however many there are.
            found = sorted([*found, member], key=_depth)[:_MOST]
    authors = Counter[str]()
    for member in found:
        try:
            with open_member(archive, member) as file:
                names = _names(file.read(_LARGEST))
        except (SourceError, BadZip, OSError):
            continue
        if names and not _has_posts(member):
            return next(iter(names))
        authors += names
    # Some of the posts can be other people's.
    return authors.most_common(1)[0][0] if authors else None


def _has_posts(member: Member) -> bool:
    return "/tweets/" in member.name


def _depth(member: Member) -> tuple[int, str]:
    # The file about the account comes before the post files.
    return member.name.count("/") + _has_posts(member), member.name


def _names(content: bytes) -> Counter[str]:
    """Return the names in the JSON of such a file and how often it has them; none if it's damaged."""
    try:
        value = json.loads(content.decode("utf-8-sig").partition("=")[2])
        records = value if isinstance(value, list) else [value]
        return Counter(name for record in records if (name := _name_in(record)))
    except (ValueError, AttributeError, RecursionError):
        return Counter()


def _name_in(record: Any) -> str | None:
    fields: Any = record.get("account") or record.get("user") or record
    name = fields.get("username") or fields.get("screen_name") if isinstance(fields, Mapping) else None
    try:
        return parse(name) if isinstance(name, str) else None
    except ValueError:
        return None
