"""The page with everything that a bot wrote for a person, where they delete it."""

from __future__ import annotations

import uuid
from typing import Final, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from botfactory.accounts.models import User
from botfactory.web.listing import ListForm, Listing
from botfactory.web.missing import missing_is_404
from botfactory.words.translation import grouped
from models_app.bots import naming
from models_app.bots.rows import TrainedModel
from models_app.writing import generations
from models_app.writing.keeping.views import page_for

#: Each of these generations has up to a hundred posts.
ON_A_PAGE: Final = 10


@login_required
@require_GET
@missing_is_404(TrainedModel.DoesNotExist)
def written_list(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """List everything that the model wrote for the person, newest first."""
    model = generations.writer_for_user(request.user, model_id)
    form = ListForm(request.GET)
    found = generations.generations_for_user(request.user).filter(model=model).prefetch_related("kept_posts")
    listing = Listing(found, form, size=ON_A_PAGE)
    context = {
        "model": model,
        "name": naming.called(model),
        "listing": listing,
        "form": form,
        "then": f"?page={listing.page.number}",
        "back": page_for(request, model),
    }
    return render(request, "models_app/written.html", context, status=listing.status)


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def delete_written(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Delete everything that the model wrote for the person, apart from what they kept."""
    model = generations.writer_for_user(request.user, model_id)
    count = generations.delete_generations(cast(User, request.user), model.pk)
    said = ngettext("%(n)s post was deleted.", "%(n)s posts were deleted.", count)
    messages.success(request, said % {"n": grouped(count)})
    return redirect(page_for(request, model))
