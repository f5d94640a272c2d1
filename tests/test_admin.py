"""The administrator's desk: lists, filters, search, and the actions on jobs, corpora and models."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app import registry, services
from models_app.models import TrainedModel
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import model as model
from tweets import services as corpora
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


def act(desk: Client, page: str, action: str, *rows: Any) -> str:
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    answer = desk.post(f"/admin/{page}/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("page", ["accounts/user", "jobs/job", "tweets/corpus", "models_app/trainedmodel"])
def test_lists_are_searched_and_rows_opened(page: str, desk: Client, model: TrainedModel) -> None:
    found = desk.get(f"/admin/{page}/?q=alice").content.decode()
    assert "alice" in found
    row: Any = {"accounts/user": model.owner, "jobs/job": model.job, "tweets/corpus": model.corpus}.get(page, model)
    assert desk.get(f"/admin/{page}/{row.pk}/change/").status_code == 200


def test_filters_narrow_the_jobs(desk: Client, model: TrainedModel) -> None:
    assert "Train Bot" in desk.get("/admin/jobs/job/?state__exact=succeeded&kind=fine_tune").content.decode()
    assert "Train Bot" not in desk.get("/admin/jobs/job/?state__exact=failed").content.decode()


def test_jobs_are_cancelled_and_tried_again(desk: Client, corpus: Corpus, base: TrainedModel) -> None:
    job = services.fine_tune(owner=corpus.owner, corpus=corpus, start=base)
    act(desk, "jobs/job", "cancel_jobs", job)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    act(desk, "jobs/job", "retry_jobs", job)
    job.refresh_from_db()
    assert job.state == State.QUEUED


def test_what_cannot_be_done_is_told(desk: Client, model: TrainedModel) -> None:
    assert model.job is not None
    assert "Only a failed or cancelled job" in act(desk, "jobs/job", "retry_jobs", model.job)


def test_nobody_writes_the_states_by_hand(desk: Client, model: TrainedModel) -> None:
    assert model.job is not None
    desk.post(f"/admin/jobs/job/{model.job.pk}/change/", {"state": "failed", "title": "changed"})
    job = Job.objects.get(pk=model.job.pk)
    assert (job.state, job.title) == (State.SUCCEEDED, "Train Bot")


def test_a_corpus_is_deleted_with_its_files(desk: Client, corpus: Corpus) -> None:
    folder = corpora.upload_dir(corpus)
    folder.mkdir(parents=True)
    act(desk, "tweets/corpus", "delete_with_files", corpus)
    assert not Corpus.objects.exists() and not folder.exists()


def test_a_model_is_deleted_with_its_files(desk: Client, model: TrainedModel) -> None:
    path = registry.path_of(model)
    act(desk, "models_app/trainedmodel", "delete_with_files", model)
    assert not TrainedModel.objects.filter(pk=model.pk).exists() and not path.exists()


def test_the_delete_button_of_one_model_takes_the_files_too(desk: Client, model: TrainedModel) -> None:
    path = registry.path_of(model)
    desk.post(f"/admin/models_app/trainedmodel/{model.pk}/delete/", {"post": "yes"})
    assert not TrainedModel.objects.filter(pk=model.pk).exists() and not path.exists()


def test_the_base_model_is_chosen_and_never_lost(desk: Client, base: TrainedModel, model: TrainedModel) -> None:
    act(desk, "models_app/trainedmodel", "make_base", model)
    assert registry.base_model() == model
    assert "exactly one" in act(desk, "models_app/trainedmodel", "make_base", model, base)
    act(desk, "models_app/trainedmodel", "delete_with_files", model, base)
    assert TrainedModel.objects.filter(pk=base.pk).exists() and registry.path_of(base).is_dir()


def test_a_retired_model_is_nobodys_start_and_still_writes(
    desk: Client, base: TrainedModel, model: TrainedModel, alice: User
) -> None:
    assert "base model cannot be retired" in act(desk, "models_app/trainedmodel", "retire", model, base)
    assert services.bases_for_user(alice) == [base]
    assert signed_in(alice).get(f"/models/{model.pk}/").status_code == 200
    act(desk, "models_app/trainedmodel", "bring_back", model)
    assert services.bases_for_user(alice) == [base, model]


def test_a_deleted_account_takes_its_files_along(desk: Client, alice: User, model: TrainedModel) -> None:
    path = registry.path_of(model)
    posts, jobs = alice.corpora.get().posts.count(), alice.jobs.count()
    page = desk.post(f"/admin/accounts/user/{alice.pk}/delete/", {"post": "yes"}, follow=True).content.decode()
    assert f"With alice went 1 bot, 1 corpus, {posts} posts and {jobs} jobs." in page
    assert not User.objects.filter(pk=alice.pk).exists()
    assert not TrainedModel.objects.filter(owner=alice.pk).exists() and not path.exists()
