"""People without an account: what they can see, what they keep when they sign up, and what is deleted otherwise."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.urls import Resolver404, resolve
from django.utils import timezone

from botfactory.accounts import limits, visitors
from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from models_app.bots.rows import TrainedModel
from models_app.training import instant, planning
from tests.conftest import PASSWORD, signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import fluent as fluent
from tests.routes import filled, routes
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)
SIGN_UP = {"username": "nora", "password1": PASSWORD, "password2": PASSWORD}
DOORS = {"/accounts/signup/", "/accounts/login/"}


@pytest.fixture(autouse=True)
def no_rate_limits_of_tests_before() -> None:
    cache.clear()


@pytest.fixture
def visit(base: TrainedModel, fluent: TrainedModel) -> Client:
    """Return the browser of a visitor who has clicked on the example."""
    page = Client()
    assert 'action="/example/"' in page.get("/").content.decode()
    answer = page.post("/example/")
    assert (answer.status_code, answer["Location"]) == (302, "/example/")
    return page


def test_one_click_imports_the_example_and_makes_both_bots(visit: Client) -> None:
    visitor = User.objects.get()
    assert visitor.is_visitor and not visitor.has_usable_password() and not visitor.is_superuser
    corpus = Corpus.objects.get(owner=visitor)
    assert corpus.is_ready and corpus.name == "Mrs. Kettle"
    shown = visit.get("/example/").content.decode()
    assert "The kettle knows." in shown and "The bot is reading her posts" in shown
    made, trained = (Job.objects.get(kind=kind) for kind in (instant.INSTANT_BOT, planning.FINE_TUNE))
    # Everybody else's trainings go first.
    assert (made.priority, trained.priority) == (0, -1)
    # A second click changes nothing.
    assert visit.post("/example/")["Location"] == "/example/"
    assert (Job.objects.count(), Corpus.objects.count(), User.objects.count()) == (3, 1, 1)

    worker.run(made.pk)
    assert visit.get("/example/", headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    shown = visit.get("/example/").content.decode()
    assert "data-opening" in shown and "A better bot is learning" in shown
    bot = TrainedModel.objects.get(owner=visitor)
    written = visit.post(f"/models/{bot.pk}/generate", {"count": 1, "max_characters": 200})
    assert written.status_code == 302
    assert "1 new post" in visit.get("/example/").content.decode()


def test_a_page_of_another_site_makes_no_visitor(base: TrainedModel) -> None:
    page = Client(enforce_csrf_checks=True)
    for origin in ("https://other.example", "null"):
        answer = page.post("/example/", headers={"Origin": origin})
        assert answer.status_code == 403, origin
    assert not User.objects.exists()
    assert page.post("/example/", headers={"Origin": "http://testserver"})["Location"] == "/example/"


def test_a_failure_is_shown_with_its_reason(visit: Client) -> None:
    job = Job.objects.get(kind=instant.INSTANT_BOT)
    Job.objects.filter(pk=job.pk).update(state="failed", error_message="The disk is gone.", finished_at=timezone.now())
    shown = visit.get("/example/").content.decode()
    assert "The disk is gone." in shown and "hx-trigger" not in shown


def test_visitors_get_to_the_pages_of_the_example_and_from_all_others_to_the_sign_up(visit: Client) -> None:
    ids = {name: uuid.uuid4() for name in ("job", "corpus", "model", "generation", "kept")}
    for route in routes():
        path = filled(route, ids)
        try:
            name = resolve(path).view_name
        except Resolver404:  # a pattern that this path doesn't fit
            continue
        if path in DOORS or name in visitors.PAGES:
            continue
        for method in (visit.get, visit.post):
            answer = method(path)
            assert answer.status_code == 302, (method, path)
            assert answer["Location"].startswith("/accounts/signup/"), (method, path, answer["Location"])
    assert visit.get("/")["Location"] == "/example/"


def test_what_belongs_to_others_is_not_there_for_them(visit: Client, alice: User) -> None:
    other = Corpus.objects.create(owner=alice, name="Alice", source="text", basis="own")
    assert visit.get(f"/corpora/{other.pk}/").status_code == 404


def test_who_signs_up_keeps_the_example_and_has_everybodys_limits(visit: Client) -> None:
    visitor = User.objects.get()
    assert visit.get("/accounts/signup/").status_code == 200
    # A refused form changes nothing.
    assert visit.post("/accounts/signup/", {**SIGN_UP, "password2": "another"}).status_code == 200
    assert User.objects.get().is_visitor
    assert visit.post("/accounts/signup/", SIGN_UP).status_code == 302
    nora = User.objects.get()
    assert (nora.pk, nora.username, nora.is_visitor) == (visitor.pk, "nora", False)
    assert nora.check_password(PASSWORD) and limits.limits_of(nora) == limits.defaults()
    # The first account of the house is its administrator's.
    assert nora.is_founder
    assert visit.get("/account/").status_code == 200
    assert visit.get("/example/").status_code == 200
    assert signed_in(nora).get(f"/corpora/{Corpus.objects.get(owner=nora).pk}/").status_code == 200


def test_who_signs_in_leaves_the_visit_behind(visit: Client, alice: User) -> None:
    assert visit.post("/accounts/login/", {"login": "alice", "password": PASSWORD}).status_code == 302
    assert visit.get("/account/").status_code == 200
    assert User.objects.filter(is_visitor=True).count() == 1


def test_after_a_day_visitors_are_deleted_with_all_that_they_made(visit: Client, alice: User) -> None:
    visitors.forget_old()
    assert User.objects.filter(is_visitor=True).exists()
    User.objects.update(date_joined=timezone.now() - timedelta(hours=25))
    visitors.forget_old()
    assert list(User.objects.all()) == [alice]
    assert not Corpus.objects.exists() and not Job.objects.exists()
    # The browser is a stranger's again.
    assert visit.get("/account/")["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("why", ["closed", "crowded", "often"])
def test_who_cannot_be_admitted_reads_why(
    why: str, base: TrainedModel, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_superuser("root")
    if why == "closed":
        settings.SIGNUP_MODE = "closed"
    if why == "crowded":
        monkeypatch.setattr(visitors, "MOST", 0)
    if why == "often":
        settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, visitors.ACTION: "1/h/ip"}
        Client().post("/example/")
    page = Client()
    answer = page.post("/example/", follow=True)
    sentences = {"closed": "accept visitors", "crowded": "Too many people", "often": "from your network"}
    assert sentences[why] in answer.content.decode()
    assert User.objects.filter(is_visitor=True).count() == (1 if why == "often" else 0)


def test_somebody_with_an_account_gets_the_example_too(alice: User, base: TrainedModel, fluent: TrainedModel) -> None:
    page = signed_in(alice)
    assert page.get("/example/")["Location"] == "/"
    assert page.post("/example/")["Location"] == "/example/"
    assert Job.objects.get(kind=planning.FINE_TUNE).priority == 0
    assert Client().get("/example/")["Location"] == "/"
