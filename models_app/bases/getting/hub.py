"""The API of the Hugging Face Hub, or of the mirror that HF_ENDPOINT names: what a repository has, and its files.

We ask it ourselves, with the client for servers that people name (botfactory/net). The package huggingface_hub checks
no sha256, can't be cancelled, keeps a cache of links and sends what it knows of the machine with each request.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from django.conf import settings

from botfactory.net import Answer, Client, Incoming, NetError, Patience, Unavailable
from models_app.bases.getting.suggested import suggested
from models_app.bases.services import BaseError
from models_app.ml.errors import Said, mark
from models_app.ml.networks.llama.hugging_face import CONFIG, INDEX, TOKENIZER, WEIGHTS

if TYPE_CHECKING:
    from hashlib import _Hash

#: What a revision is called if nobody names one.
MAIN: Final = "main"
README: Final = "README.md"
#: Without a byte for so long, a download is asked for again, from where it stopped. A cancel waits for that at most.
PATIENCE: Final = Patience(timeout_seconds=10.0, total_seconds=30.0, max_answer_bytes=20_000_000)
_USER_AGENT: Final = "BotFactory/0.1 (gets a model when an administrator asks for it)"
#: What repositories, and their branches, tags and commits, are called.
REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9._-]{1,96})?")
REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_COMMIT: Final = re.compile("[0-9a-f]{40}")
_SHA256: Final = re.compile("[0-9a-f]{64}")
_SHARD: Final = re.compile(r"model-[0-9]{5}-of-[0-9]{5}\.safetensors")
_MAX_BYTES: Final = 10**13
_LONGEST: Final = 100


class HubError(Said, BaseError):
    """The hub has no model that we can get; the message says why."""

    code = "hub_error"


class HubUnavailable(HubError):
    """The hub doesn't answer at the moment. Another try may help."""

    code = "hub_unavailable"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a commit. `sha256` is "" for a small one, which `git_sha1` identifies: the id of its blob in git."""

    name: str
    bytes: int
    sha256: str
    git_sha1: str

    def digest(self) -> _Hash:
        """Return the hash to feed with the content, whose result is `expected`."""
        if self.sha256:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.bytes, usedforsecurity=False)

    @property
    def expected(self) -> str:
        return self.sha256 or self.git_sha1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a model's repository has at a commit: the files that we need, the smallest first."""

    repository: str
    commit: str
    files: tuple[HubFile, ...]
    licence: str
    languages: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Snapshot:
        files = tuple(HubFile(**file) for file in values["files"])
        return cls(**{**values, "files": files, "languages": tuple(values["languages"])})


def repository_named(text: str) -> str:
    """Return the name of a repository, `owner/name`, also if the address of its page is given. Raises HubError."""
    name = text.strip()
    if "://" in name:
        name = "/".join(urlsplit(name).path.strip("/").split("/")[:2])
    if not REPOSITORY.fullmatch(name):
        message = mark("%(name)s isn’t the name of a repository. Write it as owner/name: HuggingFaceTB/SmolLM2-360M.")
        raise HubError(message, name=text.strip()[:_LONGEST] or "–")
    return name


def revision_named(text: str, usual: str) -> str:
    """Return the branch, tag or commit that is named, or the usual one. Raises HubError."""
    revision = text.strip() or usual
    if not REVISION.fullmatch(revision):
        message = mark("%(revision)s isn’t the name of a branch or a tag, nor a commit. Write main, for example.")
        raise HubError(message, revision=revision[:_LONGEST])
    return revision


def look(repository: str, revision: str = MAIN) -> Snapshot:
    """Ask the hub what the repository has at this branch, tag or commit. Raises HubError."""
    repository, revision = repository_named(repository), revision_named(revision, MAIN)
    path = f"/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
    answer = _get(settings.HF_ENDPOINT + path)
    require_good(answer.status, answer.headers, repository, revision)
    try:
        found = _snapshot(json.loads(answer.body), repository)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        message = mark("%(host)s doesn’t answer as the Hugging Face Hub does. Check HF_ENDPOINT.")
        raise HubError(message, host=host()) from error
    _require_suggested(found)
    return found


def _require_suggested(snapshot: Snapshot) -> None:
    """Raise HubError if the hub says something else of a suggested commit than we know."""
    known = suggested(snapshot.repository)
    if known is None or known.commit != snapshot.commit:
        return
    if known.sha256 not in {file.sha256 for file in snapshot.files}:
        message = mark(
            "%(host)s has other weights for %(repository)s than the ones that we know, under the same commit. "
            "Check HF_ENDPOINT."
        )
        raise HubError(message, host=host(), repository=snapshot.repository)


def small_file(snapshot: Snapshot, name: str) -> bytes:
    """Return the content of a small file of the snapshot. Raises HubError if it isn't the file of that commit."""
    file = next(each for each in snapshot.files if each.name == name)
    answer = _get(_address(snapshot, file))
    require_good(answer.status, answer.headers, snapshot.repository, snapshot.commit)
    digest = file.digest()
    digest.update(answer.body)
    if digest.hexdigest() != file.expected:
        raise damaged(file)
    return answer.body


def stream(snapshot: Snapshot, file: HubFile, begin: int) -> AbstractContextManager[Incoming]:
    """Ask for a file from this byte on, and yield the answer, whatever its status. Raises NetError."""
    headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    return _client().stream(_address(snapshot, file), headers)


def require_good(status: int, headers: Mapping[str, str], repository: str, revision: str) -> None:
    """Return if the status is 200 or 206. Raises HubError or HubUnavailable."""
    if status in (200, 206):
        return
    code = headers.get("x-error-code", "")
    if code == "GatedRepo":
        raise _gated(repository)
    if code == "RevisionNotFound":
        message = mark("%(repository)s has no branch, tag or commit %(revision)s.")
        raise HubError(message, repository=repository, revision=revision)
    if code == "EntryNotFound":
        message = mark("A file of %(repository)s is no longer on %(host)s. Look at the repository again.")
        raise HubError(message, repository=repository, host=host())
    # The hub answers 401 for names that it doesn't know, too, since they could be private.
    if code == "RepoNotFound" or status in (401, 403, 404, 410):
        message = mark("%(host)s has no public repository %(repository)s. Check the spelling of its name.")
        raise HubError(message, host=host(), repository=repository)
    if status == 429 or status >= 500:
        message = mark("%(host)s can’t answer at the moment (status %(status)s). Try again in a few minutes.")
        raise HubUnavailable(message, host=host(), status=str(status))
    message = mark("%(host)s refuses to answer (status %(status)s). Check HF_ENDPOINT.")
    raise HubError(message, host=host(), status=str(status))


def error_of(error: NetError) -> HubError:
    """Return what to raise if a request didn't succeed."""
    kind = HubUnavailable if isinstance(error, Unavailable) else HubError
    said = error.message
    return kind(said.template if said.values.get("count") == 1 or not said.plural else said.plural, **said.values)


def cut() -> HubUnavailable:
    """Return what to raise if a download ends before the file is complete."""
    return HubUnavailable(mark("%(host)s stopped in the middle of its answer."), host=host())


def damaged(file: HubFile) -> HubError:
    """Return what to raise if a file's content isn't what its commit says."""
    message = mark(
        "%(file)s isn’t what %(host)s says it is: its checksum differs. It was deleted. Try again to download it anew."
    )
    return HubError(message, file=file.name, host=host())


def host() -> str:
    return urlsplit(settings.HF_ENDPOINT).netloc


def _client() -> Client:
    # The operator chose this server, so it may be in a private network; where it sends us to may not.
    return Client(PATIENCE, trusted=[settings.HF_ENDPOINT])


def _get(address: str) -> Answer:
    try:
        return _client().get(address, {"User-Agent": _USER_AGENT})
    except NetError as error:
        raise error_of(error) from error


def _address(snapshot: Snapshot, file: HubFile) -> str:
    return f"{settings.HF_ENDPOINT}/{snapshot.repository}/resolve/{snapshot.commit}/{quote(file.name)}"


def _gated(repository: str) -> HubError:
    message = mark(
        "%(repository)s is only for people who accepted its terms on %(host)s. Download it there with your account, "
        "then add its folder with `manage.py add_base`."
    )
    return HubError(message, repository=repository, host=host())


def _snapshot(content: Mapping[str, Any], repository: str) -> Snapshot:
    """Return what the hub says. Raises HubError, and ValueError, TypeError and so on for what it wouldn't say."""
    if content.get("gated") or content.get("private"):
        raise _gated(repository)
    # A repository that has moved is under its new name.
    repository = repository_named(str(content.get("id", repository)))
    commit = content["sha"]
    if not _COMMIT.fullmatch(commit):
        raise ValueError("no commit")
    there = {str(each["rfilename"]): each for each in content["siblings"]}
    shards = sorted(filter(_SHARD.fullmatch, there))
    weights = [INDEX, *shards] if INDEX in there and shards and WEIGHTS not in there else [WEIGHTS]
    for name in (CONFIG, TOKENIZER, *weights):
        if name not in there:
            message = mark(
                "%(repository)s lacks %(file)s. Choose a repository with safetensors files, or upload a .gguf file."
            )
            raise HubError(message, repository=repository, file=name)
    names = [CONFIG, TOKENIZER, *weights, *([README] if README in there else [])]
    about = content.get("cardData") or {}
    languages = about.get("language") or ()
    return Snapshot(
        repository=repository,
        commit=commit,
        files=tuple(sorted((_file(name, there[name]) for name in names), key=lambda file: file.bytes)),
        licence=str(about.get("license_name") or about.get("license") or "")[:_LONGEST],
        languages=tuple(str(code)[:20] for code in ([languages] if isinstance(languages, str) else languages))[:200],
    )


def _file(name: str, about: Mapping[str, Any]) -> HubFile:
    large = about.get("lfs") or {}
    size = large.get("size", about["size"])
    file = HubFile(name, size, str(large.get("sha256", "")), str(about["blobId"]))
    is_size = isinstance(size, int) and not isinstance(size, bool) and 0 < size < _MAX_BYTES
    if not is_size or not (_SHA256 if file.sha256 else _COMMIT).fullmatch(file.expected):
        raise ValueError(f"no size or checksum of {name}")
    return file
