"""The administrator's pages on base models. Each view requires the permission that its service needs."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePath
from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.files.uploaded import name_of
from botfactory.jobs.models import Job
from botfactory.words.translation import translated
from models_app.bases import adding
from models_app.bases import services as bases
from models_app.bases.forms import EvaluateBasesForm, TrainBaseForm, UploadForm
from models_app.bots import base_files as base_archive
from models_app.bots import files, registry, versions
from models_app.bots.errors import ModelError
from models_app.bots.rows import BaseChange, Tier, TrainedModel
from models_app.ml.config import NetworkConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.networks.registry import kind_of, small_network
from models_app.training import machines, tier_recipes, tiers
from tweets.corpora.errors import CorpusError

JOBS_SHOWN = 5
CHANGES_SHOWN = 20


def _require(allowed: Callable[[Any], bool], request: HttpRequest) -> User:
    if not allowed(request.user):
        raise PermissionDenied
    return cast(User, request.user)


def _page(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    shared = {**admin.site.each_context(request), "title": title}
    return TemplateResponse(request, f"admin/models_app/bases/{template}.html", shared | context)


@require_safe
def base_models(request: HttpRequest) -> HttpResponse:
    user = _require(bases.may_see, request)
    trouble = _take_in()
    shipped = {tier: versions.shipped_sha256(tier) for tier in Tier}
    speed, before = machines.measured_speed(Tier.FLUENT), bases.ones_before()
    rows = [
        {
            "model": model,
            "shipped": model.sha256 == shipped[Tier(model.tier)] and model.owner_id is None,
            **_network(model, speed),
        }
        for model in bases.all_versions()
    ]
    groups = [(tier, [row for row in rows if row["model"].tier == tier]) for tier in Tier]
    return _page(
        request,
        "list",
        _("Base models"),
        trouble=trouble,
        groups=[(tier, found) for tier, found in groups if found],
        why_not_fluent=tiers.why_not(Tier.FLUENT),
        may_add=bases.may_add(user),
        may_choose=bases.may_choose(user),
        before=[(tier, before[tier]) for tier in Tier if tier in before],
        changes=BaseChange.objects.select_related("model")[:CHANGES_SHOWN],
        trainings=[_entry(job, user) for job in bases.trainings()[:JOBS_SHOWN]],
        recipes=[(Tier(recipe.tier).label, recipe) for recipe in tier_recipes.all_recipes()],
        evaluations=[_entry(job, user) for job in bases.evaluations()[:JOBS_SHOWN]],
    )


def _take_in() -> str:
    """Register the shipped models as versions; return a sentence if that fails for the quick one, else ""."""
    quick = versions.base_models(tuple(Tier))[Tier.QUICK]
    return translated(quick) if isinstance(quick, versions.NoBaseModel) else ""


def _network(model: TrainedModel, speed: float) -> dict[str, Any]:
    """Return what there is to know of a version's network. `speed`: of trainings of the shipped fluent base."""
    if model.tier == Tier.FLUENT:
        facts = adding.facts_of(model, speed)
        shape = f"{model.network['kind']} {model.network['layers']} x {model.network['width']}"
        memory = {"write": tiers.gigabytes(facts.memory_to_write), "train": tiers.gigabytes(facts.memory_to_train)}
        return {"network": shape, "parameters": facts.parameters, "facts": facts, **memory}
    network = NetworkConfig.from_dict(model.network)
    about: dict[str, Any] = {"network": f"{network.kind} {network.layers} x {network.units}"}
    # Whoever opens a version with damaged files is told; the others are still listed.
    with suppress(CheckpointError):
        shapes = kind_of(network).weight_shapes(small_network(files.network_of(model)))
        about["parameters"] = sum(math.prod(shape) for shape in shapes.values())
    return about


def _entry(job: Job, user: User) -> dict[str, Any]:
    """Return a job for the template. Only its owner gets a link to its page; others use the administration."""
    return {"job": job, "is_own": job.owner_id == user.pk, "measured": job.result.get("models", [])}


@require_POST
def change_base(request: HttpRequest, model_id: uuid.UUID, action: str) -> HttpResponse:
    user = _require(bases.may_choose, request)
    try:
        model = bases.version(model_id)
    except TrainedModel.DoesNotExist:
        raise Http404(_("There is no such base model.")) from None
    try:
        if action == "promote":
            bases.promote(model, by=user)
            messages.success(request, _("New bots start from %(name)s now.") % {"name": model})
        elif action == "retire":
            registry.retire(model)
            messages.success(
                request,
                _("%(name)s is retired. Nobody can start from it now. Existing bots keep working.") % {"name": model},
            )
        else:
            registry.bring_back(model)
            messages.success(request, _("%(name)s is no longer retired.") % {"name": model})
    except (bases.BaseError, ModelError) as error:
        messages.warning(request, translated(error))
    return redirect("base_models")


@require_POST
def roll_back(request: HttpRequest) -> HttpResponse:
    user = _require(bases.may_choose, request)
    try:
        tier = Tier(request.POST.get("tier", Tier.QUICK))
    except ValueError:
        raise Http404("There is no such tier.") from None
    try:
        model = bases.roll_back(by=user, tier=tier)
        messages.success(request, _("New bots start from %(name)s again.") % {"name": model})
    except bases.BaseError as error:
        messages.warning(request, translated(error))
    return redirect("base_models")


@require_POST
def reset_recipe(request: HttpRequest) -> HttpResponse:
    _require(bases.may_choose, request)
    try:
        tier = Tier(request.POST.get("tier", ""))
    except ValueError:
        raise Http404("There is no such tier.") from None
    if tier_recipes.reset(tier):
        messages.success(request, _("New trainings of this kind begin with the recommended settings again."))
    return redirect("base_models")


@require_http_methods(["GET", "POST"])
def upload_base(request: HttpRequest) -> HttpResponse:
    user = _require(bases.may_add, request)
    form = UploadForm(*_sent(request))
    if form.is_valid():
        archive = form.cleaned_data["archive"]
        name = form.cleaned_data["name"] or PurePath(name_of(archive)).stem
        try:
            if form.is_pretrained:
                return redirect(adding.upload(by=user, name=name, uploaded=archive.file))
            model = bases.upload(archive.file, name=name)
        except (base_archive.BadArchive, base_archive.NotKept, CheckpointError) as error:
            form.add_error("archive", translated(error))
        except (bases.BaseError, LimitReached) as error:
            form.add_error("name", translated(error))
        else:
            message = _(
                "%(name)s was uploaded. Nobody can start from it until you promote it. First compare it with others."
            )
            messages.success(request, message % {"name": model})
            return redirect("base_models")
    return _form(request, form, _("Upload a base model"), _("Upload"))


@require_http_methods(["GET", "POST"])
def train_base(request: HttpRequest) -> HttpResponse:
    user = _require(bases.may_add, request)
    _take_in()
    form = TrainBaseForm(*_sent(request), user=user, initial=_adapting(request.GET.get("adapt", "")))
    if form.is_valid():
        try:
            return redirect(bases.train(by=user, **form.asked()))
        except (bases.BaseError, CorpusError, LimitReached) as error:
            form.add_error(None, translated(error))
    return _form(
        request, form, _("Train a base model"), _("Train"), parts=form.parts(), directory=settings.TRAINING_DIR
    )


def _adapting(model_id: str) -> dict[str, Any]:
    """Return what the form begins with if it's opened to adapt a base model."""
    try:
        return bases.adapting(bases.version(uuid.UUID(model_id)))
    except (ValueError, TrainedModel.DoesNotExist):
        return {}


@require_http_methods(["GET", "POST"])
def evaluate_bases(request: HttpRequest) -> HttpResponse:
    user = _require(bases.may_add, request)
    _take_in()
    form = EvaluateBasesForm(*_sent(request))
    if form.is_valid():
        upload = form.cleaned_data["upload"]
        try:
            job = bases.evaluate(
                by=user,
                models=form.chosen(),
                file=form.cleaned_data["file"],
                uploaded=upload.file if upload else None,
                file_name=name_of(upload) if upload else "",
            )
            return redirect(job)
        except (bases.BaseError, LimitReached) as error:
            form.add_error(None, translated(error))
    return _form(request, form, _("Compare base models"), _("Compare"), directory=settings.TRAINING_DIR)


def _sent(request: HttpRequest) -> tuple[Any, Any]:
    """Return the data to bind a form to, or (None, None) unless it was submitted."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def _form(request: HttpRequest, form: Any, title: str, verb: str, **context: Any) -> HttpResponse:
    context = {"parts": [("", list(form))], "directory": "", **context}
    answer = _page(request, "form", title, form=form, verb=verb, **context)
    answer.status_code = 400 if form.is_bound else 200
    return answer
