from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from botfactory.webhooks.models import Webhook
from models_app.bots.rows import TrainedModel
from models_app.writing.rows import Generation
from tweets.models import Corpus

from .actions import act

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@pytest.mark.parametrize("page", ["accounts/user", "jobs/job", "tweets/corpus", "models_app/trainedmodel"])
def test_lists_are_searched_and_rows_opened(page: str, desk: Client, model: TrainedModel) -> None:
    found = desk.get(f"/admin/{page}/?q=alice").content.decode()
    assert "alice" in found
    row: Any = {"accounts/user": model.owner, "jobs/job": model.job, "tweets/corpus": model.corpus}.get(page, model)
    assert desk.get(f"/admin/{page}/{row.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    ("page", "name"),
    [("accounts/user", "Users"), ("auth/group", "Groups"), ("mfa/authenticator", "Two-factor sign-in")],
)
def test_lists_have_a_name(page: str, name: str, desk: Client) -> None:
    shown = desk.get(f"/admin/{page}/").content.decode()
    assert f"<h1>{name}</h1>" in shown and f"&rsaquo; {name}</div>" in shown


def test_filters_narrow_the_jobs(desk: Client, model: TrainedModel) -> None:
    assert "Train Bot" in desk.get("/admin/jobs/job/?state__exact=succeeded&kind=fine_tune").content.decode()
    assert "Train Bot" not in desk.get("/admin/jobs/job/?state__exact=failed").content.decode()


def test_lists_group_digits_and_name_sources_in_the_language_of_the_page(
    desk: Client, corpus: Corpus, base: TrainedModel
) -> None:
    TrainedModel.objects.filter(pk=base.pk).update(posts=12_345, seconds=122.78634189500008, bits_per_character=1.23456)
    Corpus.objects.filter(pk=corpus.pk).update(posts_found=12_345, posts_kept=11_234, characters=1_234_567)
    desk.cookies["django_language"] = "de"
    models = desk.get("/admin/models_app/trainedmodel/").content.decode()
    assert all(f">{shown}</td>" in models for shown in ("12.345", "2 min 3 s", "1,235"))
    corpora = desk.get("/admin/tweets/corpus/").content.decode()
    assert all(f">{shown}</td>" in corpora for shown in ("12.345", "11.234", "1.234.567", "Eingefügter Text"))
    assert '<a href="?source=text">Eingefügter Text</a>' in corpora
    assert "Eingefügter Text" in desk.get("/admin/tweets/corpus/?source=text").content.decode()
    assert "0 Sammlungen" in desk.get("/admin/tweets/corpus/?source=x").content.decode()


@pytest.mark.parametrize(("seconds", "shown"), [(0.314, "0.31 s"), (9.99, "9.99 s"), (83, "1 min 23 s")])
def test_short_generations_took_fractions_of_a_second(
    desk: Client, alice: User, base: TrainedModel, seconds: float, shown: str
) -> None:
    Generation.objects.create(model=base, owner=alice, posts=["Hello."], seconds=seconds)
    assert f">{shown}</td>" in desk.get("/admin/models_app/generation/").content.decode()


def test_webhooks_say_in_the_language_of_the_page_why_they_are_off(desk: Client, alice: User) -> None:
    hook = Webhook.objects.create(owner=alice, url="https://example.org/", events=["job.failed"])
    desk.cookies["django_language"] = "de"
    page = act(desk, "webhooks/webhook", "switch_off", hook)
    row = desk.get(f"/admin/webhooks/webhook/{hook.pk}/change/").content.decode()
    assert all("administrator" not in shown and "Administration ausgeschaltet" in shown for shown in (page, row))
