"""The page that says how the server is: everybody sees their own jobs, and of others' only how many there are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots.rows import TrainedModel
from models_app.pages.status import MOST, status_for_user
from tests.conftest import signed_in
from tests.web.test_lists import main_of, make_jobs

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/status/"


def rows(main: str) -> dict[str, list[str]]:
    """Return the cells of the table by the kind of work: workers, jobs that run, jobs that wait."""
    found = re.findall(r'<th scope="row">.*?</span> ([^<]+)</th>(.*?)</tr>', main)
    return {name.strip(): re.findall(r'<td class="num">([^<]*)</td>', cells) for name, cells in found}


def test_it_is_for_those_who_are_signed_in(charlie: Client, alice: User, admin: User, base: TrainedModel) -> None:
    assert charlie.get(PAGE).status_code == 302
    for person in (alice, admin):
        assert signed_in(person).get(PAGE).status_code == 200
    assert signed_in(alice).post(PAGE).status_code == 405
    assert f'href="{PAGE}"' in signed_in(alice).get("/").content.decode()


def test_others_jobs_are_only_counted(alice: User, bob: User, base: TrainedModel) -> None:
    make_jobs(bob, 2, kind="fine_tune", queue="train", state=State.QUEUED)
    make_jobs(bob, 1, kind="fine_tune", queue="train", state=State.RUNNING)
    Job.objects.update(title="Secret of Bob")
    make_jobs(alice, 1, kind="fine_tune", queue="train", state=State.QUEUED)
    client = signed_in(alice)
    main = main_of(client, PAGE)
    # Bob already has a running job, so Alice is next.
    assert main.count("data-live-job") == 1 and "Next in the queue" in main
    assert "bob" not in main.lower()
    # No worker runs here, but a writer does.
    work = rows(main)
    assert work["Trainings and report cards"] == ["none", "1", "3"]
    assert work["Imports and instant bots"] == ["none", "0", "0"]
    assert work["Notifications by webhook"] == ["none", "–", "–"]
    assert work["Writing posts"] == ["1", "–", "–"]


def test_many_jobs_of_ones_own_are_bounded(alice: User, base: TrainedModel) -> None:
    make_jobs(alice, 3 * MOST, state=State.QUEUED)
    main = main_of(signed_in(alice), PAGE)
    assert main.count("data-live-job") == MOST and '<a href="/jobs/?state=active">' in main


@pytest.mark.parametrize("language", ["en", "de"])
def test_how_far_a_job_is_can_be_read_by_browsers_in_each_language(
    language: str, alice: User, base: TrainedModel
) -> None:
    make_jobs(alice, 1, state=State.RUNNING, progress={"fraction": 0.35})
    client = signed_in(alice)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    assert '<progress max="1" value="0.35"' in main_of(client, PAGE)


def test_it_names_the_base_models_and_why_fluent_bots_are_not_offered(alice: User, base: TrainedModel) -> None:
    main = main_of(signed_in(alice), PAGE)
    assert f"<strong>{base.name}</strong>" in main and "There’s no fluent base model on this server." in main


def test_where_fluent_bots_are_offered_it_names_their_base(
    alice: User, base: TrainedModel, fluent: TrainedModel, settings: Any
) -> None:
    main = main_of(signed_in(alice), PAGE)
    assert re.findall(r"<strong>([^<]+)</strong>", main) == [fluent.name, base.name]
    settings.FLUENT = "off"
    main = main_of(signed_in(alice), PAGE)
    assert re.findall(r"<strong>([^<]+)</strong>", main) == [base.name]
    assert "Fluent bots are switched off on this server." in main


def test_without_a_broker_or_a_base_model_it_says_so(alice: User, settings: Any, tmp_path: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CHECKPOINTS_DIR = tmp_path
    TrainedModel.objects.all().delete()
    main = main_of(signed_in(alice), PAGE)
    assert "can’t reach its workers" in main and "its base model is missing" in main
    # What an administrator reads of it, such as folders, isn't for everybody.
    assert str(tmp_path) not in main and str(site.BASE_DIR) not in main
    assert rows(main)["Trainings and report cards"] == ["–", "0", "0"]
    assert not status_for_user(alice).answers
