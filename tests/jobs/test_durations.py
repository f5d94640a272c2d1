"""How long a job took, and how long ago something was, in words, where jobs are listed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone, translation

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.web.durations import about, ago, lasting
from tests.conftest import signed_in


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (45.2, "45 s"),
        (59.6, "1 min"),
        (80, "1 min 20 s"),
        (120, "2 min"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
    ],
)
def test_a_duration_has_the_units_that_matter(seconds: float, words: str) -> None:
    with translation.override("en"):
        assert lasting(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "5 s"),
        (27.5, "30 s"),
        (58, "1 min"),
        (64.9, "1 min"),
        (65, "1 min 10 s"),
        (86, "1 min 30 s"),
        (594, "9 min 50 s"),
        (597, "10 min"),
        (629, "10 min"),
        (7_500, "2 h 5 min"),
    ],
)
def test_an_estimate_is_rounded(seconds: float, words: str) -> None:
    with translation.override("en"):
        assert about(seconds) == words


@pytest.mark.parametrize(
    ("age", "english", "german"),
    [
        (timedelta(0), "just now", "gerade eben"),
        (timedelta(seconds=-5), "just now", "gerade eben"),  # the clocks of two machines differ
        (timedelta(seconds=59), "just now", "gerade eben"),
        (timedelta(minutes=1), "1 minute ago", "vor 1 Minute"),
        (timedelta(minutes=6), "6 minutes ago", "vor 6 Minuten"),
        (timedelta(hours=1, minutes=50), "1 hour ago", "vor 1 Stunde"),
        (timedelta(hours=23), "23 hours ago", "vor 23 Stunden"),
        (timedelta(days=1), "1 day ago", "vor 1 Tag"),
        (timedelta(days=2, hours=3), "2 days ago", "vor 2 Tagen"),
        (timedelta(days=7), "1 week ago", "vor 1 Woche"),
        (timedelta(days=20), "2 weeks ago", "vor 2 Wochen"),
        (timedelta(days=45), "1 month ago", "vor 1 Monat"),
        (timedelta(days=100), "3 months ago", "vor 3 Monaten"),
        (timedelta(days=400), "1 year ago", "vor 1 Jahr"),
        (timedelta(days=800), "2 years ago", "vor 2 Jahren"),
    ],
)
def test_an_age_has_one_unit_in_the_case_of_its_language(age: timedelta, english: str, german: str) -> None:
    at = timezone.now() - age
    for language, words in (("en", english), ("de", german)):
        with translation.override(language):
            assert ago(at).replace("\xa0", " ") == words


@pytest.mark.django_db
def test_lists_say_how_old_a_job_is_in_the_language_of_the_page(admin: User) -> None:
    job = Job.objects.create(title="Old", owner=admin, kind="import", queue="default", state=State.CANCELLED)
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(days=2))
    client = signed_in(admin)
    for language, words in (("en", "2\xa0days\xa0ago"), ("de", "vor\xa02\xa0Tagen")):
        assert f">{words}</time>" in client.get("/jobs/", headers={"accept-language": language}).content.decode()


@pytest.mark.django_db
def test_lists_say_how_long_a_job_took_and_what_it_was(admin: User) -> None:
    now = timezone.now()
    common = {"owner": admin, "kind": "import", "queue": "default"}
    ended = {"state": State.SUCCEEDED, "finished_at": now}
    Job.objects.create(title="Long", started_at=now - timedelta(seconds=80), **ended, **common)
    Job.objects.create(title="Never started", state=State.CANCELLED, finished_at=now, **common)
    Job.objects.create(title="Of old", **ended | {"kind": "no_longer_there"}, owner=admin, queue="default")
    client = signed_in(admin)
    own = client.get("/jobs/").content.decode()
    assert own.count("took 1 min 20 s") == 1 and own.count("took") == 1
    listed = client.get("/admin/jobs/job/").content.decode()
    assert "<h1>Jobs</h1>" in listed and "1 min 20 s" in listed
    assert 'class="field-what">Import<' in listed and 'class="field-what">no_longer_there<' in listed
    only = client.get("/admin/jobs/job/?kind=import").content.decode()
    assert "Never started" in only and "Of old" not in only
