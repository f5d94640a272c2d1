"""`/base-corpora`: corpora for base models, and the jobs that prepare them. For administrators only."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final, Literal

from django.http import HttpRequest
from ninja import File, Form, Router, Status, UploadedFile
from pydantic import Field

from botfactory.jobs.api import JobOut, told_one
from botfactory.rest import idempotency
from botfactory.rest.access import ADMINISTRATORS, person
from botfactory.rest.errors import register_errors
from botfactory.rest.schemas import Input, Output, Text, examples
from botfactory.uploaded import name_of
from models_app.base_corpora import files
from models_app.base_corpora import services as preparations
from models_app.base_models.services import BaseError
from tweets.cleaning.language import NAMES
from tweets.preparation.recipe import DEFAULT_SHARES, MAX_LANGUAGES

router = Router(tags=["base corpora"], auth=ADMINISTRATORS)
register_errors({BaseError: 422, files.NameTaken: 409, preparations.AnotherIsPrepared: 409})

_CHOICES: Final = {field.name for field in fields(preparations.Options)}
_REPORT: Final[dict[str, Any]] = {
    "found": 500,
    "kept": 431,
    "dropped": {"repost": 40, "duplicate": 29},
    "masked": {"email": 2},
    "bad_lines": 0,
    "inputs": [{"file": "tweets.tsv.gz", "format": "table", "posts": 500, "bad_lines": 0}],
}


class PreparationIn(Input):
    """How a corpus is prepared."""

    name: str = Field(
        max_length=files.MAX_NAME, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="The name of the new corpus."
    )
    format: Literal["", "table", "lines", "jsonl", "json", "parquet", "x_archive"] = Field(
        "", description="Of all files. By default it's detected."
    )
    column: Text = Field("", max_length=80, description="The column or field of the text. By default it's found.")
    author_column: Text = Field("", max_length=80, description="The same for the author.")
    encoding: Text = Field("utf-8", max_length=40, description="Of text files.")
    languages: list[Literal[*NAMES]] = Field(  # type: ignore[valid-type]
        default_factory=list,
        max_length=MAX_LANGUAGES,
        description="Posts that are clearly in another language are dropped. Empty: all are kept.",
    )
    mask_personal: bool = Field(True, description="Whether placeholders replace personal data.")
    duplicates: Literal["near", "same", "keep"] = Field("near", description="Which duplicates are dropped.")
    shares: tuple[int, int, int] = Field(
        DEFAULT_SHARES, description="Percent of the authors for training, validation and test."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Determines the split and the order of the posts.")


class PreparationOfFilesIn(PreparationIn):
    """A preparation of files on the server."""

    inputs: list[Text] = Field(
        min_length=1, max_length=preparations.MAX_INPUTS, description="Files, as `GET /base-corpora/inputs` names them."
    )

    model_config = examples(
        {"name": "tweets", "inputs": ["tweets.tsv.gz"], "languages": ["en"]}, base=Input.model_config
    )


class PreparationOfUploadIn(PreparationIn):
    """A preparation of an uploaded file: the fields beside `file` in a form, which knows text only."""

    languages: Text = Field("", max_length=100, description="Codes such as `en`, separated by commas.")  # type: ignore[assignment]
    shares: str = Field(  # type: ignore[assignment]
        "80/10/10",
        pattern=r"^[0-9]{1,3}/[0-9]{1,3}/[0-9]{1,3}$",
        description="Percent of the authors for training, validation and test.",
    )


class RawFileOut(Output):
    name: str
    bytes: int

    model_config = examples({"name": "tweets.tsv.gz", "bytes": 1200000})


class RawFilesOut(Output):
    data: list[RawFileOut]


class BaseCorpusOut(Output):
    """A prepared corpus."""

    name: str
    files: dict[str, str] = Field(description="Its parts, as files that a base training can learn from.")
    report: dict[str, Any] = Field(description="Every post that was found is in one of `dropped` and `parts`.")

    model_config = examples({"name": "tweets", "files": {"train": "tweets/train.txt.gz"}, "report": _REPORT})


class BaseCorporaOut(Output):
    data: list[BaseCorpusOut]


@router.get("", response=BaseCorporaOut, summary="List the prepared corpora")
def list_base_corpora(request: HttpRequest) -> BaseCorporaOut:
    """All corpora for base models, with the report of each."""
    return BaseCorporaOut(
        data=[BaseCorpusOut(name=one.name, files=one.files, report=one.report) for one in files.prepared()]
    )


@router.get("/inputs", response=RawFilesOut, summary="List the files to prepare")
def list_raw_files(request: HttpRequest) -> RawFilesOut:
    """The files in the folder that the operator has named (`RAW_POSTS_DIR`)."""
    return RawFilesOut(data=[RawFileOut(name=file.name, bytes=file.bytes) for file in files.raw_files()])


@router.post("", response={202: JobOut}, summary="Prepare a corpus")
def prepare_base_corpus(request: HttpRequest, body: PreparationOfFilesIn) -> Status[JobOut]:
    """Queue a preparation of files on the server. Its `result` will have the files of the corpus and the report.

    Answers 409 while another corpus is prepared, and if the name is taken.
    """
    job = preparations.prepare(
        by=person(request), name=body.name, inputs=body.inputs, options=_options(body.model_dump(include=_CHOICES))
    )
    return Status(202, told_one(job))


@router.post("/upload", response={202: JobOut}, summary="Prepare a corpus of an uploaded file")
@idempotency.slow
def prepare_uploaded_corpus(
    request: HttpRequest, file: File[UploadedFile], body: Form[PreparationOfUploadIn]
) -> Status[JobOut]:
    """Queue a preparation of a file that is sent as multipart/form-data.

    Answers 409 in the same cases as `POST /base-corpora`.
    """
    job = preparations.prepare(
        by=person(request),
        name=body.name,
        uploaded=file.file,
        file_name=name_of(file),
        options=_options(
            {
                **body.model_dump(include=_CHOICES),
                "languages": [code.strip() for code in body.languages.split(",") if code.strip()],
                "shares": [int(share) for share in body.shares.split("/")],
            }
        ),
    )
    return Status(202, told_one(job))


def _options(values: dict[str, Any]) -> preparations.Options:
    return preparations.Options.from_dict(values)
