"""A corpus as part of an account's ZIP: what describes it, and its posts. Restoring it trusts neither."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from botfactory.accounts.models import User
from botfactory.files.chunks import batches
from botfactory.files.untrusted import Facts, InUtc, MadeAt
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.words.plurals import on_one_line
from botfactory.words.translatable import mark
from botfactory.your_data.parts import CantMove, Import, Things
from tweets.cleaning import CleaningRules
from tweets.cleaning.rules import RulesError
from tweets.corpora import audit, export, idle, services, whose
from tweets.corpora.clean_corpus import clean
from tweets.corpora.errors import AccountNeeded, BadHandle, CorpusError
from tweets.corpora.rows import insert
from tweets.models import BLEND, EXAMPLE, AuditEntry, Corpus
from tweets.sources import base
from tweets.sources.accounts import account_of
from tweets.sources.demo import POSTS as EXAMPLE_POSTS
from tweets.sources.registry import SOURCES, is_network

CHUNK: Final = 2_000
_KEYS: Final = 500
_MAX_PARTS: Final = 20
#: Characters of the longest DID, by the AT Protocol. Ids of other networks are shorter.
_MAX_ID: Final = 2_048

Fence = Callable[[], AbstractContextManager[None]]


class BadCorpus(CorpusError):
    """The description or a post isn't as this version writes it."""

    code = "bad_corpus"


def describe(corpus: Corpus) -> dict[str, Any]:
    """Return all about the corpus but its posts, as JSON-ready values."""
    return {
        "id": str(corpus.pk),
        "name": corpus.name,
        "source": corpus.source,
        "basis": corpus.basis,
        "network": corpus.network,
        "handle": corpus.handle,
        "account_id": corpus.account_id,
        "file_name": corpus.file_name,
        "state": corpus.state,
        "is_complete": corpus.is_complete,
        "parts": corpus.parts,
        "rules": corpus.cleaning_rules.as_dict(),
        "posts_found": corpus.posts_found,
        "posts_kept": corpus.posts_kept,
        "characters": corpus.characters,
        "dropped": corpus.dropped,
        "created_at": corpus.created_at.isoformat(),
    }


class Part(Facts):
    """A part of a blend."""

    corpus: uuid.UUID
    name: str = Field(max_length=80)
    source: str = Field(max_length=16)
    handle: str = Field(max_length=320)
    network: str = Field("", max_length=16)
    weight: int = Field(ge=0, le=1_000)
    posts: int = Field(ge=0, le=1_000_000_000)


class CorpusFacts(Facts):
    """What `describe` returns, as far as it counts for a new corpus. The rest is counted again."""

    id: uuid.UUID
    name: str = Field(min_length=1, max_length=80)
    source: str = Field(max_length=16)
    basis: Literal["", "own", "permission", "public"]
    network: str = Field("", max_length=16)
    handle: str = Field("", max_length=320)
    account_id: str = Field("", max_length=_MAX_ID)
    file_name: str = Field("", max_length=200)
    parts: tuple[Part, ...] = Field((), max_length=_MAX_PARTS)
    rules: dict[str, Any]
    created_at: MadeAt


class PostFacts(Facts):
    """A line of the posts, without the result of cleaning."""

    id: str = Field(min_length=1, max_length=64)
    text: str
    created_at: InUtc | None = None
    is_repost: bool = False
    is_reply: bool = False
    is_quote: bool = False
    has_warning: bool = False
    is_removed: bool = False


def read(values: Mapping[str, Any]) -> CorpusFacts:
    """Return the description of a corpus that may be restored here. Raises CorpusError."""
    try:
        facts = CorpusFacts.model_validate(values)
        CleaningRules.from_dict(facts.rules)
    except (ValidationError, RulesError, TypeError) as error:
        raise BadCorpus(mark("This version can’t read its description.")) from error
    if facts.source not in SOURCES and facts.source != BLEND:
        raise BadCorpus(mark("This Bot Factory doesn’t know where these posts come from."))
    for network, handle in [(facts.network or facts.source, facts.handle), *map(_account_of, facts.parts)]:
        whose.require_none_opted_out(network, handle)
    if facts.basis == Corpus.Basis.PUBLIC.value and not facts.handle and facts.source != BLEND:
        raise AccountNeeded(mark("These are posts of a public figure, but the ZIP doesn’t name the account."))
    if is_network(facts.source):
        _require_account(facts)
    return facts


def _restore(values: Mapping[str, Any], content: str, run: Import) -> Corpus:
    try:
        facts = read(values)
        return restore(
            facts,
            owner=run.job.owner,
            number=run.numbers(facts.id),
            numbers=run.numbers,
            posts=partial(run.archive.lines, content),
            fenced=run.fenced,
            check=run.check,
        )
    except CorpusError as error:
        raise CantMove(error.args[0]) from error


def restore(
    facts: CorpusFacts,
    *,
    owner: User,
    number: uuid.UUID,
    numbers: Callable[[uuid.UUID], uuid.UUID],
    posts: Callable[[], Iterable[Mapping[str, Any]]],
    fenced: Fence,
    check: Callable[[], None],
) -> Corpus:
    """Create the corpus `number` with these posts and clean them. Repeated, it continues what was interrupted.

    Once it has been restored, its owner may use it, so it's returned as it is. `numbers` returns the new id of another
    corpus of the ZIP; `posts` reads the lines, each time from the start; `check` is called now and then. Raises
    CorpusError, before anything is created if a line is invalid, and CorpusGone if its owner deletes it meanwhile.
    """
    there = Corpus.objects.filter(pk=number, is_complete=True).first()
    if there is not None and (there.is_ready or idle.busy_jobs(there).exists()):
        with fenced():
            services.forget_upload(there)
        return there
    found = 0
    known = set(EXAMPLE_POSTS.read_text(encoding="utf-8").splitlines()) if facts.source == EXAMPLE else None
    for chunk in _chunks(posts()):
        check()
        found += len(chunk)
        if known is not None and not all(post.text in known for post in chunk):
            raise BadCorpus(mark("These aren’t the posts of the example."))
    if not found:
        raise BadCorpus(mark("It contains no posts."))
    corpus = _begin(facts, owner=owner, number=number, numbers=numbers, fenced=fenced)
    held = partial(_held, corpus, fenced)
    for chunk in _chunks(posts()):
        check()
        with held():
            insert(corpus, map(_post, chunk))
            removed = [post.id for post in chunk if post.is_removed]
            for start in range(0, len(removed), _KEYS):
                corpus.posts.filter(key__in=removed[start : start + _KEYS]).update(is_removed=True)
    with held():
        corpus.posts_found, corpus.is_complete = corpus.posts.count(), True
        corpus.save(update_fields=["posts_found", "is_complete"])
    for _share in clean(corpus, fenced=held):
        check()
    with held():
        services.forget_upload(corpus)
    return corpus


@contextmanager
def _held(corpus: Corpus, fenced: Fence) -> Iterator[None]:
    """Open the fence with the corpus locked. Raises CorpusGone."""
    with fenced():
        idle.lock(corpus)
        yield


def _begin(
    facts: CorpusFacts,
    *,
    owner: User,
    number: uuid.UUID,
    numbers: Callable[[uuid.UUID], uuid.UUID],
    fenced: Fence,
) -> Corpus:
    parts = [
        part.model_dump(mode="json") | {"corpus": str(numbers(part.corpus)), "name": on_one_line(part.name)}
        for part in facts.parts
    ]
    values = {
        "owner": owner,
        "name": on_one_line(facts.name) or "Posts",
        "source": facts.source,
        "basis": facts.basis,
        "network": facts.network,
        "handle": on_one_line(facts.handle),
        "account_id": facts.account_id,
        "file_name": on_one_line(facts.file_name),
        "parts": parts,
        "rules": CleaningRules.from_dict(facts.rules).as_dict(),
        "created_at": facts.created_at,
    }
    with fenced():
        corpus, is_new = Corpus.objects.get_or_create(pk=number, defaults=values)
        Corpus.objects.filter(pk=number).update(state=Corpus.State.IMPORTING)
        corpus.state = Corpus.State.IMPORTING
        if is_new:
            audit.record_corpus(
                AuditEntry.Action.IMPORT, corpus, by=owner, source=corpus.source, basis=corpus.basis, moved=True
            )
    return corpus


def give_up(numbers: Iterable[uuid.UUID]) -> None:
    """Mark those of the corpora whose restoring was interrupted as failed."""
    interrupted = Corpus.objects.filter(pk__in=list(numbers), state=Corpus.State.IMPORTING)
    # Some may be complete, and their owner cleans them again.
    busy = jobs.active_jobs(Job.objects.filter(subject_id__in=interrupted.values("pk"))).values("subject_id")
    interrupted.exclude(pk__in=busy).update(state=Corpus.State.FAILED)


def _account_of(part: Part) -> tuple[str, str]:
    return part.network or part.source, part.handle


def _require_account(facts: CorpusFacts) -> None:
    """Raise BadHandle unless a source that is a network has an account of it."""
    handle = facts.handle if facts.handle.startswith("did:") else f"@{facts.handle}"
    try:
        account = account_of(handle, network=facts.source)
    except ValueError as error:
        raise BadHandle(mark("It doesn’t name an account of the network that the posts come from.")) from error
    if account.network != facts.source:
        raise BadHandle(mark("It doesn’t name an account of the network that the posts come from."))


def _chunks(lines: Iterable[Mapping[str, Any]]) -> Iterator[list[PostFacts]]:
    for some in batches(lines, CHUNK):
        try:
            yield [PostFacts.model_validate(line) for line in some]
        except ValidationError as error:
            raise BadCorpus(mark("One of its posts isn’t in the format that this version uses.")) from error


def _post(facts: PostFacts) -> base.Post:
    marks = (facts.is_repost, facts.is_reply, facts.is_quote, facts.has_warning)
    return base.Post(facts.id, facts.text, facts.created_at, *marks)


def _exported(user: User) -> None:
    audit.record(AuditEntry.Action.EXPORT, by=user, about=f"account {user.get_username()}")


CORPORA: Final = Things(
    folder="corpora",
    description="corpus.json",
    content="posts.jsonl",
    limit="corpora",
    rows=lambda user: Corpus.objects.filter(owner=user),
    describe=describe,
    pieces=export.pieces_of,
    restore=_restore,
    shown=lambda corpus: {"id": str(corpus.pk), "name": corpus.name, "posts": corpus.posts_found},
    needs_content=True,
    exported=_exported,
    give_up=give_up,
)
