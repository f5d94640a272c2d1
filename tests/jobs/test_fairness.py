"""Whose turn it is: the order in which workers take jobs, and the places that pages show."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import events, processes, reaper, services, turns, worker
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.at_once import at_once
from tests.conftest import PASSWORD, signed_in
from tests.jobs.kinds import count_to_three, kind
from tests.jobs.test_services import submit
from tests.rest.helpers import Program

pytestmark = pytest.mark.differs

EPOCH = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def carol(db: None) -> User:
    return User.objects.create_user(username="carol", password=PASSWORD)


def places(*jobs: Job) -> list[int | None]:
    return [events.queue_position(Job.objects.get(pk=job.pk)) for job in jobs]


def end(job: Job) -> None:
    """A job, as far as turns matter."""
    Job.objects.filter(pk=job.pk).update(state=State.SUCCEEDED)


def shown() -> list[uuid.UUID]:
    """Return the waiting jobs in the order of the positions on their pages."""
    waiting = {job.pk: events.job_json(job)["queue_position"] for job in Job.objects.filter(state=State.QUEUED)}
    assert sorted(place or 0 for place in waiting.values()) == list(range(1, len(waiting) + 1))
    return sorted(waiting, key=lambda pk: waiting[pk] or 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ends", [True, False], ids=["one worker", "a worker for each"])
def test_the_order_of_claims_is_the_order_shown(alice: User, bob: User, carol: User, settings: Any, ends: bool) -> None:
    settings.LIMIT_RUNNING_JOBS = None
    for _ in range(50):
        submit(alice)
    for owner, count in ((bob, 3), (carol, 5)):
        for _ in range(count):
            submit(owner)
    promised = shown()
    claimed: list[Job] = []
    while job := worker.claim_next("default"):
        claimed.append(job)
        if ends:
            end(job)
    assert [job.pk for job in claimed] == promised
    names = "".join(job.owner.username[0] for job in claimed)
    assert names == "abcabcabcacac" + "a" * 45


@pytest.mark.django_db(transaction=True)
def test_each_place_is_true_also_while_people_come_and_jobs_end(alice: User, bob: User, settings: Any) -> None:
    settings.LIMIT_RUNNING_JOBS = None
    for step in range(8):
        for number in range(3):
            submit(bob if (step * 3 + number) % 5 == 0 else alice)
        promised = shown()[0]
        job = worker.claim_next("default")
        assert job is not None and job.pk == promised
        # Earlier jobs continue, so there is always one that runs and one that ends.
        for ended in Job.objects.filter(state=State.RUNNING).exclude(pk=job.pk)[: step % 2]:
            end(ended)


@pytest.mark.django_db(transaction=True)
def test_who_has_fewest_running_is_next_then_who_waits_longest(alice: User, bob: User, carol: User) -> None:
    first, second = submit(alice), submit(alice)
    worker.claim(first.pk)
    late, later = submit(bob), submit(carol)
    assert places(second, late, later) == [3, 1, 2]
    claimed = worker.claim_next("default")
    assert claimed == late
    end(first)
    # No job of alice is running now, nor of carol, who was never served.
    assert places(later, second) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_deleting_what_ran_gives_nobody_another_turn(alice: User, bob: User) -> None:
    done = submit(alice)
    worker.run(done.pk)
    services.delete_jobs(Job.objects.all())
    mine, other = submit(alice), submit(bob)
    assert places(mine, other) == [2, 1]


@pytest.mark.django_db(transaction=True)
def test_what_had_begun_goes_on_first(alice: User, bob: User) -> None:
    begun, waiting = submit(alice), submit(bob)
    worker.claim(begun.pk)
    # Above the highest process number of Linux.
    gone = f"{processes.here()}:{2**22 + 1}"
    Job.objects.filter(pk=begun.pk).update(worker=gone)
    # The message that the dead worker didn't answer comes again and finds the job.
    again = worker.claim_next("default")
    assert again == begun and again.attempt == 2
    assert places(waiting) == [1]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_waits_for_its_time_holds_up_nobody(alice: User, bob: User) -> None:
    paused, ready = submit(alice), submit(bob)
    Job.objects.filter(pk=paused.pk).update(available_at=timezone.now() + timedelta(hours=1))
    paused.refresh_from_db()
    assert places(paused, ready) == [2, 1]
    assert events.job_json(paused)["waits_for"] == "time"
    assert worker.claim_next("default") == ready
    assert worker.claim_next("default") is None
    Job.objects.filter(pk=paused.pk).update(available_at=timezone.now())
    assert worker.claim_next("default") == paused


@pytest.mark.django_db(transaction=True)
def test_a_job_over_the_limit_waits_and_is_rung_for_when_another_has_ended(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    PersonalLimits.objects.create(user=alice, running_jobs=1)
    first, held_back, other = submit(alice), submit(alice), submit(bob)
    running = worker.claim(first.pk)
    assert running is not None
    services.move_to_front(held_back)
    held_back.refresh_from_db()
    assert places(held_back, other) == [2, 1]
    assert events.job_json(held_back)["waits_for"] == "own_jobs"
    assert worker.claim(held_back.pk) is None
    assert worker.claim_next("default") == other
    assert worker.claim_next("default") is None
    assert reaper.reap() == 0  # no worker could take anything
    rung: list[uuid.UUID] = []
    monkeypatch.setattr(services, "ring", lambda job: rung.append(job.pk))
    worker.run_claimed(running)
    assert rung == [held_back.pk]
    assert worker.claim_next("default") == held_back


@pytest.mark.django_db(transaction=True)
def test_a_job_at_the_terminal_takes_no_slot(alice: User, bob: User) -> None:
    submit(alice, run_here=True)
    mine, other = submit(alice), submit(bob)
    assert places(mine, other) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_what_comes_before_a_new_job_is_known_before_it_is_submitted(alice: User, bob: User) -> None:
    running = submit(alice)
    worker.claim(running.pk)
    for _ in range(5):
        submit(alice)
    assert turns.ahead_of_new("default", alice.pk) == turns.Ahead(jobs=6, people=0)
    assert turns.ahead_of_new("default", bob.pk) == turns.Ahead(jobs=1, people=1)
    assert places(submit(bob)) == [1]
    assert turns.ahead_of_new("default", alice.pk) == turns.Ahead(jobs=7, people=1)


def long_job(owner: User) -> Job:
    kind("long", count_to_three, preemptible=True)
    return services.submit(owner=owner, kind="long", title="A long one", arguments={})


def waits_since(job: Job, seconds: float) -> None:
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now() - timedelta(seconds=seconds))


@pytest.mark.django_db(transaction=True)
def test_what_gives_way_goes_behind_everybody_and_is_in_the_way_of_who_is_ready(alice: User, bob: User) -> None:
    long = long_job(alice)
    short = submit(bob)
    assert places(long, short) == [2, 1]
    services.cancel(long)
    services.retry(long)
    assert places(long, short) == [2, 1], "a retry changes nothing of it"
    running = worker.claim(long.pk)
    assert running is not None
    waits_since(short, 0)
    assert not turns.should_yield(running), "a free worker will take the other in a moment"
    waits_since(short, 4)
    assert turns.should_yield(running)
    assert turns.ahead_of_new("default", bob.pk) == turns.Ahead(jobs=1, people=0), (
        "bob's own, which waits, not the one that gives way to it"
    )
    PersonalLimits.objects.create(user=bob, running_jobs=0)
    assert not turns.should_yield(running), "who may not run now gains nothing by it"
    PersonalLimits.objects.all().delete()
    worker.claim(short.pk)
    assert not turns.should_yield(running)
    other = long_job(bob)
    waits_since(other, 3600)
    assert not turns.should_yield(running), "of two that give way none gives way to the other"
    services.move_to_front(other)
    assert turns.should_yield(running)


@pytest.mark.django_db(transaction=True)
def test_as_many_give_way_as_wait_and_the_ones_that_have_run_longest(alice: User, bob: User, settings: Any) -> None:
    settings.LIMIT_RUNNING_JOBS = None
    running = []
    for number in range(4):
        claimed = worker.claim(long_job(alice).pk)
        assert claimed is not None
        Job.objects.filter(pk=claimed.pk).update(worker=f"elsewhere:{number}")
        running.append(claimed)

    def giving_way() -> list[int]:
        return [number for number, job in enumerate(running) if turns.should_yield(job)]

    def gives_way(number: int) -> None:
        back = {"state": State.QUEUED, "available_at": timezone.now()}
        Job.objects.filter(pk=running[number].pk).update(**back)

    def takes(number: int, job: Job) -> None:
        assert worker.claim(job.pk) is not None
        Job.objects.filter(pk=job.pk).update(worker=f"elsewhere:{number}")

    short = [submit(bob) for _ in range(2)]
    waits_since(short[0], 4)
    assert giving_way() == [0], "the other hasn't waited for long"
    waits_since(short[1], 4)
    assert giving_way() == [0, 1]
    gives_way(0)
    assert giving_way() == [1], "the worker of the first takes only one"
    takes(0, short[0])
    assert giving_way() == [1]
    gives_way(1)
    assert giving_way() == [], "its worker is about to take the second"
    takes(1, short[1])
    assert giving_way() == []
    for job in [submit(bob) for _ in range(3)]:
        waits_since(job, 4)
    PersonalLimits.objects.create(user=bob, running_jobs=3)
    assert giving_way() == [2], "only one more of bob's may run"


@pytest.mark.django_db(transaction=True)
def test_what_is_moved_to_the_front_gives_way_no_more(alice: User, bob: User) -> None:
    # It would otherwise be bob's turn.
    worker.claim(submit(alice).pk)
    long = long_job(alice)
    services.move_to_front(long)
    short = submit(bob)
    assert places(long, short) == [1, 2]
    running = worker.claim_next("default")
    assert running == long
    waits_since(short, 3600)
    assert not turns.should_yield(running)


@pytest.mark.django_db(transaction=True)
def test_what_is_moved_to_the_front_is_next_and_the_last_moved_first(alice: User, bob: User) -> None:
    one, two, three = submit(alice), submit(alice), submit(alice)
    other = submit(bob)
    services.move_to_front(two)
    assert places(two, one, other, three) == [1, 3, 2, 4]
    services.move_to_front(three)
    assert places(three, two) == [1, 2]
    assert [worker.claim_next("default") for _ in range(2)] == [three, two]
    with pytest.raises(NotPossible, match="waiting job"):
        services.move_to_front(two)


@pytest.mark.django_db(transaction=True)
def test_the_administrator_alone_moves_jobs_to_the_front(admin: User, alice: User, bob: User, charlie: Client) -> None:
    jobs = [submit(alice), submit(bob), submit(bob)]
    data = {"action": "move_to_front", "_selected_action": [str(job.pk) for job in jobs[1:]]}
    for client, status in ((signed_in(bob), 403), (charlie, 302)):
        assert client.post("/admin/jobs/job/", data).status_code == status
    assert places(*jobs) == [1, 2, 3]
    page = signed_in(admin).post("/admin/jobs/job/", data, follow=True).content.decode()
    assert "2 jobs moved to the front" in page and "place in the queue" in page.lower()
    assert places(*jobs) == [3, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_people_ahead_are_the_others_however_many_jobs_each_has(alice: User, bob: User, carol: User) -> None:
    jobs = [submit(owner) for owner in (alice, alice, alice, bob, bob, carol)]
    told = [events.job_json(job) for job in jobs]
    # alice, bob, carol, alice, bob, alice
    assert [job["queue_position"] for job in told] == [1, 4, 6, 2, 5, 3]
    assert [job["people_ahead"] for job in told] == [0, 2, 2, 1, 2, 2]
    shown = Program(bob).get(f"/jobs/{jobs[4].pk}").json()
    assert (shown["queue_position"], shown["people_ahead"]) == (5, 2)
    claimed = worker.claim_next("default")
    assert claimed is not None and claimed.pk == jobs[0].pk
    assert events.job_json(claimed)["people_ahead"] is None


@pytest.mark.django_db(transaction=True)
def test_pages_show_the_place_and_how_many_people_are_ahead(alice: User, bob: User, carol: User) -> None:
    submit(bob), submit(alice), submit(alice), submit(carol)
    page = signed_in(alice).get("/jobs/").content.decode()
    assert "Number 2 in the queue, behind 1 other person" in page
    assert "Number 4 in the queue, behind 2 other people" in page
    assert "Next in the queue" in signed_in(bob).get("/").content.decode()
    for _ in range(2):
        submit(bob)
    assert "Number 4 in the queue, behind 2 other people" in signed_in(bob).get("/jobs/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_only_own_jobs_ahead_need_no_word_about_people(alice: User) -> None:
    submit(alice), submit(alice)
    page = signed_in(alice).get("/jobs/").content.decode()
    assert "Number 2 in the queue\n" in page and "behind" not in page


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_take_each_job_once_and_in_turn(alice: User, bob: User, settings: Any) -> None:
    settings.LIMIT_RUNNING_JOBS = None
    for _ in range(6):
        submit(alice)
    for _ in range(2):
        submit(bob)
    promised = shown()[:4]
    claimed = at_once(4, lambda: worker.claim_next("default"))
    assert sorted(job.pk for job in claimed if job is not None) == sorted(promised)


WAITING = st.builds(
    turns.Waiting,
    job=st.uuids(),
    owner=st.integers(1, 4),
    priority=st.integers(0, 2),
    is_interrupted=st.booleans(),
    created_at=st.integers(0, 99).map(lambda n: EPOCH + timedelta(seconds=n)),
    available_at=st.just(EPOCH),
)


@given(
    st.lists(WAITING, max_size=30, unique_by=lambda one: one.job),
    st.dictionaries(st.integers(1, 4), st.integers(0, 5)),
    st.dictionaries(st.integers(1, 4), st.integers(0, 99).map(lambda n: EPOCH - timedelta(seconds=n))),
)
def test_each_of_the_order_is_the_first_once_those_before_it_run(
    waiting: list[turns.Waiting], running: dict[int, int], served: dict[int, datetime]
) -> None:
    order = list(turns.in_turn(waiting, running, served))
    assert sorted(order) == sorted(one.job for one in waiting)
    left, running, served = {one.job: one for one in waiting}, dict(running), dict(served)
    for step, job in enumerate(order):
        assert next(turns.in_turn(left.values(), running, served)) == job
        taken = left.pop(job)
        assert taken.priority == max([taken.priority, *(one.priority for one in left.values())])
        running[taken.owner] = running.get(taken.owner, 0) + 1
        # After those who were served before, at EPOCH at the latest.
        served[taken.owner] = EPOCH + timedelta(seconds=step + 1)
