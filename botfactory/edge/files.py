"""Serve static files compressed and under names that contain their hash, so that browsers keep them for a year.

Each file is made in memory when a page first needs it: no build step, nothing to write, nothing out of date.
Imports of ES modules and addresses in style sheets are rewritten to the hashed names. In a style sheet, each line
`@import "other.css";` is replaced by that file, so a page loads one, and comments are left out. With DEBUG, files are
served as they are.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.utils.decorators import sync_and_async_middleware

_YEAR: Final = 365 * 24 * 3600
#: Under its plain name, a file may change with an upgrade.
_PLAIN_SECONDS: Final = 300
_HASHED: Final = re.compile(r"(?P<stem>.+)\.(?P<hash>[0-9a-f]{12})(?P<ending>\.[^./]+)")
#: An import of a module whose path begins with a dot.
_IMPORTED: Final = re.compile(
    r"""(?P<before>\b(?:from|import)\s*\(?\s*["'])(?P<name>\.{1,2}/[^"'\s]+)(?P<after>["'])"""
)
_NAMED: Final = re.compile(
    r"""(?P<before>url\(\s*["']?|@import\s+["'])(?P<name>[^"')\s:#?]+)(?P<after>[^"')\s]*["']?)"""
)
#: A line of a style sheet that is replaced by the file it imports.
_IMPORT_LINE: Final = re.compile(r"""^@import "(?P<name>[^":\s]+)";$""", re.MULTILINE)
#: A comment of a style sheet, between spaces. One with /*! stays: it names a licence. Texts and addresses have none.
_COMMENT: Final = re.compile(
    r"""(?P<kept>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|url\([^)]*\))|(?<!\S)/\*(?!!)(?:(?!\*/).)*\*/(?!\S)""", re.DOTALL
)
_REFERENCES: Final = {".js": _IMPORTED, ".mjs": _IMPORTED, ".css": _NAMED}
#: The types of files in pages. For others, this machine's table decides.
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".map": "application/json",
    ".woff2": "font/woff2",
}
_PACKED_ALREADY: Final = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".woff", ".woff2", ".gz", ".zip"}

#: The files that refer to the file being made, so that their hash waits for its hash.
_waiting: ContextVar[frozenset[str]] = ContextVar("waiting", default=frozenset())


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A static file as it is served."""

    content_type: str
    body: bytes
    #: None if it wouldn't be smaller.
    packed: bytes | None
    hash: str


@cache
def paths() -> dict[str, Path]:
    """Return all static files by name. Of equal names, the first counts, as in Django's finders."""
    found: dict[str, Path] = {}
    for finder in finders.get_finders():
        for name, storage in finder.list(None):
            prefix = getattr(storage, "prefix", None)
            found.setdefault(posixpath.join(prefix, name) if prefix else name, Path(storage.path(name)))
    return found


@cache
def static_file(name: str) -> StaticFile:
    """Return the file of that name, one of `paths()`, made once."""
    body = paths()[name].read_bytes()
    ending = posixpath.splitext(name)[1].lower()
    if ending in _REFERENCES:
        body = _rewritten(name, body, _REFERENCES[ending])
    packed = b"" if ending in _PACKED_ALREADY else gzip.compress(body, 9, mtime=0)
    return StaticFile(
        content_type=_type_of(name),
        body=body,
        packed=packed if 0 < len(packed) < 0.95 * len(body) else None,
        hash=hashlib.sha256(body).hexdigest()[:12],
    )


def hashed_name(name: str) -> str:
    """Return the name under which browsers keep a file for a year, or the same name if there is no such file."""
    if name not in paths():
        return name
    stem, ending = posixpath.splitext(name)
    return f"{stem}.{static_file(name).hash}{ending}"


def modules_of(name: str) -> list[str]:
    """Return the addresses of a module and of all modules that it imports, directly or through others."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = None
            text = paths()[each].read_text(encoding="utf-8")
            imported = (posixpath.join(posixpath.dirname(each), match["name"]) for match in _IMPORTED.finditer(text))
            waiting += [posixpath.normpath(path) for path in imported]
    return [static(each) for each in found]


def _rewritten(name: str, body: bytes, references: re.Pattern[str]) -> bytes:
    """Return the text of a file with the hashed names of other static files. Unknown names stay.

    The name of a file that refers back to this one stays too, because each hash would depend on the other.
    """
    waiting = _waiting.get() | {name}

    def target_of(found: re.Match[str]) -> str | None:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), found["name"]))
        return None if target in waiting or target not in paths() else target

    def imported(found: re.Match[str]) -> str:
        target = target_of(found)
        if target is None:
            return found[0]
        return _moved(static_file(target).body.decode(), posixpath.dirname(found["name"]))

    def replaced(found: re.Match[str]) -> str:
        target = target_of(found)
        if target is None:
            return found[0]
        hashed = posixpath.basename(hashed_name(target))
        return found["before"] + posixpath.join(posixpath.dirname(found["name"]), hashed) + found["after"]

    token = _waiting.set(waiting)
    try:
        text = body.decode()
        if references is _NAMED:
            text = _IMPORT_LINE.sub(imported, _COMMENT.sub(lambda found: found["kept"] or "", text))
        return references.sub(replaced, text).encode()
    except UnicodeDecodeError:
        return body
    finally:
        _waiting.reset(token)


def _moved(text: str, folder: str) -> str:
    """Return the text of a style sheet in `folder` with addresses relative to the file that imports it."""

    def moved(found: re.Match[str]) -> str:
        is_absolute = found["after"].startswith(":")
        return found[0] if is_absolute else found["before"] + posixpath.join(folder, found["name"]) + found["after"]

    return _NAMED.sub(moved, text)


def _type_of(name: str) -> str:
    ending = posixpath.splitext(name)[1].lower()
    return _TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"


class Storage(StaticFilesStorage):
    """Gives the addresses of static files in pages (`{% static %}`)."""

    def url(self, name: str | None) -> str:
        return super().url(name if settings.DEBUG or name is None else hashed_name(name))


@sync_and_async_middleware
def static_files(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer requests for existing static files."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            if request.path_info.startswith(settings.STATIC_URL):
                # Most files are in memory, but the first request reads and compresses them.
                response = await sync_to_async(_answer, thread_sensitive=False)(request)
                if response is not None:
                    return response
            passed_on: HttpResponseBase = await get_response(request)
            return passed_on

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = _answer(request) if request.path_info.startswith(settings.STATIC_URL) else None
        passed_on: HttpResponseBase = get_response(request) if response is None else response
        return passed_on

    return answer


def _answer(request: HttpRequest) -> HttpResponse | None:
    if request.method not in {"GET", "HEAD"}:
        return None
    name = request.path_info.removeprefix(settings.STATIC_URL)
    if settings.DEBUG:
        return _fresh(name)
    asked = "" if name in paths() else None
    if asked is None and (parts := _HASHED.fullmatch(name)):
        name, asked = parts["stem"] + parts["ending"], parts["hash"]
    if asked is None or name not in paths():
        return None
    file = static_file(name)
    etag = f'W/"{file.hash}"'
    if etag in request.headers.get("If-None-Match", ""):
        response = HttpResponse(status=304)
    else:
        is_packed = file.packed is not None and _takes_gzip(request.headers.get("Accept-Encoding", ""))
        response = HttpResponse(file.packed if is_packed else file.body, content_type=file.content_type)
        response["Content-Length"] = str(len(response.content))
        if is_packed:
            response["Content-Encoding"] = "gzip"
    if file.packed is not None:
        response["Vary"] = "Accept-Encoding"
    response["ETag"] = etag
    if asked == file.hash:
        response["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    elif asked:
        # A page of another version asks, before or after an upgrade. This file is better than none, but isn't kept.
        response["Cache-Control"] = "no-cache"
    else:
        response["Cache-Control"] = f"public, max-age={_PLAIN_SECONDS}"
    return response


def _fresh(name: str) -> HttpResponse | None:
    """Return the file as it is now, for development."""
    try:
        path = finders.find(name)
    except (SuspiciousOperation, ValueError, OSError):
        return None
    if not isinstance(path, str) or not Path(path).is_file():
        return None
    return HttpResponse(Path(path).read_bytes(), content_type=_type_of(name), headers={"Cache-Control": "no-cache"})


def _takes_gzip(accepted: str) -> bool:
    for entry in accepted.lower().split(","):
        coding, _, quality = entry.strip().partition(";")
        if coding.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
