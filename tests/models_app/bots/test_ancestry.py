"""Whose posts a bot has learned stays known when corpora and bots in between are deleted."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import transaction

from botfactory.accounts.models import User
from botfactory.jobs import events
from botfactory.jobs.ending import end
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import ancestry, files, registry
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.training import planning
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.models_app.search.searching import jobs_of, search_for
from tests.models_app.shared_bot import make_bot
from tweets.corpora import deletion, errors, opt_out
from tweets.models import AuditEntry, Corpus, OptOut

pytestmark = pytest.mark.django_db(transaction=True)

JANE = ("bluesky", "jane.bsky.social")


@pytest.fixture
def of_jane(corpus: Corpus) -> Corpus:
    """Posts of a Bluesky account."""
    Corpus.objects.filter(pk=corpus.pk).update(source="bluesky", handle="Jane.bsky.social", basis="public")
    corpus.refresh_from_db()
    return corpus


@pytest.fixture
def first(of_jane: Corpus, base: TrainedModel) -> TrainedModel:
    """A bot of these posts."""
    return make_bot(of_jane, base, name="First")


@pytest.fixture
def second(first: TrainedModel, alice: User, base: TrainedModel) -> TrainedModel:
    """A shared bot of other posts, which started from it."""
    other = import_posts(alice, seed=8)
    Corpus.objects.filter(pk=other.pk).update(basis="own")
    other.refresh_from_db()
    made = make_bot(other, base, name="Second", parent=first)
    return sharing.share(made, "public")


def test_a_bot_knows_the_accounts_of_those_that_it_started_from(first: TrainedModel, second: TrainedModel) -> None:
    assert first.learned_accounts == second.learned_accounts == [list(JANE)]
    assert {model.pk for model in ancestry.of_account("bluesky", "JANE.bsky.social")} == {first.pk, second.pk}
    assert ancestry.of_account("x", "jane.bsky.social") == []


def test_who_deletes_posts_ends_the_sharing(first: TrainedModel, second: TrainedModel, admin: User) -> None:
    deletion.delete_corpus(Corpus.objects.get(trained_models=first), by=admin)
    ended = AuditEntry.objects.get(action="share", subject_id=second.pk, details__after="private")
    assert ended.who_name == "admin"


def test_who_deletes_a_bot_ends_the_sharing(first: TrainedModel, second: TrainedModel, admin: User) -> None:
    signed_in(admin).post(f"/admin/models_app/trainedmodel/{first.pk}/delete/", {"post": "yes"})
    ended = AuditEntry.objects.get(action="share", subject_id=second.pk, details__after="private")
    assert ended.who_name == "admin" and not TrainedModel.objects.filter(pk=first.pk).exists()


@pytest.mark.parametrize("gone", ["bot", "corpus"])
def test_sharing_ends_for_descendants_and_an_opt_out_still_finds_them(
    first: TrainedModel, second: TrainedModel, admin: User, bob: User, gone: str
) -> None:
    page = f"/gallery/{second.pk}/"
    assert signed_in(bob).get(page).status_code == 200
    if gone == "bot":
        registry.delete(first)
    else:
        deletion.delete_corpus(Corpus.objects.get(trained_models=first), by=first.owner)
    assert signed_in(bob).get(page).status_code == 404
    second.refresh_from_db()
    assert second.visibility == "private"
    ended = AuditEntry.objects.filter(action="share", subject_id=second.pk).first()
    assert ended is not None and (ended.details["before"], ended.details["after"]) == ("public", "private")
    with pytest.raises(sharing.BasisUnknown):
        sharing.share(second, "public")
    path = files.path_of(second)
    assert opt_out.losses(*JANE).made["bots"] == (1 if gone == "bot" else 2)
    opt_out.add(network=JANE[0], handle=JANE[1], by=admin)
    assert not TrainedModel.objects.filter(pk=second.pk).exists() and not path.exists()


def show_samples(job: Job) -> None:
    """Record what a training shows of its bot."""
    events.record(job, "openings", {"continued": {"today": "today is over"}})
    events.record(job, "before", {"samples": ["a post of its start"]})
    epoch = {"epoch": 1, "bits_per_character": 2.5, "samples": ["a post"], "continued": {"a": "ab"}}
    events.record(job, "epoch", epoch)


def test_a_deleted_bot_leaves_none_of_its_posts_with_its_training(second: TrainedModel) -> None:
    job = second.job
    assert job is not None
    show_samples(job)
    registry.delete(second)
    shown = {event.kind: event.payload for event in job.events.exclude(kind="state")}
    assert shown == {
        "openings": {"continued": {}},
        "before": {"samples": []},
        "epoch": {"epoch": 1, "bits_per_character": 2.5, "samples": [], "continued": {}},
    }


def test_an_opt_out_deletes_trainings_and_searches_of_descendants_also_those_that_have_made_no_bot(
    first: TrainedModel, second: TrainedModel, admin: User, alice: User
) -> None:
    assert second.corpus is not None and second.job is not None
    waits = planning.fine_tune(owner=alice, corpus=second.corpus, start=second, name="Fourth")
    failed = planning.fine_tune(owner=alice, corpus=second.corpus, start=second, name="Fifth", run_here=True)
    end(Job.objects.filter(pk=failed.pk), State.FAILED)
    show_samples(failed)
    [trial] = jobs_of(search_for(second.corpus, second, trials=1))
    opt_out.add(network=JANE[0], handle=JANE[1], by=admin)
    assert not Job.objects.filter(pk__in=[second.job.pk, waits.pk, failed.pk, trial.pk]).exists()
    assert Job.objects.filter(subject_id=second.corpus.pk, kind="import").exists()


def test_a_training_whose_starting_point_is_deleted_meanwhile_still_makes_a_bot(
    first: TrainedModel, second: TrainedModel, base: TrainedModel
) -> None:
    assert second.corpus is not None
    registry.delete(first)
    made = make_bot(second.corpus, base, name="Third", parent=first)
    assert (made.parent, made.parent_name, made.learned_accounts) == (None, "alice/First", [list(JANE)])


def test_a_training_ends_without_a_bot_if_an_account_opts_out_meanwhile(
    first: TrainedModel, second: TrainedModel, base: TrainedModel, admin: User
) -> None:
    assert second.corpus is not None
    OptOut.objects.create(network=JANE[0], handle=JANE[1], by=admin)
    with transaction.atomic(), pytest.raises(errors.OptedOut, match="asked not to be made into a bot"):
        make_bot(second.corpus, base, name="Third", parent=first)
    assert not TrainedModel.objects.filter(name="Third").exists()
    folders = {path.name for path in (settings.CHECKPOINTS_DIR / "users" / str(first.owner_id)).iterdir()}
    assert folders == {str(first.pk), str(second.pk)}
