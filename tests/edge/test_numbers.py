"""Numbers and JSON that no page sends get an ordinary answer, never a server error."""

from __future__ import annotations

import uuid

import pytest
from django.urls import Resolver404, resolve

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.web.numbers import LARGEST, whole_number
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.rest.helpers import Program
from tests.routes import filled, routes
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

STRANGE = ["9" * 5_000, "9" * 25, "-1", "٣", "²", "1.5", "\x00"]
#: Every parameter that a page, the administration or an operation reads as a number or an id.
NAMES = ["after", "page", "limit", "p", "o", "start", "epochs", "job", "model", "id__exact", "owner__id__exact"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("17", 17),
        ("0017", 17),
        ("9" * 10, LARGEST),
        ("9" * 5_000, LARGEST),
        ("0" * 5_000, 0),
        ("0" * 5_000 + "8", 8),
        ("", 5),
        ("-1", 5),
        ("+1", 5),
        (" 1", 5),
        ("1_0", 5),
        ("٣", 5),
        ("²", 5),
        ("1.0", 5),
    ],
)
def test_a_number_is_what_its_digits_say(text: str, number: int) -> None:
    assert whole_number(text, 5) == number


def test_no_page_breaks_on_a_strange_number_in_its_address(admin: User, base: TrainedModel, corpus: Corpus) -> None:
    Corpus.objects.update(owner=admin)
    job = Job.objects.create(owner=admin, kind="import", queue="default", title="A job")
    ids: dict[str, uuid.UUID] = {"job": job.pk, "corpus": corpus.pk, "model": base.pk}
    client = signed_in(admin)
    ours = [filled(route, ids) for route in routes() if not route.startswith(("/admin/", "/api/", "/accounts/"))]
    paths = [path for path in [*ours, "/admin/jobs/job/"] if client.get(path).status_code == 200]
    assert len(paths) > 15
    broken = [
        (path, text[:30], answer.status_code)
        for path in paths
        for text in ("9" * 5_000, "9" * 25, "٣")
        if (answer := client.get(path, dict.fromkeys(NAMES, text))).status_code >= 500
    ]
    assert broken == []


@pytest.mark.parametrize("path", ["/jobs", "/corpora", "/models", "/gallery", "/webhooks"])
def test_no_list_of_the_api_breaks_on_one(alice: User, path: str) -> None:
    program = Program(alice)
    for name in ("limit", "after"):
        for text in STRANGE:
            answer = program.get(f"{path}?{name}={text.replace(chr(0), '%00')}")
            assert answer.status_code == 422 and answer.json()["error"]["param"] == name, (name, text[:30])


@pytest.mark.parametrize("body", ["[" * 100_000, '{"url":' * 100_000, '{"url": ' + "9" * 5_000 + "}", '{"url": 1e999}'])
def test_no_body_breaks_the_api(alice: User, body: str) -> None:
    program = Program(alice)
    answer = program.client.post("/api/v1/webhooks", body, "application/json", headers=program.headers)
    assert answer.status_code in {400, 422} and answer.json()["error"]["message"]


@pytest.mark.parametrize("number", ["9" * 25, "9" * 5_000])
def test_an_id_that_no_row_can_have_is_of_nothing(admin: User, number: str) -> None:
    client = signed_in(admin)
    for path in ("/admin/accounts/user/{}/change/", "/api/v1/me/sessions/{}"):
        assert client.get(path.format(number)).status_code in {302, 404, 405}
    with pytest.raises(Resolver404):
        resolve(f"/jobs/{number}/")
