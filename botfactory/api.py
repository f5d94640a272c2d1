"""The REST API, version 1: the routers of the apps, its document and its reference."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe
from ninja import Router
from ninja.operation import PathView

from botfactory.jobs import api as jobs
from botfactory.rest import me, tokens
from botfactory.rest.interface import Api
from botfactory.rest.reference import Reference, reference
from botfactory.webhooks import api as webhooks
from botfactory.your_data import api as your_data
from models_app.api import (
    bases,
    downloading,
    evaluation,
    generation,
    models,
    searches,
    training,
)
from models_app.api import kept_posts as kept_api
from models_app.api import sharing as gallery_api
from publishing import api as publishing
from tweets.api import corpora, reading

DESCRIPTION: Final = """\
Programs can import posts, train, search, write, keep, publish and share posts and bots with this API.

Send an API token in the header `Authorization: Bearer TOKEN`. Create one under `/tokens/`. A signed-in browser
session also works, with its CSRF token. Errors are `{"error": {"code", "message", "param"}}`, and lists are
`{"data": [...], "has_more": true}`. Dates are ISO 8601 in UTC. A POST with an `Idempotency-Key` takes effect only once.
"""


def joined(*routers: Router) -> Router:
    """Join routers into one. If a path were in several, Django would try only the first."""
    whole = Router(tags=routers[0].tags)
    for router in routers:
        for path, view in router.path_operations.items():
            whole.path_operations.setdefault(path, PathView()).operations += view.operations
    return whole


api = Api(title="Bot Factory", version="1", description=DESCRIPTION, urls_namespace="api-v1")
api.add_router("/me", joined(me.router, your_data.router))
api.add_router("/tokens", tokens.router)
api.add_router("/webhooks", webhooks.router)
api.add_router("/jobs", joined(jobs.router, training.router))
api.add_router("/corpora", joined(corpora.router, reading.router))
api.add_router("/models", joined(models.router, bases.router, evaluation.router, downloading.router))
api.add_router("/searches", searches.router)
api.add_router("/generations", generation.router)
api.add_router("/kept", kept_api.router)
api.add_router("/queues", publishing.queues)
api.add_router("/proposals", publishing.proposals)
api.add_router("/publications", publishing.publications)
api.add_router("/gallery", gallery_api.gallery)
api.add_router("/shared", gallery_api.shared)


@require_safe
@never_cache
@gzip_page
def api_docs(request: HttpRequest) -> HttpResponse:
    """Show the reference, whose forms send requests by the person's session."""
    return render(request, "api/docs.html", {"reference": _reference(request.build_absolute_uri("/").rstrip("/"))})


@lru_cache(maxsize=8)
def _reference(server: str) -> Reference:
    return reference(json.loads(api.described().body), server=server)


@csrf_exempt
def api_not_found(request: HttpRequest) -> HttpResponse:
    raise Http404("There is nothing here.")
