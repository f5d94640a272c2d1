from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.files.uploaded import name_of
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.rest.rate_limit import paced
from botfactory.web.listing import Listing
from botfactory.words.translation import translated
from tweets.corpora import amounts, blend, deletion, errors, examples, export, offered, posts, services, whose
from tweets.importing import costs, demo
from tweets.models import Corpus, Post
from tweets.pages import ways
from tweets.pages.forms import BlendForm, ColumnForm, CorporaForm, FindForm, NewCorpusForm, RulesForm
from tweets.sources.registry import is_network, network_of

POSTS_ON_A_PAGE = 50
NUMBER = re.compile(r"[0-9]{1,18}")


def corpus_or_404(request: HttpRequest, corpus_id: uuid.UUID) -> Corpus:
    """Return the person's corpus, or raise Http404."""
    try:
        return services.corpus_for_user(request.user, corpus_id)
    except Corpus.DoesNotExist:
        raise Http404("There is no such corpus.") from None


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def new_corpus(request: HttpRequest) -> HttpResponse:
    """Show the form that imports posts, and start the import."""
    posted = request.method == "POST"
    form = NewCorpusForm(request.POST, request.FILES) if posted else _empty_form(request)
    if request.method == "POST" and form.is_valid():
        try:
            return _ask_or_submit(request, form)
        except errors.AccountNeeded as error:
            form.add_error("account", translated(error))
        except (errors.CorpusError, LimitReached) as error:
            form.add_error(None, translated(error))
    context = {
        "form": form,
        "instead": services.replaceable(request.user, _number(form["instead"].value())),
        "example": demo.EXAMPLE,
        "is_first": not services.corpora_for_user(request.user).exists(),
        "not_offered": ways.not_offered(),
        "handles": ways.examples_of_handles(),
    }
    return render(request, "tweets/new.html", context, status=400 if form.is_bound else 200)


def _empty_form(request: HttpRequest) -> NewCorpusForm:
    """Return the form. If it replaces a corpus whose import failed, it has the earlier answers."""
    corpus = services.replaceable(request.user, _number(request.GET.get("instead")))
    if corpus is None:
        return NewCorpusForm()
    job = services.last_import(corpus)
    return NewCorpusForm.in_place_of(corpus, job.arguments.get("column", "") if job is not None else "")


def _number(text: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None


def _ask_or_submit(request: HttpRequest, form: NewCorpusForm) -> HttpResponse:
    """Redirect to the import's page; if the posts cost money, first show how much and ask."""
    data, owner = form.cleaned_data, cast(User, request.user)
    cursor = confirmation = ""
    # The address of a profile names its network, whichever was chosen.
    account = whose.account_to_bring(data[data["way"]], network=data["way"]) if is_network(data["way"]) else None
    if account is not None and network_of(account.network).is_paid:
        confirmed = costs.confirmed_cursor(data["confirmed"], owner=owner, account=account)
        if confirmed is None:
            estimate = costs.of_account(account, owner=owner)
            context = {
                "estimate": estimate,
                "data": data,
                "network": account.network,
                "confirmed": costs.signed(estimate, owner),
            }
            return render(request, "tweets/confirm.html", context)
        cursor, confirmation = confirmed, costs.digest_of(data["confirmed"])
    return redirect("job", job_id=_submit(request, form, cursor=cursor, confirmation=confirmation).pk)


def _submit(request: HttpRequest, form: NewCorpusForm, *, cursor: str, confirmation: str) -> Job:
    data = form.cleaned_data
    owner = cast(User, request.user)
    name, basis = data["name"], data["basis"]
    rules: dict[str, Any] = {
        "keep_replies": data["keep_replies"],
        "keep_reposts": data["keep_reposts"],
        "instead": services.replaceable(owner, data["instead"]),
    }
    if data["way"] == "text":
        return services.import_text(
            owner=owner, text=data["text"], basis=basis, account=data["account"], name=name, **rules
        )
    if is_network(data["way"]):
        way = data["way"]
        return services.import_handle(
            owner=owner,
            handle=data[way],
            network=way,
            basis=basis,
            name=name,
            cursor=cursor,
            confirmation=confirmation,
            **rules,
        )
    if not data["file"]:
        raise errors.NothingGiven(_("Choose a file first."))
    file = data["file"]
    column = data["column"]
    return services.import_file(
        owner=owner,
        file=file.file,
        file_name=name_of(file),
        basis=basis,
        account=data["account"],
        name=name,
        column=column,
        **rules,
    )


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def blend_corpora(request: HttpRequest) -> HttpResponse:
    """Show the form that makes one corpus from several, and start the blend."""
    corpora = list(blend.parts_for_user(request.user))
    form = BlendForm(request.POST if request.method == "POST" else None, corpora=corpora)
    if form.is_valid():
        try:
            job = blend.blend(owner=cast(User, request.user), weights=form.chosen(), name=form.cleaned_data["name"])
            return redirect("job", job_id=job.pk)
        except (errors.CorpusError, LimitReached) as error:
            form.add_error(None, translated(error))
    return render(request, "tweets/blend.html", {"form": form}, status=400 if form.is_bound else 200)


@login_required
@require_POST
@paced("POST")
def name_column(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Take the answer to an import that asked which column contains the posts."""
    corpus = corpus_or_404(request, corpus_id)
    form = ColumnForm(request.POST)
    try:
        if not form.is_valid():
            raise errors.NothingGiven(_("Enter the name of the column with at most 80 characters, or its number."))
        return redirect(services.name_column(corpus, form.cleaned_data["column"]))
    except (errors.CorpusError, LimitReached, NotPossible) as error:
        messages.warning(request, translated(error))
    return redirect(services.last_import(corpus) or corpus)


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def clean_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Show the cleaning rules, try others on some posts, or clean all posts again."""
    corpus = corpus_or_404(request, corpus_id)
    form = RulesForm(request.POST) if request.method == "POST" else RulesForm.of(corpus.cleaning_rules)
    context: dict[str, Any] = {"corpus": corpus, "form": form}
    if form.is_valid():
        if "try" in request.POST:
            context["trial"] = examples.trial(corpus, form.rules())
            if getattr(request, "htmx", False):
                return render(request, "tweets/_tried.html", context)
        else:
            try:
                return redirect("job", job_id=services.reclean(corpus, form.rules()).pk)
            except (errors.CorpusError, LimitReached) as error:
                form.add_error(None, translated(error))
    shown = examples.shown(corpus)
    context |= {"drops": shown.drops, "changes": shown.changes}
    return render(request, "tweets/rules.html", context, status=400 if form.errors else 200)


@login_required
@require_GET
@paced("GET")
def post_list(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Show the posts one by one, searched and filtered."""
    corpus = corpus_or_404(request, corpus_id)
    form = FindForm(request.GET)
    if not form.is_valid():
        return render(request, "tweets/posts.html", {"corpus": corpus, "form": form}, status=400)
    found = _found(corpus, form)
    listing = Listing(found, form, size=POSTS_ON_A_PAGE)
    context = {
        "corpus": corpus,
        "form": form,
        "listing": listing,
        "page": listing.page,
        "show": form.cleaned_data["show"],
        "words": form.cleaned_data["q"],
    }
    return render(request, "tweets/posts.html", context)


def _found(corpus: Corpus, form: FindForm) -> QuerySet[Post]:
    data = form.cleaned_data
    return posts.find(corpus, words=data["q"], show=data["show"], since=data["since"], until=data["until"])


@login_required
@require_POST
@paced("POST")
def take_out(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Remove one post, or all that the search finds."""
    return _change_posts(request, corpus_id, posts.take_out, _removed, needs_words=True)


@login_required
@require_POST
@paced("POST")
def put_back(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Put one post back, or all that the search finds."""
    return _change_posts(request, corpus_id, posts.put_back, _restored, needs_words=False)


def _removed(count: int) -> str:
    said = ngettext("%(number)s post is removed.", "%(number)s posts are removed.", count)
    return said % {"number": amounts.grouped(count)}


def _restored(count: int) -> str:
    said = ngettext("%(number)s post is back.", "%(number)s posts are back.", count)
    return said % {"number": amounts.grouped(count)}


def _change_posts(
    request: HttpRequest,
    corpus_id: uuid.UUID,
    change: Callable[[Corpus, QuerySet[Post]], int],
    told: Callable[[int], str],
    *,
    needs_words: bool,
) -> HttpResponse:
    """Change one post if the page names one, else all posts that the search finds."""
    corpus = corpus_or_404(request, corpus_id)
    form = FindForm(request.POST)
    if not form.is_valid():
        return redirect("posts", corpus_id=corpus.pk)
    words, number = form.cleaned_data["q"], request.POST.get("post", "")
    wanted = _found(corpus, form)
    if number:
        wanted = corpus.posts.filter(pk=int(number)) if NUMBER.fullmatch(number) else wanted.none()
    try:
        if needs_words and not number and not words.strip():
            raise errors.NothingGiven(_("Search for a word first. Then you can remove all posts that contain it."))
        count = change(corpus, wanted)
        messages.success(request, told(count))
    except (errors.CorpusError, LimitReached) as error:
        messages.warning(request, translated(error))
    return redirect(f"{reverse('posts', args=[corpus.pk])}?{form.address()}")


@login_required
@require_GET
@paced("GET")
def export_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> StreamingHttpResponse:
    """Send all posts as a file."""
    corpus = corpus_or_404(request, corpus_id)
    lines = export.begin(corpus, by=cast(User, request.user))
    disposition = content_disposition_header(True, export.file_name(corpus))
    return StreamingHttpResponse(
        lines, content_type="application/jsonl; charset=utf-8", headers={"Content-Disposition": disposition or ""}
    )


@login_required
@require_POST
@paced("POST")
def bring_newer(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Import what the account has posted since; if posts cost money, first ask."""
    corpus = corpus_or_404(request, corpus_id)
    try:
        if offered.is_paid(corpus.source) and "confirmed" not in request.POST:
            context = {"estimate": costs.of_newer(corpus), "corpus": corpus}
            return render(request, "tweets/confirm.html", context)
        return redirect("job", job_id=services.bring_newer(corpus).pk)
    except (errors.CorpusError, LimitReached) as error:
        messages.warning(request, translated(error))
    return redirect(corpus)


@login_required
@require_POST
def delete_corpus(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Delete a corpus, and say what was deleted with it."""
    corpus = corpus_or_404(request, corpus_id)
    gone = deletion.delete_corpus(corpus, by=cast(User, request.user))
    said = _("Deleted %(name)s: %(gone)s. Bots that learned from it stay, but are private now.")
    messages.success(request, said % {"name": corpus.name, "gone": gone})
    return redirect("dashboard")


@login_required
@require_GET
def corpus_list(request: HttpRequest) -> HttpResponse:
    """Show the person's corpora in pages."""
    form = CorporaForm(request.GET)
    own = services.corpora_for_user(request.user)
    filters = {"state": form.asked("state"), "sort": form.asked("sort")}
    listing = Listing(services.find(services.with_trouble(own), words=form.asked("q"), **filters), form)
    context = {"form": form, "listing": listing, "corpora": listing.rows, "can_blend": own[1:2].exists()}
    return render(request, "tweets/list.html", context, status=listing.status)
