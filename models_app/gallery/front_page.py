"""The demo bot writes for the front page: posts as JSON for its script or, without JavaScript, the page again."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from botfactory.web.disconnect import require_client
from models_app.writing import demo


@require_POST
def write_demo(request: HttpRequest) -> HttpResponse:
    """Answer with a new `post`, or null, and with the `earlier` ones. Raises Http404 without a demo bot."""
    model = demo.demo_bot()
    if model is None:
        raise Http404("There is no demo bot.")
    post = demo.write(model, proceed=require_client(request))
    if not request.accepts("application/json") or request.accepts("text/html"):
        return redirect("dashboard")
    answer = JsonResponse({"post": post, "earlier": demo.posts_of(model)})
    answer.headers["Cache-Control"] = "no-store"
    return answer
