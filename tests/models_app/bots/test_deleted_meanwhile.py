"""A bot or a search that is deleted between its look-up and a change gets 404, as one that never was."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.db.models import Model

from botfactory.accounts.models import User
from models_app.bots import ancestry, registry
from models_app.bots.rows import TrainedModel
from models_app.search import services as searches
from models_app.search.rows import Search
from models_app.sharing import rights as sharing
from models_app.sharing import tags
from models_app.writing.keeping import reports
from models_app.writing.keeping import services as kept
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.search.searching import base_search, search_for
from tests.rest.helpers import Program, require_error
from tweets.models import AuditEntry, Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def delete_before(monkeypatch: pytest.MonkeyPatch, services: ModuleType, act: str) -> None:
    """Make a service find that the row of its first argument was deleted a moment ago."""
    service = getattr(services, act)

    def late(thing: Model, *args: Any, **values: Any) -> Any:
        type(thing)._default_manager.filter(pk=thing.pk).delete()
        return service(thing, *args, **values)

    monkeypatch.setattr(services, act, late)


@pytest.fixture
def search(corpus: Corpus, base: TrainedModel) -> Search:
    return search_for(corpus, base)


@pytest.mark.parametrize(
    ("services", "act", "method", "path", "body"),
    [
        (registry, "rename", "PATCH", "", {"name": "Herald"}),
        (sharing, "share", "PATCH", "", {"visibility": "public"}),
        (tags, "set_tags", "PATCH", "", {"tags": ["jokes"]}),
        (sharing, "renew_link", "POST", "/link", None),
    ],
)
def test_a_program_changes_a_bot_that_is_deleted(
    alice: User,
    bot: TrainedModel,
    monkeypatch: pytest.MonkeyPatch,
    services: ModuleType,
    act: str,
    method: str,
    path: str,
    body: Any,
) -> None:
    sharing.share(bot, "unlisted")
    delete_before(monkeypatch, services, act)
    require_error(Program(alice).ask(method, f"/models/{bot.pk}{path}", body), 404, "not_found")


@pytest.mark.parametrize(
    ("services", "act", "path", "form"),
    [
        (registry, "rename", "rename", {"name": "Herald"}),
        (sharing, "share", "share", {"visibility": "public"}),
        (tags, "set_tags", "share", {"visibility": "public", "tags": "jokes"}),
        (sharing, "renew_link", "share", {"renew": "yes"}),
    ],
)
def test_a_page_changes_a_bot_that_is_deleted(
    alice: User,
    bot: TrainedModel,
    monkeypatch: pytest.MonkeyPatch,
    services: ModuleType,
    act: str,
    path: str,
    form: dict[str, str],
) -> None:
    sharing.share(bot, "unlisted")
    delete_before(monkeypatch, services, act)
    assert signed_in(alice).post(f"/models/{bot.pk}/{path}", form).status_code == 404


@pytest.mark.parametrize(("act", "path", "body"), [("resume", "resume", None), ("add_trials", "trials", {"trials": 1})])
def test_a_program_changes_a_search_that_is_deleted(
    alice: User, search: Search, monkeypatch: pytest.MonkeyPatch, act: str, path: str, body: Any
) -> None:
    delete_before(monkeypatch, searches, act)
    require_error(Program(alice).post(f"/searches/{search.pk}/{path}", body), 404, "not_found")
    assert not Search.objects.exists()


@pytest.mark.parametrize(("act", "path", "body"), [("resume", "resume", None), ("add_trials", "trials", {"trials": 1})])
def test_a_program_changes_a_search_for_a_base_model_that_is_deleted(
    admin: User, server: Path, monkeypatch: pytest.MonkeyPatch, act: str, path: str, body: Any
) -> None:
    search = base_search(admin)
    delete_before(monkeypatch, searches, act)
    program = Program(admin, "read", "write", "admin")
    require_error(program.post(f"/searches/{search.pk}/{path}", body), 404, "not_found")


@pytest.mark.parametrize(("act", "path", "form"), [("resume", "resume", {}), ("add_trials", "add", {"trials": "1"})])
def test_a_page_changes_a_search_that_is_deleted(
    alice: User, search: Search, monkeypatch: pytest.MonkeyPatch, act: str, path: str, form: dict[str, str]
) -> None:
    delete_before(monkeypatch, searches, act)
    assert signed_in(alice).post(f"/searches/{search.pk}/{path}", form).status_code == 404


def test_sharing_of_a_bot_that_is_deleted_has_ended(bot: TrainedModel, corpus: Corpus, base: TrainedModel) -> None:
    sharing.share(bot, "public")
    entries = AuditEntry.objects.count()
    TrainedModel.objects.filter(pk=bot.pk).delete()
    ancestry.end_sharing([bot])
    assert AuditEntry.objects.count() == entries


@pytest.mark.parametrize("gone", [Generation, TrainedModel])
@pytest.mark.parametrize(("act", "form"), [("keep", {}), ("report", {"reason": "other"})])
def test_a_post_is_kept_or_reported_whose_bot_or_generation_is_deleted(
    bob: User, bot: TrainedModel, monkeypatch: pytest.MonkeyPatch, gone: type[Model], act: str, form: dict[str, str]
) -> None:
    sharing.share(bot, "public")
    generation = Generation.objects.create(model=bot, owner=bob, posts=["a whale on the bus"], seconds=0.1)
    module = {"keep": kept, "report": reports}[act]
    service = getattr(module, act)

    def late(**values: Any) -> Any:
        gone._default_manager.filter(pk=generation.pk if gone is Generation else bot.pk).delete()
        return service(**values)

    monkeypatch.setattr(module, act, late)
    answer = signed_in(bob).post(f"/generations/{generation.pk}/{act}", {"post": "0", **form})
    assert answer.status_code == 404
