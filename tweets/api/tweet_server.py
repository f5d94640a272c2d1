"""`GET /api/<handle>` answers like the tweet-server of a 2018 tutorial: {"error": ..., "tweets": ...}."""

from __future__ import annotations

import math
from typing import Final

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from botfactory.accounts import tokens
from botfactory.rest.errors import ApiError
from botfactory.rest.rate_limit import require_pace
from botfactory.words.translation import translated
from tweets.corpora.errors import CorpusError
from tweets.importing import timeline
from tweets.sources.base import RateLimited, SourceError

#: Code of an error -> status. Errors that the caller can't do anything about are 502 or 503.
STATUS: Final = {
    "bad_handle": 400,
    "opted_out": 403,
    "protected_handle": 403,
    "refused_address": 403,
    "suspended_handle": 403,
    "unknown_handle": 404,
    "unknown_server": 404,
    "rate_limited": 429,
    "bad_answer": 502,
    "bad_credentials": 503,
    "budget_spent": 503,
    "no_credits": 503,
    "not_offered": 503,
    "source_unavailable": 503,
}


# Nothing here looks at a cookie, so there is nothing that a foreign form could misuse.
@csrf_exempt
def newest_posts(request: HttpRequest, handle: str) -> JsonResponse:
    if request.method != "GET":
        return _refused(405, _("Only GET works here."), Allow="GET")
    token = tokens.token_of_header(request.headers.get("Authorization", ""))
    if token is None:
        return _refused(401, _who_asks(request), **{"WWW-Authenticate": 'Bearer realm="Bot Factory"'})
    if "read" not in tokens.scopes_of(token):
        return _refused(403, _("This token can’t read. Make one with the scope read under /tokens/."))
    try:
        require_pace(token.owner)
        texts = timeline.newest_posts(user=token.owner, handle=handle)
    except ApiError as error:
        return _refused(error.status, translated(error), **error.headers)
    except RateLimited as error:
        seconds = math.ceil((error.retry_at - timezone.now()).total_seconds())
        return _refused(STATUS[error.code], translated(error), **{"Retry-After": str(max(1, seconds))})
    except (CorpusError, SourceError) as error:
        return _refused(STATUS.get(error.code, 502), translated(error))
    return JsonResponse({"error": None, "tweets": texts}, headers={"Cache-Control": "no-store"})


def _who_asks(request: HttpRequest) -> str:
    if "token" in request.GET:
        return _(
            "A token in an address ends up in logs, so revoke this one. Send tokens in the header Authorization: "
            "Bearer TOKEN."
        )
    if tokens.bearer_of(request.headers.get("Authorization", "")) is None:
        return _("Send an API token in the header Authorization: Bearer TOKEN. You can make one under /tokens/.")
    return _(
        "This API token doesn’t work. It may have expired or been revoked. You can make another one under /tokens/."
    )


def _refused(status: int, sentence: str, **headers: str) -> JsonResponse:
    headers["Cache-Control"] = "no-store"
    return JsonResponse({"error": sentence, "tweets": None}, status=status, headers=headers)
