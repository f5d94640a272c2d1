from __future__ import annotations

import shutil

import pytest
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import files, versions
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.training import report_cards, starting_points
from tests.conftest import signed_in

from .actions import act

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_base_model_is_chosen_and_never_lost(desk: Client, base: TrainedModel, model: TrainedModel) -> None:
    act(desk, "models_app/trainedmodel", "make_base", model)
    assert versions.base_model() == model
    assert "exactly one" in act(desk, "models_app/trainedmodel", "make_base", model, base)
    page = act(desk, "models_app/trainedmodel", "delete_selected", model, base, post="yes")
    assert "t delete the base model" in page
    assert TrainedModel.objects.filter(pk=base.pk).exists() and files.path_of(base).is_dir()


def test_a_retired_model_is_nobodys_start_and_still_writes(
    desk: Client, base: TrainedModel, model: TrainedModel, alice: User
) -> None:
    page = act(desk, "models_app/trainedmodel", "retire", model, base)
    assert "t retire the base model" in page and "1 model is retired." in page
    assert starting_points.bases_for_user(alice) == [base]
    assert signed_in(alice).get(f"/models/{model.pk}/").status_code == 200
    assert "1 model is back." in act(desk, "models_app/trainedmodel", "bring_back", model)
    assert starting_points.bases_for_user(alice) == [base, model]


def test_the_files_of_models_are_hashed_and_compared(desk: Client, base: TrainedModel, model: TrainedModel) -> None:
    assert "2 models are intact" in act(desk, "models_app/trainedmodel", "verify_files", base, model)
    weights = files.path_of(model) / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert "its weights have changed" in act(desk, "models_app/trainedmodel", "verify_files", model)
    shutil.rmtree(files.path_of(model))
    page = act(desk, "models_app/trainedmodel", "verify_files", base, model)
    assert "its folder is missing" in page and "1 model is intact" in page


def test_a_report_card_is_made_anew(desk: Client, admin: User, base: TrainedModel, model: TrainedModel) -> None:
    before = model.report
    TrainedModel.objects.filter(pk=model.pk).update(report={})
    page = act(desk, "models_app/trainedmodel", "make_report_cards", model, base)
    assert "1 job queued" in page and "Compare them instead" in page
    job = Job.objects.get(kind=report_cards.REPORT_CARD)
    assert job.owner == admin and model.owner is not None
    assert signed_in(model.owner).get(f"/jobs/{job.pk}/").status_code == 404
    assert "js/report-job." in desk.get(f"/jobs/{job.pk}/").content.decode()
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED, job.error_message
    model.refresh_from_db()
    # Measured on the same posts, by the same model.
    assert model.report["bits_per_character"] == pytest.approx(before["bits_per_character"], rel=1e-3)
    assert model.report["measured"] == before["measured"] and model.report["novelty"] == before["novelty"]
    assert job.result["after"] == model.report["bits_per_character"]


def test_no_report_card_where_its_posts_are_others_now(desk: Client, admin: User, model: TrainedModel) -> None:
    assert model.corpus is not None
    job = report_cards.remake(model, by=admin)
    post = model.corpus.posts.filter(dropped="")[0]
    post.cleaned = "something else, and longer than any post that anybody ever wrote " * 9
    post.save()
    assert "Its posts have changed" in act(desk, "models_app/trainedmodel", "make_report_cards", model)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.error_code == "bad_request"
    model.corpus.delete()
    assert "are deleted" in act(desk, "models_app/trainedmodel", "make_report_cards", model)
