from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from tweets import examples, services
from tweets.forms import NewCorpusForm, RulesForm
from tweets.models import Corpus
from tweets.sources.handles import NETWORKS


def corpus_or_404(request: HttpRequest, corpus_id: uuid.UUID) -> Corpus:
    try:
        return services.corpus_for_user(request.user, corpus_id)
    except Corpus.DoesNotExist:
        raise Http404("There is no such corpus.") from None


@login_required
@require_http_methods(["GET", "POST"])
def new_corpus(request: HttpRequest) -> HttpResponse:
    posted = request.method == "POST"
    form = NewCorpusForm(request.POST if posted else None, request.FILES if posted else None)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("job", job_id=_submit(request, form).pk)
        except services.CorpusError as error:
            form.add_error(None, str(error))
    context = {"form": form, "x_is_offered": services.x_is_offered(), "x_cost": services.most_that_x_costs()}
    return render(request, "tweets/new.html", context, status=400 if form.is_bound else 200)


def _submit(request: HttpRequest, form: NewCorpusForm) -> Job:
    data = form.cleaned_data
    owner = cast(User, request.user)
    rules = {"keep_replies": data["keep_replies"], "keep_reposts": data["keep_reposts"]}
    if data["way"] == "text":
        return services.import_text(owner=owner, text=data["text"], name=data["name"], **rules)
    if data["way"] in NETWORKS:
        way = data["way"]
        return services.import_handle(owner=owner, handle=data[way], network=way, name=data["name"], **rules)
    if not data["file"]:
        raise services.NothingGiven("Choose a file first: your X archive, or a .txt, .csv, .json or .jsonl file.")
    return services.import_file(
        owner=owner, file=data["file"].file, file_name=data["file"].name, name=data["name"], **rules
    )


@login_required
@require_http_methods(["GET", "POST"])
def clean_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """The rules of cleaning: shown, tried out, and applied to all posts again."""
    corpus = corpus_or_404(request, corpus_id)
    form = RulesForm(request.POST) if request.method == "POST" else RulesForm.of(corpus.cleaning_rules)
    context: dict[str, Any] = {"corpus": corpus, "form": form}
    if form.is_valid():
        if "try" in request.POST:
            context["trial"] = examples.trial(corpus, form.rules())
        else:
            try:
                return redirect("job", job_id=services.reclean(corpus, form.rules()).pk)
            except services.CorpusError as error:
                form.add_error(None, str(error))
    context |= {"drops": examples.drops(corpus), "changes": examples.changes(corpus)}
    return render(request, "tweets/rules.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def bring_newer(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    corpus = corpus_or_404(request, corpus_id)
    try:
        return redirect("job", job_id=services.bring_newer(corpus).pk)
    except services.CorpusError as error:
        messages.warning(request, str(error))
    return redirect(corpus)


@login_required
@require_POST
def delete_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    corpus = corpus_or_404(request, corpus_id)
    name = corpus.name
    services.delete_corpus(corpus)
    messages.success(request, f"{name} is deleted, with its posts, files and jobs. Models that learned from it stay.")
    return redirect("dashboard")


@login_required
@require_GET
def corpus_list(request: HttpRequest) -> HttpResponse:
    return render(request, "tweets/list.html", {"corpora": services.corpora_for_user(request.user)})
