"""`/models/{id}/download`: a model as a file."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import Field

from botfactory.rest.errors import bad_value, register_errors
from botfactory.rest.schemas import Input, Text
from models_app import downloads
from models_app.api.parts import model_or_404
from models_app.bots.errors import ModelError

router = Router(tags=["models"])


class NoSuchFormat(ModelError):
    """A model of another tier, or a smaller one, has this format."""

    code = "no_such_format"


register_errors({NoSuchFormat: 409})


class DownloadQuery(Input):
    format: Text = Field(
        "native",
        description="; ".join(f"{name}: {form.title}, {form.hint}" for name, form in downloads.FORMATS.items()),
        json_schema_extra={"enum": list(downloads.FORMATS)},
    )


_FILE: Final = {
    "responses": {
        200: {
            "description": "The file. It includes a model card, README.md (in ONNX and GGUF files as metadata).",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in {form.media_type for form in downloads.FORMATS.values()}
            },
        },
        304: {"description": "The file hasn't changed since the ETag that you sent in If-None-Match."},
        409: {},
    }
}


@router.get("/{uuid:model_id}/download", summary="Download a model", openapi_extra=_FILE)
def download_model(request: HttpRequest, model_id: uuid.UUID, query: Query[DownloadQuery]) -> Any:
    """Download one of your models: its weights, settings and model card, without the posts.

    Quick bots have the formats `keras`, `onnx` and `tfjs`, fluent ones `peft`, `gguf-lora` and `gguf`. `GET
    /models/{id}` lists those of a model as `formats`. Answers 409 for a format that other models have.
    """
    model = model_or_404(request, model_id, to_change=True)
    if query.format not in (formats := downloads.formats_of(model)):
        message = _("This bot isn’t available in that format. Choose one of: %(names)s.")
        message %= {"names": ", ".join(formats)}
        raise NoSuchFormat(message) if query.format in downloads.FORMATS else bad_value("format", message)
    file = downloads.download(model, query.format)
    headers = {"ETag": f'"{file.sha256}"', "Cache-Control": "private, no-cache"}
    known: HttpResponse | None = get_conditional_response(request, etag=headers["ETag"])
    if known is not None:
        file.file.close()
        for name, value in headers.items():
            known[name] = value
        return known
    headers |= {
        "Content-Length": str(file.size),
        "Content-Disposition": content_disposition_header(True, file.name) or "",
    }
    return StreamingHttpResponse(file.chunks(), content_type=file.media_type, headers=headers)
