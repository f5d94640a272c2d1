"""Each text that a page shows is translatable, whoever wrote it: a template, a form, a service or an error.

tests/contracts/test_translatable.py reads the templates; here the pages are rendered in a language of marks.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.cache import cache
from django.test import Client

from botfactory.accounts.models import User
from botfactory.env import MailServer
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.mentions import without
from models_app.search.rows import Search
from models_app.sharing import rights as sharing
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.rows import Generation
from publishing.models import Proposal
from publishing.rules import labels
from tests import pseudo
from tests.conftest import PASSWORD, signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import model as model
from tests.models_app.conftest import quick_report_cards as quick_report_cards
from tests.models_app.conftest import trainings_are_quick as trainings_are_quick
from tests.rest.helpers import Program
from tests.test_access import FILES, NOBODYS, OPEN_PAGES, OWN_PAGES, ROUTES
from tests.test_access import ids as ids
from tweets.corpora import summary
from tweets.importing import demo
from tweets.models import Corpus, Post

pytestmark = pytest.mark.django_db(transaction=True)

#: Our own pages of the administration.
ADMINISTRATION = [
    "/admin/",
    "/admin/house/",
    "/admin/base-models/",
    "/admin/base-models/get",
    "/admin/base-models/upload",
    "/admin/base-models/train",
    "/admin/base-models/evaluate",
    "/admin/base-models/search",
    "/styleguide/",
]
#: Names, addresses, ids, handles, values that programs read.
NAMES = re.compile(
    r"(· )?\[?Bot Factory\]?( [\d.]+)?|https?://\S+|/\S+|[0-9a-f]{12,64}|@[\w.@]+|\.[\w.]+(, \.[\w.]+)*|sha256|"
    r"(HuggingFaceTB|Qwen)/\S+|apache-2\.0|"
    r"glr|lstm|Muon|Adam|utf8-bytes|glr \d x \d+|base|default|train|A token|(· )?read, write( ·)?|"
    r"RSS|ATOM|JSON|UTC|[A-Z]\w+(/[\w -]+)+|name\.bsky\.social|xxxx(-xxxx){3}|Bluesky|Mastodon|"
    r"(Korpuso|Roboto)( · Bot Factory)?|job\.failed|English|Deutsch|Esperanto|Marks"
)
OURS = ("botfactory", "tweets", "models_app", "publishing")
LETTERS = re.compile(r"[^\W\d_]{2,}")
#: Heads of columns, labels, and how many rows there are.
NAMES_OF_FIELDS = re.compile(r'<(?:th scope="col"|label|p class="paginator")[^>]*>(.*?)</(?:th|label|p)>', re.DOTALL)
#: In the administration: names of apps and of rows of libraries, Django's image and its name for a row's number.
THEIRS = {"Authenticators", "User sessions", "Search", "ID"}


@pytest.fixture(autouse=True)
def marks(settings: Any) -> Iterator[None]:
    settings.LANGUAGES = [("en", "English"), (pseudo.CODE, "Marks")]
    with pseudo.marked():
        yield


@pytest.fixture
def renamed(ids: dict[str, uuid.UUID]) -> dict[str, uuid.UUID]:
    """The things that pages show, with names that appear nowhere else."""
    Corpus.objects.update(name="Korpuso")
    Search.objects.update(name="Korpuso")
    for number, made in enumerate(TrainedModel.objects.exclude(owner=None)):
        TrainedModel.objects.filter(pk=made.pk).update(name=f"Roboto{' ' * number}", corpus_name="Korpuso")
    return ids


def ask(client: Client, path: str, data: dict[str, Any] | None = None, **options: Any) -> pseudo.Reader:
    options["headers"] = {"Accept-Language": pseudo.CODE}
    answer = client.get(path, **options) if data is None else client.post(path, data, **options)
    assert "text/html" in answer["Content-Type"]
    return pseudo.read(answer.content.decode())


def wrong(reader: pseudo.Reader) -> list[str]:
    """Return the texts of this page that would stay English, and the numbers that its script wouldn't understand."""
    known = {
        *Post.objects.values_list("cleaned", flat=True),
        demo.EXAMPLE.quote,
        *get_user_model().objects.values_list("username", flat=True),
    }
    written = [post for generation in Generation.objects.all() for post in generation.posts]
    written += KeptPost.objects.values_list("text", flat=True)
    written += Proposal.objects.values_list("text", flat=True)
    # In the bot's language, whoever looks.
    written += [f"{labels.usual_label(made)}{end}" for made in TrainedModel.objects.all() for end in ("", ":")]
    for made in TrainedModel.objects.all():
        written += [without(sample) for epoch in made.history for sample in epoch.get("samples", [])]
        written += sharing.openings_of(made)
        # Held-out posts on the report card, word by word.
        shown = [post["post"] for post in made.report.get("surprise", [])]
        written += " ".join(Post.objects.filter(pk__in=shown).values_list("cleaned", flat=True)).split()
    known |= {" ".join(post.split()) for post in written}
    # Words of the posts, in the report on them.
    known |= {line.name for corpus in Corpus.objects.all() for line in summary.report(corpus).words}
    known |= {line.name for corpus in Corpus.objects.all() for line in summary.report(corpus).hashtags}
    return [
        *(text for text in reader.unmarked if text not in known | THEIRS and not NAMES.fullmatch(text)),
        *reader.bad_numbers,
    ]


def test_the_marks_are_found() -> None:
    reader = pseudo.read('<p title="⟦a⟧">⟦Some <b>bold</b> words⟧ 5 %<img alt="b c"><i data-n="1,5"></i> said</p>')
    assert (reader.unmarked, reader.bad_numbers) == (["b c", "said"], ["i data-n=1,5"])


def test_each_text_of_a_thing_of_ones_own(renamed: dict[str, uuid.UUID], alice: User, model: TrainedModel) -> None:
    client = signed_in(alice)
    found = {
        route: wrong(ask(client, route.format(**{**renamed, "model": model.pk})))
        for route, (status, _) in ROUTES.items()
        if status == 200 and route not in FILES
    }
    assert {route: texts for route, texts in found.items() if texts} == {}


def test_each_text_of_lists_and_of_the_account(renamed: dict[str, uuid.UUID], alice: User) -> None:
    found = {
        route: wrong(ask(signed_in(alice), route.format(**NOBODYS)))
        for route, (status, _) in OWN_PAGES.items()
        if status == 200 and route not in FILES
    }
    assert {route: texts for route, texts in found.items() if texts} == {}


def test_each_text_for_visitors(charlie: Client) -> None:
    paths = [route.format(**NOBODYS) for route, status in OPEN_PAGES.items() if status != 302]
    found = {path: wrong(ask(charlie, path)) for path in ["/", *paths]}
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_each_text_of_the_administration(renamed: dict[str, uuid.UUID], admin: User) -> None:
    found = {path: wrong(ask(signed_in(admin), path)) for path in ADMINISTRATION}
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_each_name_in_the_lists_of_the_administration(renamed: dict[str, uuid.UUID], admin: User) -> None:
    """Lists and forms show the names of rows and fields."""
    client, found = signed_in(admin), {}
    for kind in site._registry:
        if kind._meta.app_config.name.startswith(OURS):
            path = f"/admin/{kind._meta.app_label}/{kind._meta.model_name}/"
            row = kind._default_manager.first()
            for shown in [path] if row is None else [path, f"{path}{row.pk}/change/"]:
                page = client.get(shown, headers={"Accept-Language": pseudo.CODE}).content.decode()
                names = NAMES_OF_FIELDS.findall(page)
                texts = {text for name in names for text in pseudo.read(name).unmarked if LETTERS.search(text)}
                found[shown] = texts - THEIRS
    assert len(found) > 15
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_each_text_of_a_shared_bot(renamed: dict[str, uuid.UUID], alice: User, bob: User, model: TrainedModel) -> None:
    Corpus.objects.update(basis="public", handle="town.example")
    model.refresh_from_db()
    for visibility in ("public", "unlisted"):
        sharing.share(model, visibility)
        found = [wrong(ask(client, model.get_shared_url())) for client in (signed_in(alice), signed_in(bob), Client())]
        assert found == [[], [], []]
    sharing.share(model, "public")
    assert wrong(ask(signed_in(bob), "/gallery/")) == []


def test_each_error_of_a_form(renamed: dict[str, uuid.UUID], alice: User, admin: User, model: TrainedModel) -> None:
    own, desk = signed_in(alice), signed_in(admin)
    write, long = f"/models/{model.pk}/generate", ",".join(f"w{n}" for n in range(201))
    sampling = {"count": "1", "temperature": "0.8"}
    forms = [
        ask(own, write, {"count": "1000", "temperature": "x"}),
        ask(own, write, {**sampling, "banned": long}),
        ask(own, write, {**sampling, "banned": "w" * 101}),
        ask(own, write, {**sampling, "prompt": "hello", "banned": "hello"}),
        ask(own, write, {**sampling, "count": "100", "max_characters": "4000"}),
        ask(desk, "/admin/base-models/train", {"name": "a/b", "minutes": "1"}),
        ask(desk, "/admin/base-models/evaluate", {}),
        ask(desk, "/admin/base-models/search", {"trials": "0"}),
        ask(desk, "/admin/base-models/upload", {"name": ""}),
        ask(desk, "/admin/base-models/get", {"repository": "../etc"}),
    ]
    assert [wrong(form) for form in forms] == [[]] * len(forms)


def test_each_text_of_a_mail(alice: User, settings: Any) -> None:
    settings.MAIL_SERVER = MailServer("127.0.0.1", 25, "", "")
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
    cache.clear()
    EmailAddress.objects.create(user=alice, email="alice@example.org", verified=True, primary=True)
    new = {"username": "carol", "password1": PASSWORD, "password2": PASSWORD}
    ask(Client(), "/accounts/signup/", {**new, "email": "carol@example.org"}, follow=True)
    ask(Client(), "/accounts/signup/", {**new, "username": "dora", "email": "alice@example.org"}, follow=True)
    for address in ("alice@example.org", "nobody@example.org"):
        ask(Client(), "/accounts/password/reset/", {"email": address}, follow=True)
    texts = [text for sent in mail.outbox for text in (sent.subject, str(sent.body))]
    assert len(texts) == 8
    assert [wrong(pseudo.read(str(text))) for text in texts] == [[]] * 8


def test_each_error_of_the_api_has_its_code_and_a_text(renamed: dict[str, uuid.UUID], bob: User) -> None:
    program = Program(bob)
    program.headers["Accept-Language"] = pseudo.CODE
    answer = program.get(f"/models/{uuid.uuid4()}").json()["error"]
    assert answer["code"] == "not_found" and answer["message"].startswith(pseudo.BEGIN)
