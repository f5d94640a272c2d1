"""Each page asks the database at most twelve questions, however much there is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs.models import Job, JobEvent, Turn
from botfactory.jobs.states import State
from models_app.bots.rows import TrainedModel
from models_app.training import machines
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import fluent as fluent
from tests.web.test_lists import make_bots, make_corpora, make_jobs
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db, pytest.mark.differs]

MOST = 12
HISTORY = [
    {"epoch": epoch, "validation_loss": 2 - epoch / 10, "samples": [f"A sample of epoch {epoch}."]} for epoch in (1, 2)
]


def fill(owner: User, others: list[User], bots: int, jobs: int) -> None:
    """Give `owner` so many bots and jobs in all states, others jobs in the same queues, and everybody a limit."""
    make_bots(owner, bots, history=HISTORY, kept_epoch=2, bits_per_character=1.9)
    written = TrainedModel.objects.filter(owner=owner)[: bots // 2]
    Generation.objects.bulk_create(Generation(model=bot, owner=owner, posts=["Hello."], seconds=1) for bot in written)
    make_corpora(owner, bots)
    make_corpora(owner, bots, state=Corpus.State.FAILED)
    now = timezone.now()
    for number, state in enumerate(State):
        ended = {"finished_at": now - timedelta(minutes=number)}
        for kind, queue in (("import", "default"), ("fine_tune", "train")):
            make_jobs(owner, jobs // 14, state=state, kind=kind, queue=queue, **ended)
    for person in others:
        make_jobs(person, 3, state=State.QUEUED, kind="fine_tune", queue="train")
        make_jobs(person, 1, state=State.RUNNING, kind="fine_tune", queue="train")
        PersonalLimits.objects.get_or_create(user=person, running_jobs=2)
        Turn.objects.update_or_create(owner=person, queue="train", defaults={"served_at": now})


def questions(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


LISTS = ["/", "/models/", "/models/?sort=written&state=ready", "/jobs/", "/corpora/"]
OF_ADMINISTRATORS = [
    "/admin/",
    "/admin/base-models/",
    "/admin/house/",
    "/admin/jobs/job/",
    "/admin/accounts/user/",
    "/admin/models_app/trainedmodel/",
    "/admin/tweets/corpus/",
]
OTHERS = ["/account/", "/account/export", "/compare/", "/corpora/new", "/gallery/", "/kept/", "/tokens/", "/webhooks/"]


@pytest.mark.parametrize("path", [*LISTS, *OF_ADMINISTRATORS, *OTHERS])
def test_a_page_asks_at_most_twelve_questions_for_few_things_and_for_many(
    admin: User, alice: User, bob: User, base: TrainedModel, fluent: TrainedModel, path: str
) -> None:
    # An administrator also reads what is reported.
    client = signed_in(admin)
    fill(admin, [alice], bots=2, jobs=14)
    client.get(path)  # what is shipped becomes known when it's first seen
    few = questions(client, path)
    for rows in (Job.objects.all(), TrainedModel.objects.filter(is_base=False), Corpus.objects.all()):
        rows.delete()
    fill(admin, [alice, bob], bots=200, jobs=2_000)
    many = questions(client, path)
    assert many <= few <= MOST, (few, many)


@pytest.mark.parametrize("page", ["the corpus", "the status"])
def test_so_do_pages_about_trainings_where_everything_is_offered_and_many_wait(
    alice: User, bob: User, corpus: Corpus, fluent: TrainedModel, settings: Any, page: str
) -> None:
    settings.FLUENT = "auto"
    machines.note(16_000)
    client, path = signed_in(alice), "/status/" if page == "the status" else f"/corpora/{corpus.pk}/"
    few = questions(client, path)
    fill(alice, [bob], bots=100, jobs=1_000)
    learned = TrainedModel.objects.filter(owner=alice)
    learned.update(corpus=corpus, characters_per_second=20_000)
    Job.objects.filter(owner=alice, kind="fine_tune").update(subject_id=corpus.pk)
    assert questions(client, path) <= MOST and few <= MOST
    assert (learned.count() == 100 and "Bot 99." in client.get(path).content.decode()) or page == "the status"


def test_so_do_the_pages_of_one_person_one_job_and_one_corpus(
    admin: User, alice: User, bob: User, base: TrainedModel, fluent: TrainedModel, corpus: Corpus
) -> None:
    fill(alice, [admin, bob], bots=20, jobs=140)
    PersonalLimits.objects.create(user=alice, running_jobs=2)
    trainings = Job.objects.filter(owner=alice, kind="fine_tune")
    trainings.update(subject_id=corpus.pk, arguments={"epochs": 2, "name": "Bot"})
    done, running, waiting = (trainings.filter(state=state)[0] for state in ("succeeded", "running", "queued"))
    for number, epoch in enumerate(HISTORY * 20, start=1):
        JobEvent.objects.create(job=done, sequence=number, kind="epoch", payload=epoch, created_at=timezone.now())
    for client, path in [
        (signed_in(admin), f"/admin/accounts/user/{alice.pk}/change/"),
        (signed_in(admin), f"/admin/jobs/job/{done.pk}/change/"),
        *((signed_in(alice), f"/jobs/{job.pk}/") for job in (done, running, waiting)),
        (signed_in(alice), f"/corpora/{corpus.pk}/posts"),
    ]:
        client.get(path)  # a process asks once which kinds of rows there are
        assert questions(client, path) <= MOST, path


def test_so_do_a_bots_pages_for_its_owner_and_in_the_gallery(
    admin: User, alice: User, base: TrainedModel, fluent: TrainedModel, corpus: Corpus
) -> None:
    fill(alice, [admin], bots=20, jobs=140)
    bots = TrainedModel.objects.filter(owner=alice)
    bots.update(network=base.network, parent=base, corpus=corpus, visibility="public")
    bot = bots.first()
    assert bot is not None
    Generation.objects.bulk_create(Generation(model=bot, owner=alice, posts=["Hello."], seconds=1) for _ in range(20))
    client = signed_in(alice)
    for path in (
        f"/models/{bot.pk}/",
        f"/gallery/{bot.pk}/",
        f"/models/{bot.pk}/game",
        f"/models/{bot.pk}/written/",
        f"/compare/?model={bot.pk}",
    ):
        assert questions(client, path) <= MOST, path
