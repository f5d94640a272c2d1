"""Trainings, report cards and names requested by several people at once, and posts that change during a training."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError

from botfactory.accounts.models import User
from botfactory.jobs import ending, worker
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import registry
from models_app.bots.rows import TrainedModel
from models_app.training import planning, report_cards
from tests.accounts.test_limits import all_at_once
from tests.conftest import signed_in
from tests.models_app.bases import base_jobs
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.models_app.conftest import untrained
from tests.tweets.corpora.test_one_at_a_time import in_turn, queued, rounds
from tweets.cleaning import CleaningRules
from tweets.corpora import deletion, posts, services
from tweets.corpora.errors import CorpusBusy, CorpusGone
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def reclean(corpus: Corpus) -> Job:
    return services.reclean(corpus, CleaningRules(keep_replies=True))


def ended(job: Job, state: State) -> Job:
    assert ending.end(Job.objects.filter(pk=job.pk), state)
    return Job.objects.get(pk=job.pk)


def test_posts_are_learned_or_cleaned_but_not_both_at_once(corpus: Corpus, base: TrainedModel) -> None:
    for held in rounds(corpus):
        came = in_turn(
            lambda: planning.fine_tune(owner=held.owner, corpus=held, start=base),  # noqa: B023
            lambda: reclean(held),  # noqa: B023
        )
        assert queued(came) == 1


def test_posts_are_measured_or_cleaned_but_not_both_at_once(corpus: Corpus, base: TrainedModel) -> None:
    model = untrained(corpus, base)
    TrainedModel.objects.filter(pk=model.pk).update(training={"seed": 1})
    for held in rounds(corpus):
        came = in_turn(
            lambda: report_cards.remake(TrainedModel.objects.get(pk=model.pk), by=held.owner),  # noqa: B023
            lambda: reclean(held),  # noqa: B023
        )
        assert queued(came) == 1


def test_several_trainings_learn_the_same_posts_at_once(corpus: Corpus, base: TrainedModel) -> None:
    came = all_at_once(lambda: planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base), times=2)
    assert queued(came) == 2


def test_a_training_is_not_tried_again_while_its_posts_are_cleaned(corpus: Corpus, base: TrainedModel) -> None:
    job = ended(planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base), State.CANCELLED)
    cleaning = reclean(corpus)
    with pytest.raises(NotPossible, match="being imported or cleaned"):
        jobs.retry(job)
    client = signed_in(corpus.owner)
    answer = client.post(f"/jobs/{job.pk}/retry", headers={"accept": "application/json"})
    assert answer.status_code == 409 and "being imported or cleaned" in answer.json()["error"]["message"]
    assert Job.objects.get(pk=job.pk).state == State.CANCELLED
    ended(cleaning, State.FAILED)
    with pytest.raises(NotPossible, match="didn’t finish"):
        jobs.retry(job)
    jobs.retry(cleaning)
    worker.run(cleaning.pk)
    assert jobs.retry(job).state
    assert Job.objects.get(pk=job.pk).state == State.QUEUED


def test_a_training_tried_again_and_a_cleaning_at_once_are_not_both_queued(corpus: Corpus, base: TrainedModel) -> None:
    for held in rounds(corpus):
        job = ended(planning.fine_tune(owner=held.owner, corpus=held, start=base), State.CANCELLED)
        assert queued(in_turn(lambda: jobs.retry(job), lambda: reclean(held))) == 1  # noqa: B023


def test_a_training_whose_posts_are_being_cleaned_waits(corpus: Corpus, base: TrainedModel) -> None:
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base)
    # Nobody can do this while it waits. It is done as by an earlier version.
    Corpus.objects.filter(pk=corpus.pk).update(state=Corpus.State.IMPORTING)
    services.submit_import(corpus)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.QUEUED and "are being cleaned" in job.progress["message"]


def test_a_training_whose_posts_were_left_half_cleaned_fails_with_a_sentence(
    corpus: Corpus, base: TrainedModel
) -> None:
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base)
    Corpus.objects.filter(pk=corpus.pk).update(state=Corpus.State.FAILED)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "corpus_not_ready")
    assert "Try that again first" in job.error_message


def test_a_training_of_posts_that_were_deleted_is_refused(corpus: Corpus, base: TrainedModel) -> None:
    deletion.delete_corpus(Corpus.objects.get(pk=corpus.pk), by=corpus.owner)
    with pytest.raises(CorpusGone):
        planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base)


def test_a_report_card_keeps_its_posts_as_they_are_until_it_ends(corpus: Corpus, base: TrainedModel) -> None:
    model = untrained(corpus, base)
    jobs.delete_jobs(Job.objects.filter(subject_id=corpus.pk))
    TrainedModel.objects.filter(pk=model.pk).update(training={"seed": 1})
    job = report_cards.remake(TrainedModel.objects.get(pk=model.pk), by=corpus.owner)
    with pytest.raises(CorpusBusy, match="is using these posts"):
        posts.take_out(corpus, corpus.posts.all())
    job = ended(job, State.CANCELLED)
    reclean(corpus)
    with pytest.raises(NotPossible, match="being imported or cleaned"):
        jobs.retry(job)


def test_a_base_model_waits_for_posts_that_are_being_cleaned(
    admin: User, corpus: Corpus, base: TrainedModel, small_network: None
) -> None:
    job = base_jobs.ask(admin, files=[], validation="", corpus=corpus)
    reclean(corpus)
    job = base_jobs.done(job)
    assert job.state == State.QUEUED and "are being cleaned" in job.progress["message"]


def names(taken: Iterator[TrainedModel]) -> list[str]:
    return sorted(model.name for model in taken)


def test_bots_that_are_saved_at_once_under_one_name_get_a_name_each(corpus: Corpus, base: TrainedModel) -> None:
    first = untrained(corpus, base)
    numbers = itertools.count(1)

    def save() -> TrainedModel:
        return registry.create_with_free_name(
            owner=corpus.owner,
            wanted="Town",
            number=uuid.UUID(int=next(numbers)),
            directory=first.directory,
            sha256=first.sha256,
        )

    came = all_at_once(save, times=6)
    assert all(isinstance(one, TrainedModel) for one in came), came
    assert names(iter(came)) == ["Town", *(f"Town {number}" for number in range(2, 7))]


def test_a_row_that_cannot_be_made_is_an_error_whatever_its_name(corpus: Corpus, base: TrainedModel) -> None:
    first = untrained(corpus, base)
    with pytest.raises(IntegrityError):
        registry.create_with_free_name(
            owner=corpus.owner,
            wanted="Town",
            number=uuid.UUID(int=1),
            directory=first.directory,
            sha256=first.sha256,
            job=first.job,
        )


def test_two_bots_that_get_one_name_at_once_do_not_both_have_it(corpus: Corpus, base: TrainedModel) -> None:
    one, other = untrained(corpus, base), untrained(corpus, base)
    renames: list[Callable[[], Any]] = [
        lambda: registry.rename(TrainedModel.objects.get(pk=one.pk), "Crier"),
        lambda: registry.rename(TrainedModel.objects.get(pk=other.pk), "Crier"),
    ]
    came = in_turn(*renames)
    assert sorted(type(each).__name__ for each in came) == ["NameTaken", "NoneType"]
