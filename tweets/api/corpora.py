"""`/corpora`: import text, an account or a file; list, get and delete corpora. reading_api shows what is in them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar, cast

import pydantic
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status
from ninja.errors import ValidationError

from botfactory.accounts.models import User
from botfactory.files.uploaded import name_of
from botfactory.jobs.api import JobOut, told_one
from botfactory.jobs.models import Job
from botfactory.rest import idempotency
from botfactory.rest.access import person
from botfactory.rest.errors import SENTENCES, ApiError, bad_value, not_found, register_errors, status_of
from botfactory.rest.interface import require_once
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import Input, Page
from botfactory.words.translation import translated
from tweets.api import schemas
from tweets.api.schemas import About, ColumnIn, CorpusFileIn, CorpusIn, CorpusOut, ExampleIn, GoneOut, NewCorpusOut
from tweets.corpora import deletion, errors, offered, services, whose
from tweets.importing import costs, demo
from tweets.models import EXAMPLE, Corpus

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

AskedSchema = TypeVar("AskedSchema", bound=Input)


def told(corpus: Corpus) -> CorpusOut:
    """Return the corpus as the API shows it."""
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
    """Return your corpora, newest first."""
    return page_of(services.corpora_for_user(person(request)), query, lambda rows: map(told, rows))


@router.post("", response={202: NewCorpusOut}, summary="Import posts", openapi_extra=schemas.body())
@idempotency.slow
def create_corpus(request: HttpRequest) -> Status[NewCorpusOut]:
    """Create a corpus and queue its import. Send `text` or an account as JSON, or a `file` as multipart/form-data.

    The source `demo` has the posts of an invented person, to try things out.
    Posts from X cost money. Without `confirm_cost`, the answer is the error `cost_not_confirmed`, which says how much.
    """
    owner = person(request)
    if request.content_type == "multipart/form-data":
        job = _bring_file(owner, request)
    else:
        body = _json_of(request)
        if isinstance(body, dict) and body.get("source") == EXAMPLE:
            job = demo.import_demo(owner=owner, name=_example(body).name)
        else:
            asked = _checked(CorpusIn, body)
            job = _bring_account(owner, asked) if _is_account(asked) else _bring_text(owner, asked)
    corpus = Corpus.objects.get(pk=job.arguments["corpus"])
    return Status(202, NewCorpusOut(corpus=told(corpus), job=told_one(job)))


@router.get("/{uuid:corpus_id}", response=CorpusOut, summary="Get a corpus")
def get_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> CorpusOut:
    """Return the corpus as it is now. `GET /jobs/{id}` shows the progress of its import."""
    return told(corpus_or_404(request, corpus_id))


@router.post("/{uuid:corpus_id}/column", response={202: JobOut}, summary="Name the column of a file")
def name_column(request: HttpRequest, corpus_id: uuid.UUID, body: ColumnIn) -> Status[JobOut]:
    """Queue an import that failed with `which_column` again. It reads this column of the same file.

    Answers 409 if no import asks for a column.
    """
    corpus = corpus_or_404(request, corpus_id)
    with _about("column"):
        return Status(202, told_one(services.name_column(corpus, body.column)))


@router.delete("/{uuid:corpus_id}", response=GoneOut, summary="Delete a corpus")
def delete_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> GoneOut:
    """Delete the corpus with its posts, files and jobs, and return how many.

    Models that learned from it, and models that started from those, stay. They become private, so their links stop
    working.
    """
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
        # The address of a profile names its network, whatever `source` says.
        if offered.is_paid(account.network):
            if not asked.confirm_cost:
                estimate = costs.of_account(account, owner=owner)
                costs.remember(estimate, owner)
                message = _(
                    "%(estimate)s Nothing is bought yet. To accept, send the same request with confirm_cost true."
                )
                raise bad_value("confirm_cost", message % {"estimate": estimate}, code="cost_not_confirmed")
            cursor = costs.remembered_cursor(owner=owner, account=account)
        return services.import_handle(
            owner=owner, handle=asked.handle, network=asked.source, cursor=cursor, **_rest(asked)
        )


def _example(body: dict[str, Any]) -> ExampleIn:
    """Return the body of a request for the example. Raises ApiError for a field that only other posts need."""
    for name in body:
        if name in CorpusIn.model_fields and name not in ExampleIn.model_fields:
            raise bad_value(name, _("The example needs no %(name)s. Leave it out.") % {"name": name})
    return _checked(ExampleIn, body)


def _bring_file(owner: User, request: HttpRequest) -> Job:
    for sent in (request.POST, request.FILES):
        require_once(sent)
    if "file" in request.POST:
        raise bad_value("file", _("file must be a file, not text. With curl, write -F file=@posts.csv."))
    more = sorted(set(request.FILES) - {"file"})
    # A form knows text only.
    known = {"true": True, "false": False}
    answers = {name: known.get(str(text), text) for name, text in request.POST.items() if name.startswith("keep_")}
    asked = _checked(CorpusFileIn, request.POST.dict() | answers | dict.fromkeys(more))
    file = request.FILES.get("file")
    if file is None or file.file is None:
        raise bad_value("file", "file is missing from the form. Send the file that contains the posts.", code="missing")
    with _about("file"):
        return services.import_file(
            owner=owner,
            file=cast(BinaryIO, file.file),
            file_name=name_of(file),
            account=asked.account or "",
            column=asked.column,
            **_rest(asked),
        )


def _rest(asked: About) -> dict[str, Any]:
    return {
        "basis": asked.basis,
        "name": asked.name,
        "keep_replies": asked.keep_replies,
        "keep_reposts": asked.keep_reposts,
    }


def _is_account(asked: CorpusIn) -> bool:
    """Return whether the request names an account; False for text. Raises ApiError for neither, or both."""
    is_account = asked.source is not None or asked.handle is not None
    if asked.text is not None:
        if is_account:
            raise bad_value("text", _("Send either text, or source and handle, but not both."))
        return False
    if not is_account:
        message = _("This request has no posts. Send text, or source and handle, or a file as multipart/form-data.")
        raise bad_value("text", message, code="missing")
    if asked.account is not None:
        raise bad_value("account", _("source and handle already name the account. Leave account out."))
    for name in ("source", "handle"):
        if getattr(asked, name) is None:
            message = _("%(name)s is missing from the body. An account has a source and a handle.") % {"name": name}
            raise bad_value(name, message, code="missing")
    return True


def _json_of(request: HttpRequest) -> Any:
    if request.content_type not in ("", "application/json") and request.body:
        message = _("Send JSON (application/json), or a file as multipart/form-data.")
        raise ApiError(415, "unsupported_media_type", message)
    try:
        return json.loads(request.body) if request.body else None
    except (ValueError, RecursionError):
        raise ApiError(400, SENTENCES[400][0], str(SENTENCES[400][1])) from None


def _checked(schema: type[AskedSchema], values: Any) -> AskedSchema:
    """Return the values as the schema has them; errors look like those of any other operation."""
    if not isinstance(values, dict):
        raise ApiError(422, "missing", _("Send a JSON object as the body of this request, or a form with a file."))
    try:
        return schema.model_validate(values)
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False)
        raise ValidationError([{**one, "loc": ("body", "body", *one["loc"])} for one in found]) from None


@contextmanager
def _about(param: str) -> Iterator[None]:
    """Turn an error of a service into one about this field, or about the account that was named beside it."""
    try:
        yield
    except errors.CorpusError as error:
        about_account = errors.AccountNeeded, errors.BadHandle, errors.OptedOut
        if isinstance(error, about_account) and param in ("text", "file"):
            param = "account"
        raise ApiError(status_of(error) or 422, error.code, translated(error), param=param) from None


def corpus_or_404(request: HttpRequest, corpus_id: uuid.UUID) -> Corpus:
    try:
        return services.corpus_for_user(person(request), corpus_id)
    except Corpus.DoesNotExist:
        raise not_found("corpus") from None
