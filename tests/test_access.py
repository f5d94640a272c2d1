"""Who sees what: every route of the pages, for owner, stranger, administrator and nobody."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken, User
from botfactory.jobs.models import Job
from models_app.models import TrainedModel
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import model as model
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

#: Route -> what the owner gets for (GET, POST). Everything that names a thing by its id is here: see the last test.
ROUTES: dict[str, tuple[int, int]] = {
    "/jobs/{job}/": (200, 405),
    "/jobs/{job}/events": (200, 405),
    "/jobs/{job}/stop": (405, 302),
    "/jobs/{job}/retry": (405, 302),
    "/jobs/{job}/cancel": (405, 302),
    "/corpora/{corpus}/": (200, 400),
    "/corpora/{corpus}/clean": (200, 400),
    "/corpora/{corpus}/column": (405, 302),
    "/models/{model}/": (200, 405),
    "/models/{model}/generate": (405, 400),
    "/models/{model}/rename": (405, 302),
    "/models/{model}/share": (405, 302),
    # A private one, as others would see it; what of shared ones is in tests/models_app/test_sharing.py.
    "/gallery/{model}/": (200, 405),
    "/gallery/{model}/generate": (405, 400),
    "/models/{model}/delete": (405, 302),
    "/corpora/{corpus}/posts": (200, 405),
    "/corpora/{corpus}/posts/out": (405, 302),
    "/corpora/{corpus}/posts/back": (405, 302),
    "/corpora/{corpus}/export": (200, 405),
    "/corpora/{corpus}/newer": (405, 302),
    "/corpora/{corpus}/delete": (405, 302),
    "/tokens/{token}/revoke": (405, 302),
}


@pytest.fixture
def ids(corpus: Corpus, model: TrainedModel) -> dict[str, uuid.UUID]:
    assert model.job_id is not None
    token = tokens.create_token(owner=corpus.owner, name="A token").token
    return {"job": model.job_id, "corpus": corpus.pk, "model": model.pk, "token": token.pk}


def text_of(answer: Any) -> str:
    """The page but for what is drawn anew for each answer."""
    text = answer.content.decode()
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)


def test_the_owner_gets_in(ids: dict[str, uuid.UUID], alice: User) -> None:
    client = signed_in(alice)
    for route, expected in ROUTES.items():
        path = route.format(**ids)
        assert (client.get(path).status_code, client.post(path).status_code) == expected, route


def test_strangers_and_the_administrator_get_what_does_not_exist(
    ids: dict[str, uuid.UUID], bob: User, admin: User
) -> None:
    for person in (bob, admin):
        client = signed_in(person)
        for route, allowed in ROUTES.items():
            there = route.format(**ids)
            nowhere = route.format(**{name: uuid.uuid4() for name in ids})
            for method, status in zip(("GET", "POST"), allowed, strict=True):
                if status == 405:
                    continue
                answers = [client.generic(method, path) for path in (there, nowhere)]
                assert [answer.status_code for answer in answers] == [404, 404], route
                assert text_of(answers[0]) == text_of(answers[1]), route
    assert Job.objects.count() == 2 and TrainedModel.objects.count() == 2 and Corpus.objects.count() == 1
    assert ApiToken.objects.get().revoked_at is None


def test_nobody_is_asked_to_sign_in(ids: dict[str, uuid.UUID], charlie: Client) -> None:
    for route in ROUTES:
        path = route.format(**ids)
        for answer in (charlie.get(path), charlie.post(path)):
            assert answer.status_code == 302 and answer["Location"].startswith("/accounts/login/"), route


def test_lists_and_choices_show_own_things_only(ids: dict[str, uuid.UUID], bob: User, corpus: Corpus) -> None:
    client = signed_in(bob)
    for path in ("/", "/jobs/", "/corpora/", "/models/", "/corpora/new", "/corpora/blend", "/tokens/", "/gallery/"):
        page = client.get(path).content.decode()
        assert not any(str(found) in page for found in ids.values()), path


def test_a_training_cannot_start_from_somebody_elses_model(
    ids: dict[str, uuid.UUID], bob: User, model: TrainedModel
) -> None:
    from tests.models_app.conftest import import_posts

    own = import_posts(bob, seed=9)
    answer = signed_in(bob).post(f"/corpora/{own.pk}/", {"start": str(model.pk), "epochs": "1"})
    assert answer.status_code == 400
    assert not Job.objects.filter(owner=bob, kind="fine_tune").exists()


def test_the_base_model_is_everybodys_to_use_and_nobodys_to_change(
    ids: dict[str, uuid.UUID], bob: User, base: TrainedModel
) -> None:
    client = signed_in(bob)
    assert client.get(f"/models/{base.pk}/").status_code == 200
    assert client.post(f"/models/{base.pk}/generate", {"count": "1", "temperature": "0.8"}).status_code == 302
    for action in ("rename", "delete"):
        assert client.post(f"/models/{base.pk}/{action}", {"name": "mine"}).status_code == 404
    base.refresh_from_db()
    assert base.name == "base"


def test_what_one_person_lets_the_base_model_write_another_does_not_see(
    ids: dict[str, uuid.UUID], alice: User, bob: User, base: TrainedModel
) -> None:
    sampling = {"count": "1", "temperature": "0.8", "prompt": "a secret prompt"}
    signed_in(alice).post(f"/models/{base.pk}/generate", sampling)
    assert "a secret prompt" in signed_in(alice).get(f"/models/{base.pk}/").content.decode()
    assert "a secret prompt" not in signed_in(bob).get(f"/models/{base.pk}/").content.decode()


def test_who_was_deactivated_is_out(ids: dict[str, uuid.UUID], alice: User) -> None:
    client = signed_in(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    for route, allowed in ROUTES.items():
        if allowed[0] == 200:
            assert client.get(route.format(**ids)).status_code == 302, route


def test_the_administration_is_for_administrators(alice: User, admin: User, charlie: Client) -> None:
    assert signed_in(alice).get("/admin/").status_code == 302
    assert charlie.get("/admin/").status_code == 302
    assert signed_in(admin).get("/admin/").status_code == 200


def test_every_route_that_names_a_thing_is_in_this_file() -> None:
    # Those of the REST API are in tests/rest/test_access.py.
    def routes(resolver: URLResolver, prefix: str = "") -> list[str]:
        found = []
        for entry in resolver.url_patterns:
            path = prefix + str(entry.pattern).lstrip("^")
            if isinstance(entry, URLResolver):
                found += routes(entry, path)
            elif isinstance(entry, URLPattern):
                found.append(path)
        return found

    ours = [path for path in routes(get_resolver()) if not path.startswith(("admin/", "accounts/", "api/v1/"))]
    naming = {path for path in ours if "_id>" in path}
    simple = {re.sub(r"\(?\??P?<(?:uuid:)?(\w+)_id>[^)/]*\)?", r"{\1}", path) for path in naming}
    known = {re.sub(r"/(cancel|stop|retry)$", "/(?P<action>cancel|stop|retry)$", route) for route in ROUTES}
    assert {f"/{path}" for path in simple} == known
