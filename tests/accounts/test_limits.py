"""Limits of a person: defaults, the administrator's changes, what counts, and two requests at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone

from botfactory.accounts import limits, meters
from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import PersonalLimits, User
from botfactory.env import env_limit
from botfactory.jobs import reaper, services, worker
from botfactory.jobs.errors import ComeBackLater
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.conftest import signed_in
from tests.jobs.kinds import count_to_three, kind
from tests.tweets.helpers import pasted
from tweets.corpora import deletion
from tweets.corpora import services as corpora
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

AT_ONCE = 50


def submit(owner: User, **values: Any) -> Job:
    kind("test", count_to_three)
    return services.submit(owner=owner, kind="test", title="A test", arguments={}, **values)


def all_at_once(act: Any, times: int = AT_ONCE) -> list[Any]:
    """Return what each of several threads that start together returned or raised."""
    came: list[Any] = []
    barrier = threading.Barrier(times)

    def one() -> None:
        barrier.wait()
        try:
            came.append(act())
        except Exception as error:
            came.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


def refusals(came: list[Any]) -> int:
    assert all(isinstance(one, Job | LimitReached) for one in came), came
    return sum(isinstance(one, LimitReached) for one in came)


def test_fifty_submits_at_once_at_a_limit_of_five_admit_five(alice: User, settings: Any) -> None:
    settings.LIMIT_QUEUED_JOBS = 5
    came = all_at_once(lambda: submit(alice))
    assert (len(came), refusals(came), Job.objects.count()) == (AT_ONCE, AT_ONCE - 5, 5)


def test_corpora_brought_at_once_are_no_more_than_allowed_and_leave_nothing_behind(
    alice: User, bob: User, settings: Any
) -> None:
    settings.LIMIT_CORPORA = 3
    corpora.import_text(owner=bob, text="somebody else's")
    uploads = Path(settings.UPLOADS_DIR)
    before = set(uploads.iterdir())
    came = all_at_once(lambda: corpora.import_text(owner=alice, text="one\ntwo"), times=12)
    assert refusals(came) == 9
    mine = Corpus.objects.filter(owner=alice)
    assert mine.count() == Job.objects.filter(owner=alice).count() == 3
    assert {path.name for path in set(uploads.iterdir()) - before} == {str(corpus.pk) for corpus in mine}


def test_ended_jobs_tried_again_at_once_are_no_more_than_allowed(alice: User, settings: Any) -> None:
    ended = [services.cancel(submit(alice)) for _ in range(6)]
    settings.LIMIT_QUEUED_JOBS = 2
    came = all_at_once(lambda: services.retry(ended.pop()), times=6)
    assert refusals(came) == 4
    assert Job.objects.filter(state=State.QUEUED).count() == 2


def test_two_workers_at_once_run_no_more_of_a_person_than_may_run(alice: User, settings: Any) -> None:
    settings.LIMIT_RUNNING_JOBS = 2
    for _ in range(8):
        submit(alice)
    came = all_at_once(lambda: worker.claim_next("default"), times=6)
    assert sum(isinstance(one, Job) for one in came) == 2 and came.count(None) == 4
    assert Job.objects.filter(state=State.RUNNING).count() == 2


def test_minutes_taken_at_once_are_no_more_than_there_are(alice: User) -> None:
    taken = all_at_once(lambda: meters.take(alice.pk, "x_posts_a_month", "2026-11", 30, limit=100), times=10)
    assert sorted(taken) == [0] * 6 + [10, 30, 30, 30]


def test_the_refusal_is_a_sentence_with_a_code(alice: User, settings: Any) -> None:
    settings.LIMIT_QUEUED_JOBS = 1
    submit(alice)
    with pytest.raises(LimitReached) as refusal:
        submit(alice)
    error = refusal.value
    assert (error.code, error.limit, error.allowed, error.used) == ("limit_reached", "queued_jobs", 1, 1)
    for words in ("at most 1 waiting job here", "don’t count", "cancel", "administrator can raise"):
        assert words in str(error)


def test_a_limit_of_a_day_says_when_there_is_room_again() -> None:
    def retry_after(limit: str, wanted: int) -> int | None:
        return LimitReached(limit, allowed=10, used=8, wanted=wanted).retry_after

    seconds = retry_after("training_minutes_a_day", 5)
    assert seconds is not None and 0 < seconds <= 86_400
    midnight = timezone.now() + timedelta(seconds=seconds)
    assert midnight.hour == midnight.minute == 0
    # Too long for any day, and not a matter of time.
    assert retry_after("training_minutes_a_day", 11) is None and retry_after("corpora", 5) is None


@pytest.mark.parametrize("limit", limits.SENTENCES)
def test_each_limit_has_a_sentence_with_its_numbers(limit: str) -> None:
    said = str(LimitReached(limit, allowed=7001, used=7000, wanted=12))
    assert "7,001" in said and "7,000" in said and "{" not in said


def test_pages_show_the_sentence(alice: User, settings: Any) -> None:
    settings.LIMIT_CORPORA = 1
    page = signed_in(alice)
    form = {"way": "text", "text": "one\ntwo", "basis": "own"}
    assert page.post("/corpora/new", form).status_code == 302
    refused = page.post("/corpora/new", form)
    assert refused.status_code == 400
    assert "You can have at most 1 collection of posts here" in refused.content.decode()
    assert Corpus.objects.count() == 1


def test_a_retry_that_is_refused_is_told_to_scripts_and_people(alice: User, settings: Any) -> None:
    ended = services.cancel(submit(alice))
    settings.LIMIT_QUEUED_JOBS = 0
    page = signed_in(alice)
    answer = page.post(f"/jobs/{ended.pk}/retry", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "limit_reached")
    assert Job.objects.get().state == State.CANCELLED


def test_the_administrators_word_goes_before_the_default_and_empty_is_the_default(
    alice: User, bob: User, settings: Any
) -> None:
    settings.LIMIT_QUEUED_JOBS, settings.LIMIT_MODELS, settings.LIMIT_STORED_MB = 5, None, 10
    PersonalLimits.objects.create(user=alice, queued_jobs=0, trained_models=3)
    assert limits.limits_of(alice).as_dict() == limits.defaults().as_dict() | {"queued_jobs": 0, "models": 3}
    assert limits.limits_of(bob) == limits.defaults()
    PersonalLimits.objects.filter(user=alice).update(unlimited=True)
    assert set(limits.limits_of(alice).as_dict().values()) == {None}


def test_zero_is_nothing_and_no_limit_is_no_limit(alice: User, settings: Any) -> None:
    settings.LIMIT_QUEUED_JOBS = 0
    with pytest.raises(LimitReached):
        submit(alice)
    settings.LIMIT_QUEUED_JOBS = None
    submit(alice)


def test_administrators_have_limits_until_they_lift_them(admin: User, settings: Any) -> None:
    settings.LIMIT_QUEUED_JOBS = 0
    with pytest.raises(LimitReached):
        submit(admin)
    PersonalLimits.objects.create(user=admin, unlimited=True)
    submit(admin)


def test_the_operator_at_the_terminal_is_not_stopped_but_it_counts(alice: User, settings: Any) -> None:
    settings.LIMIT_QUEUED_JOBS = settings.LIMIT_RUNNING_JOBS = settings.LIMIT_CORPORA = settings.LIMIT_STORED_MB = 0
    worker.run_claimed(corpora.import_text(owner=alice, text="one\ntwo", run_here=True))
    running = submit(alice, run_here=True)
    usage = limits.usage_of(alice)
    assert (usage.corpora, usage.running_jobs, running.state) == (1, 1, State.RUNNING)


@pytest.mark.parametrize(("value", "limit"), [("7", 7), ("0", 0), ("", None), ("  ", None), (None, 50)])
def test_a_setting_is_a_number_or_empty(value: str | None, limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIMIT_TEST", raising=False)
    if value is not None:
        monkeypatch.setenv("LIMIT_TEST", value)
    assert env_limit("LIMIT_TEST", 50) == limit


@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_a_setting_that_is_neither_stops_the_start(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMIT_TEST", value)
    with pytest.raises(ImproperlyConfigured, match="LIMIT_TEST"):
        env_limit("LIMIT_TEST", 50)


def test_what_is_stored_counts_upload_then_posts(alice: User, settings: Any) -> None:
    settings.LIMIT_STORED_MB = 1
    text = "\n".join(sha256(b"%d" % number).hexdigest() * 3 for number in range(4_000))
    job = corpora.import_text(owner=alice, text=text)
    assert limits.usage_of(alice).stored_mb == 1
    with pytest.raises(LimitReached, match="at most 1 MB here"):
        corpora.import_text(owner=alice, text="a little more")
    worker.run(job.pk)
    # Each post is stored as it came and as it is learned from.
    assert limits.usage_of(alice).stored_mb >= 1
    deletion.delete_corpus(Corpus.objects.get(), by=alice)
    assert limits.usage_of(alice).stored_mb == 0
    corpora.import_text(owner=alice, text="a little more")


def test_the_time_of_a_metered_kind_is_used_up_also_when_its_job_is_deleted(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        Job.objects.filter(pk=handle.job.pk).update(claimed_at=timezone.now() - timedelta(seconds=90))
        handle.job.refresh_from_db()
        return {}

    # A future noon: its last ninety seconds are on the same day, and the job is ready by then.
    noon = (timezone.now() + timedelta(days=1)).replace(hour=12, minute=0)
    monkeypatch.setattr(timezone, "now", lambda: noon)
    kind("metered", run, needs=lambda job: {"training_minutes_a_day": 5}, meter="training_minutes_a_day")
    job = services.submit(owner=alice, kind="metered", title="A training", arguments={})
    assert limits.usage_of(alice).training_minutes_a_day == 5
    worker.run(job.pk)
    assert limits.usage_of(alice).training_minutes_a_day == 2
    services.delete_jobs(Job.objects.all())
    assert limits.usage_of(alice).training_minutes_a_day == 2


def test_waiting_trainings_count_as_they_are_estimated(alice: User, settings: Any) -> None:
    settings.LIMIT_TRAINING_MINUTES = 12
    kind("metered", count_to_three, needs=lambda job: {"training_minutes_a_day": 5}, meter="training_minutes_a_day")

    def train() -> Job:
        return services.submit(owner=alice, kind="metered", title="A training", arguments={})

    came = all_at_once(train, times=5)
    assert refusals(came) == 3
    with pytest.raises(LimitReached, match=r"You have used 10.*would take about 5"):
        train()
    services.cancel(Job.objects.filter(state=State.QUEUED)[0])
    train()


def test_a_night_is_shared_by_two_days_and_a_machine_that_was_off_trained_nothing(alice: User) -> None:
    kind("metered", count_to_three, meter="training_minutes_a_day")
    job = services.submit(owner=alice, kind="metered", title="A training", arguments={})
    worker.claim(job.pk)
    midnight = (timezone.now() - timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
    Job.objects.filter(pk=job.pk).update(
        claimed_at=midnight - timedelta(minutes=10), heartbeat_at=midnight + timedelta(minutes=20)
    )
    reaper.reap()
    days = [f"{midnight - timedelta(days=1):%Y-%m-%d}", f"{midnight:%Y-%m-%d}", f"{timezone.now():%Y-%m-%d}"]
    assert [meters.used(alice.pk, "training_minutes_a_day", day) for day in days] == [600, 1200, 0]


def _done(handle: JobHandle) -> dict[str, Any]:
    return {}


def _not_yet(handle: JobHandle) -> dict[str, Any]:
    raise ComeBackLater(timezone.now() + timedelta(minutes=15), "The other side asks for a pause.")


def _lost(handle: JobHandle) -> dict[str, Any]:
    now = timezone.now()
    Job.objects.filter(pk=handle.job.pk).update(
        claimed_at=now - timedelta(hours=2), heartbeat_at=now - timedelta(hours=1)
    )
    reaper.interrupt(Job.objects.get(pk=handle.job.pk))
    return {}


@pytest.mark.parametrize("run", [_done, _not_yet, _lost])
def test_a_job_and_what_it_used_up_are_noted_together_or_neither(
    alice: User, run: Callable[[JobHandle], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: Any) -> None:
        raise SystemExit("killed")

    kind("metered", run, meter="training_minutes_a_day")
    job = services.submit(owner=alice, kind="metered", title="A training", arguments={})
    monkeypatch.setattr(meters, "add", killed)
    with pytest.raises(SystemExit):
        worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.RUNNING and job.last_sequence == 2


def test_a_lock_outside_a_transaction_is_a_mistake(alice: User) -> None:
    with pytest.raises(AssertionError):
        limits.require_room(alice, {"corpora": 1})
    with transaction.atomic():
        limits.require_room(alice, {"corpora": 1})


def test_the_administrator_sees_what_counts_and_changes_it(admin: User, alice: User, settings: Any) -> None:
    submit(alice)
    desk = signed_in(admin)
    address = f"/admin/accounts/user/{alice.pk}/change/"
    page = desk.get(address)
    assert "Waiting jobs: 1" in page.content.decode()
    form = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
    form |= {"date_joined_0": f"{alice.date_joined:%Y-%m-%d}", "date_joined_1": "00:00:00", "limits-TOTAL_FORMS": "1"}
    form |= {"limits-INITIAL_FORMS": "0", "limits-0-user": str(alice.pk), "limits-0-queued_jobs": "1"}
    for name in ("groups", "user_permissions", "last_login", "is_staff", "is_superuser"):
        form.pop(name, None)
    assert desk.post(address, form).status_code == 302
    assert limits.limits_of(alice).queued_jobs == 1
    with pytest.raises(LimitReached):
        submit(alice)
    assert signed_in(alice).get(address).status_code == 403


def test_usage_has_a_number_for_each_limit_but_requests(alice: User) -> None:
    pasted(alice, ["one", "two"])
    usage = limits.usage_of(alice).as_dict()
    assert set(usage) == set(limits.SETTINGS) - {"requests_a_minute"}
    assert usage == dict.fromkeys(usage, 0) | {"corpora": 1, "stored_mb": 1}
