"""The files that preparations read and write: inputs below RAW_POSTS_DIR, prepared corpora below TRAINING_DIR."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings as site
from django.utils.translation import gettext as _

from models_app.base_models.services import BaseError
from tweets.preparation.preparing import REPORT

MAX_FILES: Final = 1000
MAX_NAME: Final = 60
#: In a prepared corpus: the id of the job that made it.
JOB_FILE: Final = "job.txt"
#: How the folder of a corpus begins whose preparation hasn't ended. The names of files in it are never offered.
_UNFINISHED: Final = ".preparing-"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class NameTaken(BaseError):
    """There is already a corpus of this name."""

    code = "name_taken"


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file that can be prepared. `name` is relative to RAW_POSTS_DIR."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared corpus. `files` has the paths of its parts below TRAINING_DIR; `report` is its report.json."""

    name: str
    files: dict[str, str]
    report: dict[str, Any]


def raw_files() -> list[RawFile]:
    """Return the files below RAW_POSTS_DIR, by name. Links and hidden files don't count, whatever they lead to."""
    root = Path(site.RAW_POSTS_DIR)
    found = [RawFile(path.relative_to(root).as_posix(), path.stat().st_size) for path in _regular_files(root)]
    return sorted(found, key=lambda file: file.name)[:MAX_FILES]


def _regular_files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):  # doesn't follow links to folders
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def raw_file(name: str) -> Path:
    """Return the path of a file that can be prepared. Raises BaseError if there is none of this name."""
    path, parts = Path(site.RAW_POSTS_DIR), name.split("/")
    try:
        for part in parts:
            path /= part
            # Each part is a name, so the path can't leave the folder; a link could.
            if not part or part.startswith(".") or "\0" in part or path.is_symlink():
                raise _no_file(name)
        if not path.is_file():
            raise _no_file(name)
    except OSError as error:  # such as a name that is too long
        raise _no_file(name) from error
    return path


def _no_file(name: str) -> BaseError:
    message = _("There is no file %(name)s in %(directory)s.")
    return BaseError(message % {"name": name, "directory": site.RAW_POSTS_DIR})


def checked_name(name: str) -> str:
    """Return the name of a new corpus. Raises BaseError if it's no plain name, or taken."""
    name = name.strip()
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        message = _(
            "The name of a corpus can have at most %(most)s characters: unaccented letters, digits, hyphens and "
            "underscores."
        )
        raise BaseError(message % {"most": MAX_NAME})
    if folder_of(name).exists():
        raise NameTaken(_("There is already a corpus %(name)s. Choose another name.") % {"name": name})
    return name


def folder_of(name: str) -> Path:
    return Path(site.TRAINING_DIR) / name


def unfinished(job: object, attempt: int) -> Path:
    """Return the folder in which an attempt at a job works, beside the corpora, so that it's moved in one step."""
    return Path(site.TRAINING_DIR) / f"{_UNFINISHED}{job}-{attempt}"


def remove_unfinished(job: object) -> None:
    """Delete what attempts at the job have left."""
    for folder in Path(site.TRAINING_DIR).glob(f"{_UNFINISHED}{job}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(folder: Path, name: str) -> str:
    """Make the folder a prepared corpus of this name, or of the next free one. Return the name."""
    number = 1
    free = name
    while folder_of(free).exists():
        number += 1
        free = f"{name}-{number}"
    folder.rename(folder_of(free))
    return free


def made_by(job: object) -> Prepared | None:
    """Return the corpus that the job has made, if any."""
    for folder in _folders():
        made = folder / JOB_FILE
        if made.is_file() and made.read_text(encoding="utf-8").strip() == str(job):
            return _prepared(folder)
    return None


def prepared() -> list[Prepared]:
    """Return all prepared corpora directly below TRAINING_DIR, also those of the command, by name."""
    return [found for folder in _folders() if (found := _prepared(folder)) is not None]


def _folders() -> list[Path]:
    root = Path(site.TRAINING_DIR)
    if not root.is_dir():
        return []
    found = (path for path in root.iterdir() if not path.name.startswith(".") and not path.is_symlink())
    return sorted(path for path in found if path.is_dir())


def _prepared(folder: Path) -> Prepared | None:
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        files = {part: f"{folder.name}/{about['file']}" for part, about in report["parts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Somebody else's folder.
        return None
    return Prepared(folder.name, files, report)
