"""Read an account's ZIP without trusting it: bounded in size, checked against its manifest, never unpacked by names.

A name only selects a file of the form (form.py); nothing is written where a name says.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, Self

from pydantic import ValidationError

from botfactory.files.untrusted import json_of
from botfactory.files.zip_files import BadZip, Member, ZipFolder
from botfactory.words.translatable import mark
from botfactory.your_data import form
from botfactory.your_data.errors import ImportRefused
from botfactory.your_data.form import File, Head, Manifest, place_of

_BLOCK: Final = 1 << 16
#: How many files a ZIP may have beside those of the manifest. Systems add some when they pack it again.
_OTHERS: Final = 1_000
#: The most that all files may have together, as a multiple of the upload. Text shrinks to a tenth at best.
_MAX_RATIO: Final = 100
_MAX_UNPACKED: Final = 200_000_000_000
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DAMAGED: Final = mark("This isn’t a ZIP, or it’s damaged. Download it again from the other Bot Factory.")
_NOT_OURS: Final = mark(
    "This ZIP doesn’t contain the data of a Bot Factory account. Choose the file from “Download all my data”."
)


class Archive:
    """An account's ZIP. Raises ImportRefused if it isn't one, or isn't complete; `check` compares the contents."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = ZipFolder(path)
        except BadZip as error:
            raise ImportRefused(_DAMAGED) from error
        try:
            self.manifest = self._manifest()
            self._files = {file.name: file for file in self.manifest.files}
            self._members = self._listed(path.stat().st_size)
        except BadZip as error:
            self._zip.__exit__()
            raise ImportRefused(_DAMAGED) from error
        except BaseException:
            self._zip.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.__exit__()

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def size(self, name: str) -> int:
        """Return the bytes of a file that is listed."""
        return self._files[name].size

    def things(self, folder: str, description: str) -> list[uuid.UUID]:
        """Return the ids of the things in a folder that have a description, in the order of the manifest."""
        pattern = re.compile(place_of(folder, f"({_UUID})", re.escape(description)))
        found = (pattern.fullmatch(file.name) for file in self.manifest.files)
        return [uuid.UUID(match[1]) for match in found if match]

    def check(self, progress: Callable[[float], None]) -> None:
        """Read everything once and compare it with the manifest; call `progress` with the share that is done.

        Raises ImportRefused for the first file that is damaged.
        """
        whole, done = sum(file.size for file in self.manifest.files) or 1, 0
        for file in self.manifest.files:
            digest = hashlib.sha256()
            for block in self.blocks(file.name):
                digest.update(block)
                done += len(block)
                progress(min(1.0, done / whole))
            if digest.hexdigest() != file.sha256:
                raise _changed(file.name)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        try:
            yield from self._read(self._members[name])
        except BadZip as error:
            raise _changed(name) from error

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the objects of a .jsonl file; none if it isn't there."""
        left = b""
        for block in self.blocks(name) if name in self else ():
            *whole, left = (left + block).split(b"\n")
            for line in whole:
                if line.strip():
                    yield values_of(line, name)
            if len(left) > form.MAX_LINE:
                raise ImportRefused(mark("%(file)s has a line that is too long."), file=name)
        if left.strip():
            yield values_of(left, name)

    def described(self, name: str) -> dict[str, Any]:
        """Return the object in a .json file."""
        return values_of(b"".join(self.blocks(name)), name)

    def copy(self, name: str, target: IO[bytes]) -> None:
        """Write a file to `target`."""
        for block in self.blocks(name):
            target.write(block)

    def _read(self, member: Member) -> Iterator[bytes]:
        reader = self._zip.open(member)
        while block := reader.read(_BLOCK):
            yield block

    def _manifest(self) -> Manifest:
        found: list[Member] = []
        for number, member in enumerate(self._zip.members()):
            if number > form.MAX_FILES + _OTHERS:
                raise ImportRefused(_NOT_OURS)
            if member.name == form.MANIFEST:
                found.append(member)
        if len(found) != 1 or found[0].size > form.MAX_MANIFEST:
            raise ImportRefused(_NOT_OURS)
        values = values_of(b"".join(self._read(found[0])), form.MANIFEST)
        try:
            head = Head.model_validate(values)
        except ValidationError as error:
            raise ImportRefused(_NOT_OURS) from error
        if head.version != form.VERSION:
            raise ImportRefused(
                mark(
                    "This ZIP has version %(found)s of the format, but this Bot Factory reads version %(known)s. "
                    "Update the older one of the two."
                ),
                found=head.version,
                known=form.VERSION,
            )
        try:
            return Manifest.model_validate(values)
        except ValidationError as error:
            raise ImportRefused(_NOT_OURS) from error

    def _listed(self, packed: int) -> dict[str, Member]:
        """Return the members that the manifest lists. Raises ImportRefused for one that is missing or too large."""
        found: dict[str, Member] = {}
        for member in self._zip.members():
            if member.name in found:
                raise ImportRefused(mark("The ZIP contains %(file)s twice."), file=member.name)
            if member.name in self._files:
                found[member.name] = member
        if len(self._files) < len(self.manifest.files):
            raise ImportRefused(_NOT_OURS)
        for file in self.manifest.files:
            if file.name not in found:
                raise ImportRefused(
                    mark("%(file)s is missing from the ZIP. Download it again from the other Bot Factory."),
                    file=file.name,
                )
            if found[file.name].size != file.size:
                raise _changed(file.name)
            if file.size > _most(file):
                raise ImportRefused(mark("%(file)s is too large."), file=file.name)
        if sum(file.size for file in self.manifest.files) > min(_MAX_UNPACKED, packed * _MAX_RATIO):
            raise ImportRefused(mark("This ZIP unpacks to far more than its size, so it isn’t read."))
        return found


def values_of(data: bytes, name: str) -> dict[str, Any]:
    """Return the object in the JSON. Raises ImportRefused for what isn't one, or what a database can't store."""
    try:
        content = json_of(data)
    except ValueError as error:
        raise ImportRefused(mark("%(file)s isn’t valid JSON."), file=name) from error
    if not isinstance(content, dict):
        raise ImportRefused(mark("%(file)s isn’t valid JSON."), file=name)
    return content


def _most(file: File) -> int:
    return form.MAX_DESCRIPTION if file.name.endswith(".json") else _MAX_UNPACKED


def _changed(name: str) -> ImportRefused:
    return ImportRefused(
        mark("%(file)s has changed since the ZIP was made, or is damaged. Download the ZIP again."), file=name
    )
