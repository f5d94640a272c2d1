"""The pages of the guessing game: for the owner, from the gallery and by link."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from botfactory.accounts.models import User
from botfactory.rest.errors import expected
from botfactory.rest.rate_limit import paced
from botfactory.web.disconnect import require_client
from botfactory.words.translation import translated
from models_app.bots.errors import ModelError
from models_app.bots.rows import TrainedModel
from models_app.ml.errors import LearningError
from models_app.sharing import rights as sharing
from models_app.sharing.access import model_or_404
from models_app.writing.admission import NotNow
from models_app.writing.playing import held_out
from models_app.writing.playing import services as playing
from models_app.writing.playing.rows import Game


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def game_page(request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "") -> HttpResponse:
    """Show the game and its result; on POST, begin one or answer a post."""
    model = _model(request, model_id, link)
    user, trouble, status = cast(User, request.user), "", 200
    if request.method == "POST":
        try:
            game = _next(request, user, model)
            return redirect(f"{request.path}?game={game.pk}")
        except (playing.GameError, held_out.NoHeldOutPosts, LearningError, ModelError) as error:
            trouble, status = translated(error), 400
        except NotNow as error:
            trouble, status = translated(error), 503
    context = {
        "model": model,
        "trouble": trouble,
        "figure": playing.ToldApart.of(model),
        "back": request.path.removesuffix("game"),
        "shared_at": _shared_at(request, model),
        **_game_context(request, user, model),
    }
    return expected(render(request, "models_app/game.html", context, status=status))


def _model(request: HttpRequest, model_id: uuid.UUID | None, link: str) -> TrainedModel:
    """Return the model that the person may play with. Raises Http404."""
    try:
        if request.resolver_match and request.resolver_match.url_name == "game":
            model = model_or_404(request, cast(uuid.UUID, model_id), to_change=True)
        elif model_id is None:
            model = sharing.shared_by_link(request.user, link)
        else:
            model = sharing.shared_for_user(request.user, model_id)
    except TrainedModel.DoesNotExist:
        raise Http404("There is no such model.") from None
    if not playing.may_play(model, sharing.rights_of(request.user, model, link=link)):
        raise Http404("There is no such model.")
    return model


def _next(request: HttpRequest, user: User, model: TrainedModel) -> Game:
    """Answer the post that the form names, or begin a game if it names none."""
    guess = request.POST.get("guess", "")
    if guess not in ("real", "bot"):
        return playing.begin(player=user, model=model, proceed=require_client(request))
    try:
        game = playing.game_for_user(user, model, uuid.UUID(request.POST.get("game", "")))
        return playing.answer(game, number=int(request.POST.get("number", "")), is_real=guess == "real")
    except (Game.DoesNotExist, ValueError):
        raise Http404("There is no such game.") from None


def _game_context(request: HttpRequest, user: User, model: TrainedModel) -> dict[str, Any]:
    """Return the game that the address names, or the one that the person hasn't finished."""
    game: Game | None
    try:
        game = playing.game_for_user(user, model, uuid.UUID(request.GET.get("game", "")))
    except (Game.DoesNotExist, ValueError):
        game = playing.current(user, model)
    if game is None:
        return {"game": None}
    posts = playing.shown(game)
    answered = len(game.answers)
    return {
        "game": game,
        "posts": posts,
        "answered": answered,
        "last": posts[answered - 1] if answered else None,
        "now": posts[answered] if answered < len(posts) else None,
        "squares": "".join("🟩" if post.is_right else "🟥" for post in posts[:answered]),
    }


def _shared_at(request: HttpRequest, model: TrainedModel) -> str:
    """Return the address where others play, or "" if they can't."""
    is_open = model.is_game_open and sharing.is_shared(model)
    return request.build_absolute_uri(f"{model.get_shared_url()}game") if is_open else ""


@login_required
@require_POST
def open_game(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Let others play with the bot, or no longer."""
    model = model_or_404(request, model_id, to_change=True)
    playing.set_open(model, request.POST.get("open") == "yes", by=cast(User, request.user))
    if model.is_game_open:
        messages.success(request, _("Everybody who can write with the bot can play now."))
    else:
        messages.success(request, _("Only you can play now."))
    return redirect(f"{model.get_absolute_url()}#sharing")
