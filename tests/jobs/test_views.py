from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs import services, worker
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import KEEP_WORK_HOURS, Job, JobEvent
from botfactory.jobs.states import State
from tests.conftest import signed_in
from tests.jobs.kinds import KEEPS_THE_BEST, count_to_three, kind
from tests.rest.helpers import Program

pytestmark = pytest.mark.django_db(transaction=True)


def without_tokens(answer: Any) -> str:
    """Return the page without what differs in each answer."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())


@pytest.fixture
def job(alice: User) -> Job:
    kind("test", count_to_three)
    return services.submit(owner=alice, kind="test", title="A test", arguments={})


def test_the_owner_polls_what_the_socket_sends(alice: User, job: Job) -> None:
    worker.run(job.pk)
    client = signed_in(alice)
    whole = client.get(f"/jobs/{job.pk}/events").json()
    assert whole["job"]["state"] == "succeeded"
    assert client.get(f"/jobs/{job.pk}/events?after=5").json()["events"] == whole["events"][5:]
    assert client.get(f"/jobs/{job.pk}/events?after=nonsense").json()["events"] == whole["events"]


@pytest.mark.parametrize("after", ["9" * 5_000, "9" * 19, "٣", "²", "-1", "1e3", ""])
def test_no_number_in_the_address_is_a_mistake_of_ours(alice: User, job: Job, after: str) -> None:
    client = signed_in(alice)
    page = client.get(f"/jobs/{job.pk}/events", {"after": after})
    api = client.get(f"/api/v1/jobs/{job.pk}/events", {"after": after})
    assert page.status_code == 200 and page.json()["job"]["id"] == str(job.pk)
    assert api.status_code == 422 and api.json()["error"]["param"] == "after"


@pytest.mark.parametrize("path", ["/jobs/{}/", "/jobs/{}/events"])
def test_strangers_get_what_they_get_for_a_job_that_does_not_exist(
    path: str, job: Job, bob: User, admin: User, charlie: Client
) -> None:
    for user in (bob, admin):
        client = signed_in(user)
        there, not_there = client.get(path.format(job.pk)), client.get(path.format(uuid.uuid4()))
        assert there.status_code == not_there.status_code == 404
        assert without_tokens(there) == without_tokens(not_there)
    assert charlie.get(path.format(job.pk)).status_code == 302


@pytest.mark.parametrize("action", ["cancel", "stop", "retry"])
def test_strangers_change_nothing(action: str, job: Job, bob: User, charlie: Client) -> None:
    assert signed_in(bob).post(f"/jobs/{job.pk}/{action}").status_code == 404
    assert charlie.post(f"/jobs/{job.pk}/{action}").status_code == 302
    job.refresh_from_db()
    assert (job.state, job.stop_requested) == (State.QUEUED, False)


def test_a_link_does_not_cancel(alice: User, job: Job) -> None:
    assert signed_in(alice).get(f"/jobs/{job.pk}/cancel").status_code == 405
    job.refresh_from_db()
    assert job.state == State.QUEUED


def test_the_owner_cancels_and_tries_again(alice: User, job: Job) -> None:
    client = signed_in(alice)
    answer = client.post(f"/jobs/{job.pk}/cancel", headers={"accept": "application/json"})
    assert answer.json()["job"]["state"] == "cancelled"
    answer = client.post(f"/jobs/{job.pk}/cancel", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (200, None), "pressed twice is no error"
    answer = client.post(f"/jobs/{job.pk}/stop", headers={"accept": "application/json"})
    assert answer.status_code == 409 and "has nothing to keep" in answer.json()["error"]["message"]
    answer = client.post(f"/jobs/{job.pk}/retry", headers={"accept": "application/json"})
    assert answer.json()["job"]["state"] == "queued"


@pytest.fixture
def training(alice: User) -> Job:
    """A running job that could keep its results."""
    kind("test", count_to_three, keeps_the_best=KEEPS_THE_BEST)
    job = services.submit(owner=alice, kind="test", title="A test", arguments={})
    claimed = worker.claim(job.pk)
    assert claimed is not None
    return claimed


def test_without_a_script_a_page_asks_before_a_training_is_thrown_away(alice: User, training: Job) -> None:
    client = signed_in(alice)
    asked = client.post(f"/jobs/{training.pk}/cancel")
    assert asked.status_code == 200
    page = asked.content.decode()
    assert "Stop and keep the best" in page and f"kept for {KEEP_WORK_HOURS} hours" in page
    training.refresh_from_db()
    assert training.state == State.RUNNING
    assert client.post(f"/jobs/{training.pk}/cancel", {"confirmed": "1"}).status_code == 302
    training.refresh_from_db()
    assert training.state == State.CANCELLING


def test_nobody_is_asked_about_a_training_that_has_not_begun_or_that_stops_already(alice: User, training: Job) -> None:
    client = signed_in(alice)
    waiting = services.submit(owner=alice, kind="test", title="A test", arguments={})
    assert client.post(f"/jobs/{waiting.pk}/cancel").status_code == 302
    services.stop(training)
    assert client.post(f"/jobs/{training.pk}/cancel").status_code == 302
    states = [Job.objects.get(pk=job.pk).state for job in (waiting, training)]
    assert states == [State.CANCELLED, State.CANCELLING]


def test_a_program_is_not_asked(alice: User, training: Job) -> None:
    answer = signed_in(alice).post(f"/jobs/{training.pk}/cancel", headers={"accept": "application/json"})
    assert answer.json()["job"]["state"] == "cancelling"


def test_the_list_shows_own_jobs_only(alice: User, bob: User, job: Job) -> None:
    assert "A test" in signed_in(alice).get("/jobs/").content.decode()
    assert "A test" not in signed_in(bob).get("/jobs/").content.decode()


def test_what_only_looks_like_an_id_is_not_found(alice: User) -> None:
    client = signed_in(alice)
    for text in ("-" * 36, "0" * 36):
        assert client.post(f"/jobs/{text}/cancel").status_code == 404


def test_an_ended_job_is_deleted_with_its_events_and_its_folder(alice: User, job: Job) -> None:
    client = signed_in(alice)
    page = f"/jobs/{job.pk}/"
    folder = work_dir(job)
    folder.mkdir(parents=True)
    assert 'id="delete-job" hidden>' in client.get(page).content.decode()
    answer = client.post(f"{page}delete", follow=True)
    assert answer.redirect_chain == [(page, 302)] and "This job hasn’t ended." in answer.content.decode()
    services.cancel(job)
    assert 'id="delete-job">' in client.get(page).content.decode() and folder.exists()
    answer = client.post(f"{page}delete", follow=True)
    assert answer.redirect_chain == [("/jobs/", 302)] and "A test was deleted." in answer.content.decode()
    assert not Job.objects.exists() and not JobEvent.objects.exists() and not folder.exists()


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_job_that_is_deleted_meanwhile_is_not_found(
    alice: User, job: Job, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    find = services.job_for_user

    def find_and_delete(user: Any, job_id: uuid.UUID) -> Job:
        found = find(user, job_id)
        Job.objects.filter(pk=job_id).delete()
        return found

    monkeypatch.setattr(services, "job_for_user", find_and_delete)
    assert signed_in(alice).post(f"/jobs/{job.pk}/{action}").status_code == 404
    again = services.submit(owner=alice, kind="test", title="A test", arguments={})
    assert Program(alice).post(f"/jobs/{again.pk}/{action}").status_code == 404
