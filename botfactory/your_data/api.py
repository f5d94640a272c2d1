"""`/me/export`: everything that an account has, as a ZIP."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from ninja import Router

from botfactory.rest.access import person
from botfactory.your_data import exporting, views

router = Router(tags=["me"])

_ZIP: Final = {
    "responses": {
        200: {
            "description": "The ZIP. docs/your-data.md describes its files.",
            "content": {exporting.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}


@router.get("/export", summary="Download all your data", openapi_extra=_ZIP)
def export_account(request: HttpRequest) -> Any:
    """Your posts, bots, generations, kept posts, settings and account details, as a ZIP without secrets.

    Another Bot Factory can import it.
    """
    return views.answer(person(request))
