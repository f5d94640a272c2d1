"""The page that compares bots, tiers and temperatures."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from botfactory.accounts.models import User
from botfactory.rest.errors import expected
from botfactory.rest.rate_limit import paced
from botfactory.web.disconnect import require_client
from botfactory.words.translation import translated
from models_app.bots.errors import ModelError
from models_app.bots.rows import TrainedModel
from models_app.ml.config import LONGEST_TOPIC, SamplingConfig
from models_app.ml.errors import LearningError
from models_app.writing.admission import NotNow
from models_app.writing.comparing import curves
from models_app.writing.comparing import services as comparing
from models_app.writing.comparing.services import Choice, Column

#: The temperatures to choose from, beside each bot's usual one.
TEMPERATURES = (0.3, 0.5, 0.7, 0.9, 1.2, 1.4, 1.7)


class CompareForm(forms.Form):
    """What all columns have in common."""

    prompt = forms.CharField(max_length=280, required=False, strip=False, label=gettext_lazy("Begins with"))
    about = forms.CharField(max_length=LONGEST_TOPIC, required=False, label=gettext_lazy("About"))
    count = forms.IntegerField(min_value=1, max_value=100, initial=3, required=False, label=gettext_lazy("How many"))
    max_characters = forms.IntegerField(
        min_value=1, max_value=4000, initial=280, required=False, label=gettext_lazy("Longest post")
    )
    seed = forms.IntegerField(min_value=0, max_value=2**32 - 1, required=False, label=gettext_lazy("Seed"))

    def sampling(self) -> SamplingConfig:
        data = self.cleaned_data
        return SamplingConfig(
            count=data["count"] or 3,
            max_characters=data["max_characters"] or 280,
            prompt=data["prompt"],
            about=data["about"],
            seed=data["seed"],
        )


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def compare_page(request: HttpRequest) -> HttpResponse:
    """Show the form; on POST, let the chosen columns write and show them side by side."""
    user = cast(User, request.user)
    is_posted = request.method == "POST"
    values = request.POST if is_posted else request.GET
    columns = _columns(user, values)
    form = CompareForm(values or None)
    status = 200
    if is_posted:
        columns, status = _written(request, form, columns)
    choices = comparing.choices_for_user(user, [column.choice for column in columns])
    context = {
        "form": form,
        "choices": choices,
        "slots": _slots(columns, choices),
        "temperatures": TEMPERATURES,
        "columns": columns if any(column.generation for column in columns) else [],
        "limit": comparing.MAX_POSTS,
    }
    return expected(render(request, "models_app/compare.html", context, status=status))


@login_required
@require_GET
def curves_page(request: HttpRequest) -> HttpResponse:
    """Show the curves of several trainings in one chart."""
    user = cast(User, request.user)
    try:
        chosen = curves.chosen_by(user, request.GET.getlist("bot"), request.GET.get("corpus", ""))
    except TrainedModel.DoesNotExist:
        raise Http404("There is no such model.") from None
    shown = [curves.curve_of(model) for model in chosen]
    context = {
        "choices": curves.choices_for_user(user),
        "chosen": {model.pk for model in chosen},
        "curves": shown,
        "lines": [curve.as_json() for curve in shown],
        "limit": curves.MOST,
    }
    return render(request, "models_app/curves.html", context)


def _columns(user: User, values: Any) -> list[Column]:
    """Return the columns that the request names. Raises Http404 for a bot that the person may not let write."""
    try:
        if three := values.get("three", ""):
            return comparing.three_temperatures(comparing.choice_for_user(user, three))
        keys, temperatures = values.getlist("bot"), values.getlist("temperature")
        temperatures += [""] * (len(keys) - len(temperatures))
        named = [(key, each) for key, each in zip(keys, temperatures, strict=False) if key]
        return [_column(comparing.choice_for_user(user, key), each) for key, each in named]
    except TrainedModel.DoesNotExist:
        raise Http404("There is no such model.") from None


def _column(choice: Choice, temperature: str) -> Column:
    """Return the column of a bot at this temperature, which is its usual one if the text is no number."""
    try:
        return Column(choice, min(2.0, max(0.0, float(temperature))))
    except ValueError:
        return Column(choice, choice.model.usual.temperature)


def _written(request: HttpRequest, form: CompareForm, columns: list[Column]) -> tuple[list[Column], int]:
    """Return the columns with what they wrote, or as they were with the error in the form, and the status."""
    try:
        if form.is_valid():
            owner, proceed = cast(User, request.user), require_client(request)
            return comparing.write(owner=owner, columns=columns, sampling=form.sampling(), proceed=proceed), 200
    except (comparing.ComparingError, LearningError, ModelError, ValueError) as error:
        form.add_error(None, translated(error))
    except NotNow as error:
        form.add_error(None, translated(error))
        return columns, 503
    return columns, 400


def _slots(columns: list[Column], choices: dict[str, list[Choice]]) -> list[dict[str, Any]]:
    """Return what is selected in each place of the form: by default two bots that exist."""
    picked: list[dict[str, Any]] = [{"key": column.choice.key, "temperature": column.temperature} for column in columns]
    others = [choice.key for group in choices.values() for choice in group]
    unused = [key for key in others if key not in {slot["key"] for slot in picked}]
    while len(picked) < comparing.MIN_COLUMNS and others:
        picked.append({"key": unused.pop(0) if unused else others[0], "temperature": None})
    picked += [{"key": "", "temperature": None}] * (comparing.MAX_COLUMNS - len(picked))
    return [{**slot, "number": number} for number, slot in enumerate(picked[: comparing.MAX_COLUMNS], 1)]
