"""What the API's operations on corpora take and return."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field

from botfactory.jobs.api import JobOut, queued
from botfactory.rest.schemas import VISIBLE, Input, Output, Text, examples, one_of
from tweets.models import BLEND
from tweets.pages.ways import LONGEST_TYPED
from tweets.sources.registry import SOURCES, networks, uploads

#: The document is in English, whatever the language of the first request.
_HANDLES: Final = ", ".join(f"{kind.example} ({kind.label})" for kind in networks().values())
Basis = Literal["own", "permission", "public"]

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


NetworkName = Annotated[str, *one_of(networks)]


class About(Input):
    """What every import says about its posts."""

    basis: Basis = Field(description="Whose posts these are: yours, somebody's who permits it, or a public figure's.")
    name: Text = Field("", max_length=80, description="The name of the corpus. Default: the account or the file.")
    account: Text | None = Field(
        None,
        max_length=LONGEST_TYPED,
        description=f"For text and files, the account that wrote the posts: {_HANDLES}, or the address of "
        "the profile. Bots are labeled as a parody of it. Required with basis public, unless the file names the "
        "account, as an X archive does.",
    )
    keep_replies: bool = Field(False, strict=True, description="Whether the bot learns from replies to others.")
    keep_reposts: bool = Field(False, strict=True, description="Whether the bot learns from other people's posts.")


class CorpusIn(About):
    """Either `text`, or `source` and `handle`."""

    text: Text | None = Field(None, description="Posts, one on each line.", json_schema_extra=VISIBLE)
    source: NetworkName | None = Field(None, description="The network of the account.")
    handle: Text | None = Field(
        None, max_length=LONGEST_TYPED, description="The account: its handle, or the address of its profile."
    )
    confirm_cost: bool = Field(
        False,
        strict=True,
        description="For an account of X, whose posts cost money: true accepts the cost. Without it, the answer is the "
        "error cost_not_confirmed, which says how many posts and dollars, and nothing is bought.",
    )


class ExampleIn(Input):
    """The posts of an invented person that come with Bot Factory."""

    source: Literal["demo"] = Field(description="The example.")
    name: Text = Field("", max_length=80, description="The name of the corpus. Default: the name of the person.")


class CorpusFileIn(About):
    """The fields beside `file` in a form."""

    column: Text = Field(
        "",
        max_length=80,
        description="The column of a table, or the field of objects, that contains the posts. Default: it is detected.",
    )


class ColumnIn(Input):
    """The answer to an import that asked for a column."""

    column: Text = Field(
        min_length=1,
        max_length=80,
        description="The column that contains the posts, or its number.",
        json_schema_extra=VISIBLE,
    )

    model_config = examples({"column": "text"}, base=Input.model_config)


class CorpusOut(Output):
    """The posts of one voice."""

    id: uuid.UUID
    name: str
    state: Literal["importing", "ready", "failed"]
    source: str = Field(description=f"{', '.join(SOURCES)}, or {BLEND} (made from other corpora).")
    account: str | None = Field(description="Whose posts these are, if known.")
    file_name: str | None
    basis: Basis | None = Field(description="Null for corpora from before this was asked.")
    rules: dict[str, Any] = Field(description="How the posts are cleaned.")
    posts_found: int
    posts_kept: int = Field(description="The posts that bots learn from, after cleaning.")
    characters: int = Field(description="Characters of the kept posts.")
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
    """What was deleted with a corpus."""

    posts: int
    files: int
    jobs: int

    model_config = examples({"posts": 2400, "files": 0, "jobs": 1})


def json_schema() -> dict[str, Any]:
    """Return the schema of a JSON body: the fields of a text, of an account or of the example, but only one of them."""
    nothing, given = {"type": "null"}, {"type": "string"}
    text = {"text": given, "source": nothing, "handle": nothing}
    own = {"enum": [basis for basis in get_args(Basis) if basis != "public"]}
    posts = CorpusIn.model_json_schema() | {
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
    return {"oneOf": [posts, ExampleIn.model_json_schema()]}


def form_schema() -> dict[str, Any]:
    """Return the schema of a form with a file."""
    schema = CorpusFileIn.model_json_schema()
    described = " or ".join(kind.at_terminal for kind in uploads())
    file = {"type": "string", "format": "binary", "minLength": 1, "description": f"The posts: {described}."}
    return {**schema, "properties": {"file": file, **schema["properties"]}, "required": ["file", *schema["required"]]}


def body() -> dict[str, Any]:
    """Return what the OpenAPI document says about the body of an import, for `openapi_extra`."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": json_schema(),
                    "examples": {
                        "handle": {"value": {"source": "bluesky", "handle": "@dril.bsky.social", "basis": "public"}},
                        "text": {"value": {"text": "my first post\nmy second post", "basis": "own", "name": "Mine"}},
                        "example": {"value": {"source": "demo"}},
                        "parody": {"value": {"text": "a post\nanother post", "basis": "public", "account": "@name"}},
                    },
                },
                "multipart/form-data": {"schema": form_schema()},
            },
        },
        # What can be wrong with any body. The document already has the rest.
        "responses": {400: {}, 413: {}, 415: {}},
    }
