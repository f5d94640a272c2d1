"""`/corpora`: brought as text, by a handle or as a file; listed, got, deleted. What is in them is in reading_api."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO, Final, Literal, TypeVar, cast, get_args

import pydantic
from django.http import HttpRequest
from ninja import Query, Router, Status
from ninja.errors import ValidationError
from pydantic import Field

from botfactory.accounts.models import User
from botfactory.jobs.api import JobOut, queued, told_one
from botfactory.jobs.models import Job
from botfactory.rest import idempotency
from botfactory.rest.access import person
from botfactory.rest.errors import SENTENCES, ApiError, bad_value, not_found, register_errors, status_of
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import VISIBLE, Input, Output, Page, Text, examples
from botfactory.uploaded import name_of
from tweets import costs, deletion, errors, services, whose
from tweets.models import Corpus
from tweets.sources.handles import Network

router = Router(tags=["corpora"])
register_errors(
    {
        errors.CorpusError: 422,
        errors.CorpusBusy: 409,
        errors.NotAsked: 409,
        errors.NotOffered: 409,
        errors.UploadTooLarge: 413,
    }
)

Basis = Literal["own", "permission", "public"]
AskedSchema = TypeVar("AskedSchema", bound=Input)

_ID: Final = "4a7a5f0e-52b0-4a0f-8a71-3f6a5bd7a9d0"
_EXAMPLE: Final = {
    "id": _ID,
    "name": "dril",
    "state": "ready",
    "source": "bluesky",
    "account": "@dril.bsky.social",
    "file_name": None,
    "basis": "public",
    "rules": {"keep_replies": False, "keep_reposts": False},
    "posts_found": 2400,
    "posts_kept": 2100,
    "characters": 190000,
    "dropped": {"reply": 250, "too_short": 50},
    "stored_bytes": 410000,
    "created_at": "2026-11-25T12:00:00.000Z",
}


class _About(Input):
    """What is said of posts, however they are brought."""

    basis: Basis = Field(description="Whose posts these are: your own, of somebody who permits it, a public figure's.")
    name: Text = Field("", max_length=80, description="What the corpus is called; else by the account or the file.")
    account: Text | None = Field(
        None,
        max_length=500,
        description="Of text and files: whose posts these are, as @name of X, @name.bsky.social, @name@server or the "
        "address of the profile. Bots are labeled as a parody of it. Needed with basis public, unless the file is an X "
        "archive that names it.",
    )
    keep_replies: bool = Field(False, strict=True, description="Whether replies to others are learned from.")
    keep_reposts: bool = Field(False, strict=True, description="Whether other people's posts that were passed on are.")


class CorpusIn(_About):
    """Either `text`, or `source` and `handle`."""

    text: Text | None = Field(None, description="Posts, one on each line.", json_schema_extra=VISIBLE)
    source: Network | None = Field(None, description="The network of the account.")
    handle: Text | None = Field(None, max_length=500, description="The account: its handle, or its profile's address.")
    confirm_cost: bool = Field(
        False,
        strict=True,
        description="Of an account of X, whose posts are bought: true says Yes to what they cost. Without it you get "
        "the error cost_not_confirmed, which names posts and dollars, and nothing is bought.",
    )


class CorpusFileIn(_About):
    """The fields beside `file` in a form."""

    column: Text = Field(
        "", max_length=80, description="Of a table the column that holds the posts, of objects the field; else found."
    )


class ColumnIn(Input):
    column: Text = Field(
        min_length=1,
        max_length=80,
        description="The column that holds the posts, or its number.",
        json_schema_extra=VISIBLE,
    )

    model_config = examples({"column": "text"}, base=Input.model_config)


class CorpusOut(Output):
    """The posts of one voice."""

    id: uuid.UUID
    name: str
    state: Literal["importing", "ready", "failed"]
    source: str = Field(description="text, file, x_archive, bluesky, mastodon, x, or blend (made of others).")
    account: str | None = Field(description="Whose posts these are, where that is known.")
    file_name: str | None
    basis: Basis | None = Field(description="Null for what was brought before it was asked.")
    rules: dict[str, Any] = Field(description="How the posts are cleaned.")
    posts_found: int
    posts_kept: int = Field(description="What is learned from, after cleaning.")
    characters: int = Field(description="Of the kept posts.")
    dropped: dict[str, int] = Field(description="How many posts are left out, by reason.")
    stored_bytes: int
    created_at: datetime

    model_config = examples(_EXAMPLE)


class NewCorpusOut(Output):
    """The corpus, and the job that fills it."""

    corpus: CorpusOut
    job: JobOut

    model_config = examples(
        {
            "corpus": {
                **_EXAMPLE,
                "state": "importing",
                "posts_found": 0,
                "posts_kept": 0,
                "characters": 0,
                "dropped": {},
                "stored_bytes": 0,
            },
            "job": queued(kind="import", title="Import dril", corpus=_ID),
        }
    )


class GoneOut(Output):
    """What went with a corpus."""

    posts: int
    files: int
    jobs: int

    model_config = examples({"posts": 2400, "files": 0, "jobs": 1})


def _json_schema() -> dict[str, Any]:
    """Of the fields that say what is brought, those of one of the two ways are there; an account is of a network."""
    nothing, given = {"type": "null"}, {"type": "string"}
    text = {"text": given, "source": nothing, "handle": nothing}
    own = {"enum": [basis for basis in get_args(Basis) if basis != "public"]}
    return CorpusIn.model_json_schema() | {
        "oneOf": [
            {"required": ["text"], "properties": {**text, "basis": own}},
            {
                "required": ["text", "account"],
                "properties": {**text, "basis": {"const": "public"}, "account": {**given, **VISIBLE}},
            },
            {
                "required": ["source", "handle"],
                "properties": {"text": nothing, "source": given, "handle": given, "account": nothing},
            },
        ]
    }


def _form_schema() -> dict[str, Any]:
    schema = CorpusFileIn.model_json_schema()
    file = {
        "type": "string",
        "format": "binary",
        "minLength": 1,
        "description": "A .txt, .csv, .json or .jsonl file or an X archive.",
    }
    return {**schema, "properties": {"file": file, **schema["properties"]}, "required": ["file", *schema["required"]]}


_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _json_schema(),
                "examples": {
                    "handle": {"value": {"source": "bluesky", "handle": "@dril.bsky.social", "basis": "public"}},
                    "text": {"value": {"text": "my first post\nmy second post", "basis": "own", "name": "My posts"}},
                    "parody": {"value": {"text": "a post\nanother post", "basis": "public", "account": "@name"}},
                },
            },
            "multipart/form-data": {"schema": _form_schema()},
        },
    },
    # What can be wrong with any body; the document has the rest.
    "responses": {400: {}, 413: {}, 415: {}},
}


def told(corpus: Corpus) -> CorpusOut:
    """The corpus as the API shows it."""
    return CorpusOut.model_validate(
        {
            "id": corpus.pk,
            "name": corpus.name,
            "state": corpus.state,
            "source": corpus.source,
            "account": corpus.account or None,
            "file_name": corpus.file_name or None,
            "basis": corpus.basis or None,
            "rules": corpus.cleaning_rules.as_dict(),
            "posts_found": corpus.posts_found,
            "posts_kept": corpus.posts_kept,
            "characters": corpus.characters,
            "dropped": corpus.dropped,
            "stored_bytes": corpus.stored_bytes,
            "created_at": corpus.created_at,
        }
    )


@router.get("", response=Page[CorpusOut], summary="List your corpora")
def list_corpora(request: HttpRequest, query: Query[PageQuery]) -> PageDict:
    """Your corpora, the newest first."""
    return page_of(services.corpora_for_user(person(request)), query, lambda rows: map(told, rows))


@router.post("", response={202: NewCorpusOut}, summary="Bring posts", openapi_extra=_BODY)
@idempotency.slow
def create_corpus(request: HttpRequest) -> Status[NewCorpusOut]:
    """A new corpus, whose import is queued: of `text` or of an account as JSON, or of a `file` as multipart/form-data.

    Posts of X cost money: without `confirm_cost` the answer is the error `cost_not_confirmed`, which says how much.
    """
    owner = person(request)
    if request.content_type == "multipart/form-data":
        job = _bring_file(owner, request)
    else:
        asked = _checked(CorpusIn, _json_of(request))
        job = _bring_account(owner, asked) if _is_account(asked) else _bring_text(owner, asked)
    corpus = Corpus.objects.get(pk=job.arguments["corpus"])
    return Status(202, NewCorpusOut(corpus=told(corpus), job=told_one(job)))


@router.get("/{uuid:corpus_id}", response=CorpusOut, summary="Get a corpus")
def get_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> CorpusOut:
    """The corpus as it is now. How far its import is, its job tells: `GET /jobs/{id}`."""
    return told(corpus_or_404(request, corpus_id))


@router.post("/{uuid:corpus_id}/column", response={202: JobOut}, summary="Name the column of a file")
def name_column(request: HttpRequest, corpus_id: uuid.UUID, body: ColumnIn) -> Status[JobOut]:
    """The import that failed with `which_column` is queued again and reads this column; the file is still here.

    409 where no import asks for one.
    """
    corpus = corpus_or_404(request, corpus_id)
    with _about("column"):
        return Status(202, told_one(services.name_column(corpus, body.column)))


@router.delete("/{uuid:corpus_id}", response=GoneOut, summary="Delete a corpus")
def delete_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> GoneOut:
    """The corpus is gone with its posts, files and jobs; how many. Models that learned from it stay."""
    gone = deletion.delete_corpus(corpus_or_404(request, corpus_id), by=person(request))
    return GoneOut(posts=gone.posts, files=gone.files, jobs=gone.jobs)


def _bring_text(owner: User, asked: CorpusIn) -> Job:
    with _about("text"):
        return services.import_text(owner=owner, text=asked.text or "", account=asked.account or "", **_rest(asked))


def _bring_account(owner: User, asked: CorpusIn) -> Job:
    assert asked.source is not None and asked.handle is not None
    with _about("handle"):
        account = whose.account_to_bring(asked.handle, network=asked.source)
        cursor = ""
        # The address of a profile says by itself whose network it is.
        if account.network == "x":
            if not asked.confirm_cost:
                estimate = costs.of_account(account, owner=owner)
                costs.remember(estimate, owner)
                message = f"{estimate} No post is bought yet: send the same again with confirm_cost true."
                raise bad_value("confirm_cost", message, code="cost_not_confirmed")
            cursor = costs.remembered_cursor(owner=owner, account=account)
        return services.import_handle(
            owner=owner, handle=asked.handle, network=asked.source, cursor=cursor, **_rest(asked)
        )


def _bring_file(owner: User, request: HttpRequest) -> Job:
    more = sorted(set(request.FILES) - {"file"})
    # A form knows text only.
    known = {"true": True, "false": False}
    answers = {name: known.get(str(text), text) for name, text in request.POST.items() if name.startswith("keep_")}
    asked = _checked(CorpusFileIn, request.POST.dict() | answers | dict.fromkeys(more))
    file = request.FILES.get("file")
    if file is None or file.file is None:
        raise bad_value("file", "file is missing in the form: it is the file that holds the posts.", code="missing")
    with _about("file"):
        return services.import_file(
            owner=owner,
            file=cast(BinaryIO, file.file),
            file_name=name_of(file),
            account=asked.account or "",
            column=asked.column,
            **_rest(asked),
        )


def _rest(asked: _About) -> dict[str, Any]:
    return {
        "basis": asked.basis,
        "name": asked.name,
        "keep_replies": asked.keep_replies,
        "keep_reposts": asked.keep_reposts,
    }


def _is_account(asked: CorpusIn) -> bool:
    """Whether an account is asked for, False for text. ApiError where it is neither, or both."""
    is_account = asked.source is not None or asked.handle is not None
    if asked.text is not None:
        if is_account:
            raise bad_value("text", "Send either text, or source and handle: they are different corpora.")
        return False
    if not is_account:
        message = "There are no posts in this: send text, or source and handle, or a file as multipart/form-data."
        raise bad_value("text", message, code="missing")
    if asked.account is not None:
        raise bad_value("account", "source and handle name the account already: leave account out.")
    for name in ("source", "handle"):
        if getattr(asked, name) is None:
            raise bad_value(
                name, f"{name} is missing in the body: an account has a source and a handle.", code="missing"
            )
    return True


def _json_of(request: HttpRequest) -> Any:
    if request.content_type not in ("", "application/json") and request.body:
        raise ApiError(415, "unsupported_media_type", "Send JSON (application/json), or a file as multipart/form-data.")
    try:
        return json.loads(request.body) if request.body else None
    except (ValueError, RecursionError):
        raise ApiError(400, *SENTENCES[400]) from None


def _checked(schema: type[AskedSchema], values: Any) -> AskedSchema:
    """What was sent as the schema has it; errors are those of any other operation."""
    if not isinstance(values, dict):
        raise ApiError(422, "missing", "Send a JSON object as the body of this request, or a form with a file.")
    try:
        return schema.model_validate(values)
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise ValidationError([{**one, "loc": ("body", "body", *one["loc"])} for one in found]) from None


@contextmanager
def _about(param: str) -> Iterator[None]:
    """What a service says against it is said of this field, or of the account that was named beside it."""
    try:
        yield
    except errors.CorpusError as error:
        about_account = errors.AccountNeeded, errors.BadHandle, errors.OptedOut
        if isinstance(error, about_account) and param in ("text", "file"):
            param = "account"
        raise ApiError(status_of(error) or 422, error.code, str(error), param=param) from None


def corpus_or_404(request: HttpRequest, corpus_id: uuid.UUID) -> Corpus:
    try:
        return services.corpus_for_user(person(request), corpus_id)
    except Corpus.DoesNotExist:
        raise not_found("corpus") from None
