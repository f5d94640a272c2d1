"""`/v1`: bots of a person for programs that speak OpenAI's API. Models and completions, with API tokens.

A post is the completion of its beginning. What can't be done the way OpenAI describes it is refused, not ignored.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from ninja.errors import ValidationError
from pydantic import BeforeValidator, Field
from pydantic import ValidationError as Invalid

from botfactory.accounts.models import User
from botfactory.accounts.tokens import Scope
from botfactory.rest.access import Token
from botfactory.rest.errors import SENTENCES, ApiError, answer_to, bad_value, marked
from botfactory.rest.schemas import Input, Text
from botfactory.web.disconnect import require_client
from models_app.api.parts import about
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.sharing import access
from models_app.writing import asking, generations, live
from models_app.writing.rows import Generation

#: Characters of a token. Bots count characters, so tokens are an estimate in both directions.
CHARACTERS: Final = 4
LONGEST: Final = 4_000
_USUAL: Final = 280
#: Fields that clients send although they change nothing, with the values that change nothing.
_NEUTRAL: Final[dict[str, tuple[Any, ...]]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "suffix": ("",),
    "logprobs": (0,),
}
_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}

#: One text, or a list of them.
_SomeTexts = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
Stop = Annotated[Text, Field(min_length=1, max_length=100)]
View = Callable[..., HttpResponseBase]


class StreamOptions(Input):
    include_usage: bool = Field(False, strict=True)
    include_obfuscation: Literal[False] = False


class CompletionIn(Input):
    """The parameters that mean here what they mean at OpenAI."""

    model: Text = Field(min_length=1)
    prompt: Annotated[list[Text], Field(min_length=1, max_length=1), _SomeTexts] = [""]
    n: int = Field(1, ge=1, le=100, strict=True)
    max_tokens: int | None = Field(None, ge=1, le=LONGEST // CHARACTERS, strict=True)
    temperature: float | None = Field(None, ge=0, le=2, strict=True)
    top_p: float | None = Field(None, gt=0, le=1, strict=True)
    seed: int | None = Field(None, strict=True)
    stop: Annotated[list[Stop], Field(max_length=4), _SomeTexts] = []
    echo: bool = Field(False, strict=True)
    stream: bool = Field(False, strict=True)
    stream_options: StreamOptions | None = None
    user: Text = ""

    @property
    def beginning(self) -> str:
        return self.prompt[0]

    @property
    def copies(self) -> int:
        """Return how many choices each post makes: nothing is drawn at temperature 0, so one is all there is."""
        return self.n if self.temperature == 0 else 1

    def sampling(self) -> SamplingConfig:
        beginning = self.beginning
        if len(beginning) > _USUAL:
            message = _("A beginning can have at most %(most)s characters.") % {"most": _USUAL}
            raise bad_value("prompt", message)
        longest = _USUAL if self.max_tokens is None else len(beginning) + CHARACTERS * self.max_tokens
        return SamplingConfig(
            count=self.n // self.copies,
            prompt=beginning,
            max_characters=min(LONGEST, longest),
            temperature=self.temperature,
            top_p=self.top_p,
            # Theirs have 64 bits and a sign.
            seed=None if self.seed is None else self.seed % 2**32,
        )

    def text_of(self, post: str) -> str:
        """Return what the bot wrote after the prompt, up to the first of the stops."""
        begun = next((each for each in _begun(self.beginning) if post.startswith(each)), "")
        text = post[len(begun) :]
        end = min((at for each in self.stop if (at := text.find(each)) >= 0), default=len(text))
        return (begun if self.echo else "") + text[:end]


def _begun(prompt: str) -> tuple[str, ...]:
    """Return how posts with this prompt may begin: dots and a hyphen at its end only let its last word go on."""
    stripped = prompt.strip()
    return prompt, stripped, stripped.removesuffix("…"), stripped.removesuffix("..."), stripped.removesuffix("-")


def tokens_of(text: str) -> int:
    """Return about how many tokens a text is."""
    return math.ceil(len(text) / CHARACTERS)


def for_programs(method: str, scope: Scope) -> Callable[[View], View]:
    """Let a view answer programs with a token of this scope, and give its errors OpenAI's shape."""

    def guarded(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                if request.method != method:
                    raise ApiError(405, *map(str, SENTENCES[405]), headers={"Allow": method})
                allowed = Token(scope)(request)
                if allowed is None:
                    raise ApiError(401, *map(str, SENTENCES[401]))
                response = view(request, allowed.user, *args, **kwargs)
            except Exception as error:
                return shaped(answer_to(request, error))
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return answer

    return guarded


def shaped(response: HttpResponse) -> HttpResponse:
    """Return an error of the REST API in OpenAI's shape. Invalid values are 400 there."""
    if not response.content:
        return response
    error = json.loads(response.content)["error"]
    status = 400 if response.status_code == 422 else response.status_code
    error["type"] = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    kept = {name: value for name, value in response.headers.items() if name in ("Allow", "Retry-After")}
    if status == 401:
        kept["WWW-Authenticate"] = response.headers["WWW-Authenticate"]
    new = JsonResponse({"error": error}, status=status, headers={"Cache-Control": "no-store", **kept})
    return marked(new)


def _told_model(model: TrainedModel) -> dict[str, Any]:
    return {
        "id": str(model.pk),
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": model.owner.get_username() if model.owner else "",
        "name": model.name,
    }


def _model(user: User, name: str) -> TrainedModel:
    """Return the person's bot with this id or name. Raises the 404 answer if they have none."""
    own = access.models_for_user(user)
    try:
        found = own.filter(pk=uuid.UUID(name)).first()
    except ValueError:
        found = None
    found = found or own.filter(name=name).first()
    if found is None:
        message = _("You have no bot %(name)s. GET /v1/models lists yours.") % {"name": name[:80]}
        raise ApiError(404, "model_not_found", message, param="model")
    return found


@for_programs("GET", "read")
def list_models(request: HttpRequest, user: User) -> HttpResponse:
    """List the person's bots."""
    data = [_told_model(model) for model in access.models_for_user(user)]
    return JsonResponse({"object": "list", "data": data})


@for_programs("GET", "read")
def get_model(request: HttpRequest, user: User, name: str) -> HttpResponse:
    """Get a bot by its id or name."""
    return JsonResponse(_told_model(_model(user, name)))


@for_programs("POST", "write")
def complete(request: HttpRequest, user: User) -> HttpResponseBase:
    """Write posts that begin with the prompt, at once or as a stream with an event for each post."""
    body = _body(request)
    model = _model(user, body.model)
    sampling = body.sampling()
    with about("prompt"):
        if body.stream:
            return _stream(request, model, user, body, generations.settled(sampling, model))
        written = asking.generate(model=model, owner=user, sampling=sampling, proceed=require_client(request))
    choices = [choice for number, post in enumerate(written.posts) for choice in _choices(body, number, post)]
    return JsonResponse({**_told(model, written.pk), "choices": choices, "usage": _usage(body, written)})


@csrf_exempt
def not_there(request: HttpRequest, rest: str) -> HttpResponse:
    """Say what else there is under /v1."""
    message = _("Bots write at /v1/completions, and /v1/models lists them. Nothing else of OpenAI’s API is here.")
    return shaped(answer_to(request, ApiError(404, "not_found", message)))


def _body(request: HttpRequest) -> CompletionIn:
    try:
        sent = json.loads(request.body)
    except (ValueError, RecursionError):
        raise ApiError(400, "bad_request", _("Send a JSON object as the body of this request.")) from None
    if isinstance(sent, dict):
        neutral = [name for name, values in _NEUTRAL.items() if sent.get(name) in values]
        # As many drafts as choices: there is nothing to choose from.
        neutral += ["best_of"] if sent.get("best_of", 1) in (1, sent.get("n", 1)) else []
        sent = {name: value for name, value in sent.items() if value is not None and name not in neutral}
        unknown = next((name for name in sent if name not in CompletionIn.model_fields), None)
        if unknown is not None:
            message = _("%(name)s isn’t supported here. Leave it out; see the API docs.") % {"name": unknown[:80]}
            raise ApiError(400, "unsupported_parameter", message, param=unknown[:255])
    try:
        return CompletionIn.model_validate(sent)
    except Invalid as error:
        found: list[Any] = error.errors(include_url=False)
        raise ValidationError([{**each, "loc": ("body", "body", *each["loc"])} for each in found]) from None


def _told(model: TrainedModel, number: uuid.UUID | None) -> dict[str, Any]:
    """Return what each answer and each piece of a stream says, with the mark of the machine's text."""
    return {
        "id": f"cmpl-{number or uuid.uuid4()}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": str(model.pk),
        "bot": model.name,
        "ai_generated": True,
        "label": model.parody_label,
    }


def _choices(body: CompletionIn, number: int, post: str) -> list[dict[str, Any]]:
    # A bot ends its posts; one that would be longer is drawn again. So nothing is ever cut.
    choice = {"text": body.text_of(post), "logprobs": None, "finish_reason": "stop"}
    return [{"index": number + copy, **choice} for copy in range(body.copies)]


def _usage(body: CompletionIn, written: Generation) -> dict[str, int]:
    asked = tokens_of(body.beginning)
    completed = body.copies * sum(tokens_of(body.text_of(post)) for post in written.posts)
    return {"prompt_tokens": asked, "completion_tokens": completed, "total_tokens": asked + completed}


#: Each post is an event; the last one is no JSON.
_EVENTS: Final = live.Form(
    "text/event-stream",
    lambda kind, data: f"{data}data: [DONE]\n\n" if kind == "generation" else f"data: {data}\n\n",
    ": still here\n\n",
)


def _stream(
    request: HttpRequest, model: TrainedModel, user: User, body: CompletionIn, sampling: SamplingConfig
) -> HttpResponseBase:
    told = _told(model, None)

    def last(generation: Generation) -> str:
        if body.stream_options is None or not body.stream_options.include_usage:
            return ""
        return f"data: {_line({**told, 'choices': [], 'usage': _usage(body, generation)})}\n\n"

    words = live.Words(
        post=lambda posted: _line({**told, "choices": _choices(body, posted.place, posted.post)}),
        generation=last,
        error=lambda error: shaped(answer_to(request, error)).content.decode(),
    )
    return live.response(request, _EVENTS, words, model=model, owner=user, sampling=sampling, beginnings=False)


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
