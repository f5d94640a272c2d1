"""Posts in an X archive: the ZIP, or a post file from it.

In the ZIP, only post files are opened, and of archives of before 2019 the file with the account's name: not the email
address in account.js, not the messages, not the media.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from botfactory.files.zip_files import BadZip, ZipFolder
from botfactory.words.translatable import Sentence, mark
from tweets.sources.base import BadFile, NoPosts, Page, Post, SourceSettings, storable
from tweets.sources.reading import json_stream, tables
from tweets.sources.reading.paging import in_pages
from tweets.sources.reading.records import post_of, text_of, unescaped
from tweets.sources.reading.streams import CHUNK, LONGEST_LINE, lines, open_bytes
from tweets.sources.x_archive.files import PostFile, open_member, post_files
from tweets.sources.x_archive.notes import Notes
from tweets.sources.x_archive.owner import owner_of_archive

_BEGINNING = re.compile(rb"[^\[]{0,4096}\[")
_YTD = re.compile(rb"(?:\xef\xbb\xbf)?\s*window\.YTD\.(\w+)\.part\d+\s*=\s*\[")
_GRAILBIRD = re.compile(rb"(?:\xef\xbb\xbf)?\s*Grailbird\.data\.\w+\s*=\s*\[")
_POSTS = (b"tweet", b"tweets")
_NOTES = (b"note_tweet", b"note_tweets")


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    index: int

    def cursor(self) -> str:
        return json.dumps({"file": self.file, "index": self.index})

    @classmethod
    def of(cls, cursor: str) -> _Place:
        match json.loads(cursor):
            case {"file": str(file), "index": int(index)}:
                return cls(file, index)
        raise ValueError("The cursor is not one of an X archive.")


class XArchiveSource:
    """The posts of an archive in the order of its files. A cursor is a file and a number of posts in it."""

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        self._path = path
        self._settings = settings

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yield the posts, long ones in full.

        Raises BadFile for a file that is damaged or no archive, NoPosts if the account never posted, and FileTooLarge
        if the post files are too large.
        """
        start = _Place.of(cursor) if cursor else None
        archive = self._as_zip()
        placed = self._from_zip(archive, start) if archive else self._from_file(start)
        empty = True
        for page in in_pages(placed, self._settings.page_size, _Place.cursor):
            empty = False
            yield page
        if empty:
            raise NoPosts(mark("The archive has no posts: this account hasn’t posted anything."))

    def _as_zip(self) -> ZipFolder | None:
        try:
            return ZipFolder(self._path)
        except (BadZip, OSError):
            return None

    def _from_file(self, start: _Place | None) -> Iterator[tuple[_Place, Post]]:
        with open_bytes(self._path, self._settings.max_archive_bytes) as source:
            if source.peek(4)[:4] == b"PK\x03\x04":
                raise BadFile(mark("The ZIP is incomplete or damaged. Download it from X again, then upload it again."))
            for index, post in _posts(source, "", Notes(())):
                if start is None or index >= start.index:
                    yield _Place("", index), post

    def _from_zip(self, archive: ZipFolder, start: _Place | None) -> Iterator[tuple[_Place, Post]]:
        with archive:
            files, note_files = post_files(archive, self._settings.max_archive_bytes)
            if start is not None:
                files = list(itertools.dropwhile(lambda file: file.name != start.file, files))
                if not files:
                    raise BadFile(mark("The import began with another archive. Start a new import with this one."))
            notes = self._notes(archive, note_files)
            owner = owner_of_archive(self._path) if files[0].names_authors else None
            for file in files:
                with open_member(archive, file.member) as source:
                    posts = _table_posts(source) if file.is_table else _posts(source, file.name, notes, owner)
                    for index, post in posts:
                        if start is None or file.name != start.file or index >= start.index:
                            yield _Place(file.name, index), post

    def _notes(self, archive: ZipFolder, files: list[PostFile]) -> Notes:
        # These are kept in memory. The limit of an upload is far more than one person writes.
        if sum(file.member.size for file in files) > self._settings.max_file_bytes:
            raise BadFile(
                mark("The file note-tweet.js in the ZIP is far too large to be real, so we didn’t read the ZIP.")
            )
        return Notes(record for file in files for record in self._records_of(archive, file))

    def _records_of(self, archive: ZipFolder, file: PostFile) -> Iterator[Mapping[str, Any]]:
        with open_member(archive, file.member) as source:
            for _, record in _records(source, file.name, _NOTES):
                yield record


def _posts(source: io.BufferedReader, name: str, notes: Notes, owner: str | None = None) -> Iterator[tuple[int, Post]]:
    seen: set[str] = set()
    stem = PurePosixPath(name).stem[:40] or "tweets"
    for index, record in _records(source, name):
        tweet = record.get("tweet", record)
        if not isinstance(tweet, Mapping):
            tweet = {}
        post = post_of(tweet, text_of(tweet) or "", f"{stem}-{index:09}", seen=seen, threads=True)
        full = notes.full_text(post)
        if full is not None:
            post = replace(post, text=storable(unescaped(full)))
        if owner is not None and _author(tweet) not in (None, owner.lower()):
            post = replace(post, is_repost=True)
        yield index, post


def _author(tweet: Mapping[str, Any]) -> str | None:
    """Return the author's name in lower case if the record has it. Some old archives have posts of other people."""
    user = tweet.get("user")
    name = user.get("screen_name") if isinstance(user, Mapping) else None
    return name.lower() if isinstance(name, str) else None


def _table_posts(source: io.BufferedReader) -> Iterator[tuple[int, Post]]:
    seen: set[str] = set()
    text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="replace", newline="")
    rows = tables.rows(line.replace("\x00", "") for line in lines(text, LONGEST_LINE))
    for index, (number, row, full_text) in enumerate(rows):
        yield index, post_of(row, full_text, f"tweets-{number:09}", seen=seen, threads=True)


def _records(
    source: io.BufferedReader, name: str, parts: tuple[bytes, ...] = _POSTS
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the objects of a file that assigns an array to a JavaScript variable. `name` is its path in a ZIP."""
    called: str = PurePosixPath(name).name or Sentence(mark("The file"))
    head = source.peek(CHUNK)[:CHUNK]
    beginning = _BEGINNING.match(head)
    variable = _YTD.match(head)
    if variable and variable.group(1) not in parts:
        what = variable.group(1).decode(errors="replace").replace("_", " ")
        said = mark("This file has the part “%(part)s” of an X archive and no posts. Upload the file data/tweets.js.")
        raise BadFile(said, part=what)
    if beginning is None or not (variable or _GRAILBIRD.match(head)):
        if name:
            said = mark("%(file)s isn’t a file of an X archive. Upload the ZIP that X sent you.")
            raise BadFile(said, file=called)
        raise BadFile(mark("This isn’t a ZIP or an X archive. Upload the ZIP that X sent you."))
    source.read(beginning.end() - 1)
    index = -1
    try:
        for index, record in enumerate(json_stream.items(json_stream.Decoded(source))):
            yield index, record if isinstance(record, dict) else {}
    except UnicodeDecodeError:
        raise BadFile(
            mark("%(file)s is damaged, or was saved again in another encoding. Download the archive again."),
            file=called,
        ) from None
    except json_stream.JSON_ERRORS:
        said = mark("%(file)s is cut off or damaged after post %(number)s. Download the archive again.")
        raise BadFile(said, file=called, number=index + 1) from None
