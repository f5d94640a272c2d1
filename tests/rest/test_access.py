"""Every operation of the document, for owner, stranger, anonymous, administrator, inactive, and wrong scope.

New operations are tested automatically. A new kind of thing needs a line in `things`.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken, PersonalLimits, User
from botfactory.api import api
from botfactory.webhooks import services as webhooks
from botfactory.webhooks.models import Delivery
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.writing import generations
from models_app.writing.keeping import services as keeping
from publishing.queue import connecting
from tests.conftest import signed_in
from tests.jobs.test_api import submit
from tests.models_app.conftest import untrained
from tests.models_app.search.searching import search_for
from tests.publishing.helpers import approve
from tests.rest.helpers import V1, Program, require_error
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]
LINK = "x" * 43


@pytest.fixture
def model(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    return untrained(corpus, base)


@pytest.fixture
def things(alice: User, model: TrainedModel, base: TrainedModel) -> dict[str, uuid.UUID | str]:
    """Return a thing of alice for each name in an address."""
    written = generations.generate(model=model, owner=alice, sampling=SamplingConfig(count=1, max_characters=20))
    assert model.corpus is not None
    shared = TrainedModel.objects.create(
        owner=alice, name="Shared", corpus=model.corpus, visibility="unlisted", link=LINK
    )
    webhook = webhooks.create(owner=alice, url="https://example.com/", events=["job.failed"]).webhook
    message = Delivery.objects.create(webhook=webhook, event="job.failed", subject_id=webhook.pk, state="failed")
    feed = connecting.connect(model, "feed", {})
    approved = approve(model)
    return {
        "account_id": feed.pk,
        "proposal_id": approved.pk,
        "publication_id": approved.publications.get().pk,
        "job_id": submit(alice).pk,
        "token_id": Program(alice).token.pk,
        "corpus_id": model.corpus.pk,
        "model_id": model.pk,
        "generation_id": written.pk,
        "kept_id": keeping.keep(generation=written, number=0).pk,
        "search_id": search_for(model.corpus, base).pk,
        "webhook_id": webhook.pk,
        "delivery_id": message.pk,
        "link": str(shared.link),
    }


@pytest.fixture(autouse=True)
def no_pace(alice: User, bob: User, admin: User) -> None:
    for person in (alice, bob, admin):
        PersonalLimits.objects.create(user=person, unlimited=True)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Return the method, path and description of each operation."""
    document = json.loads(Client().get(f"{V1}/openapi.json").content)
    found = [
        (method.upper(), path.removeprefix(V1), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(found) > 20
    return found


def at(path: str, things: dict[str, uuid.UUID | str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: str(things[name[1]]), path)


def test_nobody_and_who_is_inactive_get_in_nowhere(things: dict[str, uuid.UUID | str], alice: User, bob: User) -> None:
    nobody, inactive, expired, revoked = Program(None), Program(bob), Program(alice), Program(alice)
    page = signed_in(bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    ApiToken.objects.filter(pk=expired.token.pk).update(expires_at=timezone.now())
    tokens.revoke_token(revoked.token)
    for method, path, _ in operations():
        require_error(nobody.ask(method, at(path, things)), 401, "not_authenticated")
        require_error(page.generic(method, V1 + at(path, things)), 401, "not_authenticated")
        for program in (inactive, expired, revoked):
            require_error(program.ask(method, at(path, things)), 401, "bad_token")


def for_administrators() -> list[tuple[str, str, dict[str, Any]]]:
    return [one for one in operations() if one[2]["security"][0]["Token"] == ["admin"]]


def test_nobody_else_can_use_what_is_for_administrators(
    things: dict[str, uuid.UUID | str], alice: User, admin: User
) -> None:
    found = for_administrators()
    assert found
    programs = (Program(alice, "read", "write"), Program(admin, "read", "write"))
    for method, path, operation in found:
        body: dict[str, Any] | None = {} if "requestBody" in operation else None
        for program in programs:
            require_error(program.ask(method, at(path, things), body), 403, "missing_scope")
        page = signed_in(alice).generic(method, V1 + at(path, things), "{}", "application/json")
        require_error(page, 403, "missing_scope")
        assert Program(admin, "admin").ask(method, at(path, things), body).status_code != 403, path


def test_every_route_is_in_the_document() -> None:
    # The tests of this file only ask what is in the document.
    documented = {path for _, path, _ in operations()}
    there = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/{entry.pattern}") for entry in api.urls[0]}
    assert there == documented | {"/openapi.json", "/"}


def test_each_operation_needs_its_scope(things: dict[str, uuid.UUID | str], alice: User) -> None:
    for method, path, operation in operations():
        needed = operation["security"][0]["Token"]
        if needed == ["admin"]:
            continue
        assert needed in (["read"], ["write"]), path
        program = Program(alice, *({"read", "write"} - set(needed)))
        require_error(program.ask(method, at(path, things)), 403, "missing_scope")
        # There are more operations than a person may have tokens.
        program.token.delete()


def test_to_strangers_and_the_administrator_things_do_not_exist(
    things: dict[str, uuid.UUID | str], bob: User, admin: User
) -> None:
    nowhere: dict[str, uuid.UUID | str] = {name: uuid.uuid4() for name in things}
    for program in (Program(bob), Program(admin, "read", "write", "admin")):
        for method, path, operation in operations():
            # Whoever has a link gets in: tests/models_app/sharing/test_sharing.py.
            if "{" not in path or "{link}" in path:
                continue
            # To others, everything for administrators is forbidden, whatever there is.
            if program.token.owner_id == bob.pk and operation["security"][0]["Token"] == ["admin"]:
                continue
            body: dict[str, Any] | None = {} if "requestBody" in operation else None
            there, gone = (program.ask(method, at(path, ids), body) for ids in (things, nowhere))
            # The body is checked before the thing is looked up, so the answer says nothing about the thing.
            assert (there.status_code, there.content) == (gone.status_code, gone.content), path
            assert there.status_code == (404 if body is None else there.status_code) >= 400, path


def test_the_owner_finds_what_is_theirs(things: dict[str, uuid.UUID | str], alice: User) -> None:
    program = Program(alice)
    ours = {path for _, path, _ in for_administrators()}
    for path in (path for method, path, _ in operations() if method == "GET" and path not in ours):
        assert program.get(at(path, things)).status_code == 200, path
