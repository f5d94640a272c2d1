"""Pages that load the server count toward the requests per minute, like the API (tested in test_core.py)."""

from __future__ import annotations

import pytest

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs.models import Job
from botfactory.webhooks import services as webhooks
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

#: By POST unless they say GET.
WORK = [
    "/corpora/new",
    "/corpora/blend",
    "/corpora/{corpus}/",
    "/corpora/{corpus}/column",
    "/corpora/{corpus}/clean",
    "GET /corpora/{corpus}/posts",
    "/corpora/{corpus}/posts/out",
    "/corpora/{corpus}/posts/back",
    "GET /corpora/{corpus}/export",
    "/corpora/{corpus}/newer",
    "/models/{model}/generate",
    "/webhooks/",
    "/webhooks/{webhook}/",
    "/webhooks/{webhook}/test",
    "/webhooks/{webhook}/messages/{webhook}/resend",
]


def test_what_makes_the_server_work_has_a_pace_and_what_only_shows_or_deletes_has_none(
    alice: User, corpus: Corpus, base: TrainedModel
) -> None:
    PersonalLimits.objects.create(user=alice, requests_a_minute=0)
    client, jobs = signed_in(alice), Job.objects.count()
    webhook = webhooks.create(owner=alice, url="https://example.com/bots", events=["job.failed"]).webhook
    for route in WORK:
        method, _, path = route.rpartition(" ")
        answer = client.generic(method or "POST", path.format(corpus=corpus.pk, model=base.pk, webhook=webhook.pk))
        assert answer.status_code == 429, route
        assert 1 <= int(answer["Retry-After"]) <= 60, route
        # Scripts find it there.
        said = answer.content.decode().partition("data-form-errors")[2]
        assert "at most 0 requests per minute" in said.partition("</p>")[0], route
    assert Job.objects.count() == jobs
    for path in ("/", "/corpora/", "/corpora/new", f"/corpora/{corpus.pk}/", f"/models/{base.pk}/"):
        assert client.get(path).status_code == 200, path
    assert client.post(f"/corpora/{corpus.pk}/delete").status_code == 302
    assert not Corpus.objects.exists()
