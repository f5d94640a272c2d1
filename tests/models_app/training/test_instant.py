"""Instant bots: the fluent base with some of the person's posts in its context."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zipfile import ZipFile, is_zipfile

import pytest

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.your_data import exporting
from models_app import downloads
from models_app.bots import files as model_files
from models_app.bots import loading, registry
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling.context import CHARACTERS
from models_app.training import evaluating, instant, planning
from models_app.writing import generations
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.rest.helpers import Program, require_error
from tests.your_data.test_export import files_of
from tests.your_data.zips import imported, named, zipped
from tweets.corpora import learning
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def made(job: Job) -> TrainedModel:
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error_message
    return TrainedModel.objects.get(pk=job.result["model"])


def test_from_the_button_to_posts(alice: User, fluent: TrainedModel, writer: None) -> None:
    corpus, client = import_posts(alice), signed_in(alice)
    assert "Make an instant bot" in client.get(f"/corpora/{corpus.pk}/").content.decode()
    answer = client.post(f"/corpora/{corpus.pk}/instant")
    job = Job.objects.get(kind=instant.INSTANT_BOT)
    assert answer.status_code == 302 and answer["Location"] == job.get_absolute_url()
    assert client.get(job.get_absolute_url()).status_code == 200
    bot = made(job)
    assert (bot.owner, bot.corpus, bot.parent, bot.tier, bot.name) == (alice, corpus, fluent, "fluent", corpus.name)
    assert instant.is_instant(bot) and not instant.is_instant(fluent)
    page = client.get(f"/models/{bot.pk}/").content.decode()
    assert f'Instant bot: before it writes, <a href="{fluent.get_absolute_url()}">its base model</a> reads' in page
    assert "Learned " not in page and "starting from" not in page
    assert "The posts that you brought stay." in page and "The posts it learned from stay" not in page
    card = downloads.card_of(bot)
    assert f"| reads before it writes | {bot.posts} posts" in card and "instant bot" in card
    assert "learned from" not in card and "rained" not in card.replace("pretrained", "")
    assert "An instant bot has no report card" in page and "making the card failed" not in page
    assert "Instant bot of" in client.get("/models/").content.decode()
    written = client.post(f"/api/v1/models/{bot.pk}/generate", {"n": 2, "seed": 1}, content_type="application/json")
    assert written.status_code == 200, written.content
    by_base = client.post(f"/api/v1/models/{fluent.pk}/generate", {"n": 2, "seed": 1}, content_type="application/json")
    assert written.json()["posts"] != by_base.json()["posts"]
    again = client.post(f"/api/v1/models/{bot.pk}/generate", {"n": 2, "seed": 1}, content_type="application/json")
    assert again.json()["posts"] == written.json()["posts"]


def test_a_program_makes_one(alice: User, bob: User, fluent: TrainedModel) -> None:
    corpus = import_posts(alice)
    answer = Program(alice).post("/jobs/instant", {"corpus": str(corpus.pk), "name": "At once"})
    assert answer.status_code == 202, answer.content
    bot = made(Job.objects.get(pk=answer.json()["id"]))
    assert bot.name == "At once"
    require_error(Program(bob).post("/jobs/instant", {"corpus": str(corpus.pk)}), 422, "unknown_corpus", "corpus")


@pytest.mark.parametrize(
    ("limit", "most", "sentence"),
    [
        ("LIMIT_MODELS", 1, "You can have at most 1 bot here, and you have 1, including those in training."),
        # One for the posts, one for the bot.
        ("LIMIT_STORED_MB", 2, "You can store at most 2 MB here."),
    ],
)
def test_it_counts_against_the_limits_of_its_owner_from_the_start(
    limit: str, most: int, sentence: str, alice: User, fluent: TrainedModel, settings: Any
) -> None:
    corpus = import_posts(alice)
    setattr(settings, limit, most)

    def refused() -> None:
        answer = Program(alice).post("/jobs/instant", {"corpus": str(corpus.pk)})
        assert sentence in require_error(answer, 409, "limit_reached", limit.removeprefix("LIMIT_").lower())
        page = signed_in(alice).post(f"/corpora/{corpus.pk}/instant", follow=True).content.decode()
        assert sentence in page

    job = instant.make(owner=alice, corpus=corpus)
    assert job.reserved == {"models": 1, "stored_mb": 1}
    refused()
    made(job)
    refused()
    assert Job.objects.filter(kind=instant.INSTANT_BOT).count() == 1


def test_a_job_that_runs_again_makes_no_second_one(alice: User, fluent: TrainedModel) -> None:
    job = instant.make(owner=alice, corpus=import_posts(alice))
    bot = made(job)
    job.state = "queued"
    job.save()
    assert made(job) == bot and TrainedModel.objects.filter(owner=alice).count() == 1


def test_its_context_is_the_newest_posts_that_fit(alice: User) -> None:
    corpus = import_posts(alice, count=200)
    posts = list(corpus.posts.filter(dropped=""))
    for number, post in enumerate(posts):
        post.posted_at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number * 7 % len(posts))
        post.save()
    expected = [post.cleaned for post in sorted(posts, key=lambda post: post.posted_at or datetime.min)]
    found = instant.chosen(corpus)
    assert found == expected[-len(found) :]
    assert sum(map(len, found)) <= CHARACTERS < sum(map(len, expected[-len(found) - 1 :]))


def test_posts_from_before_the_masks_are_masked_in_a_context_too(alice: User) -> None:
    corpus = import_posts(alice)
    newest = corpus.posts.filter(dropped="").last()
    assert newest is not None
    corpus.posts.filter(pk=newest.pk).update(cleaned="write to jo.smith@example.com today")
    corpus.report = {name: value for name, value in corpus.report.items() if name != "personal"}
    with_masks = instant.chosen(corpus)
    assert "write to [email] today" in with_masks and with_masks[-1] in learning.training_posts(corpus)


def test_one_long_post_is_enough_of_a_context(alice: User) -> None:
    corpus = import_posts(alice)
    corpus.posts.filter(pk=corpus.posts.filter(dropped="").last().pk).update(cleaned="long " * 1000)  # type: ignore[union-attr]
    assert instant.chosen(corpus) == [("long " * 1000)[:CHARACTERS]]


def test_its_posts_stay_on_the_server(alice: User, fluent: TrainedModel) -> None:
    corpus = import_posts(alice)
    bot = made(instant.make(owner=alice, corpus=corpus))
    kept = model_files.context_of(model_files.path_of(bot))
    assert kept and all(post in {row.cleaned for row in corpus.posts.all()} for post in kept)
    formats = downloads.formats_of(bot)
    assert len(formats) == 5
    for name in formats:
        with downloads.download(bot, name).file as file:
            whole = file.read()
            if is_zipfile(file):
                with ZipFile(file) as archive:
                    whole = b"".join(archive.read(part) for part in archive.namelist())
        assert not any(post.encode() in whole or json.dumps(post)[1:-1].encode() in whole for post in kept)
    registry.delete(bot)
    assert not model_files.path_of(bot).exists()


def test_its_page_says_that_a_download_lacks_the_posts_that_it_reads(alice: User, bot: TrainedModel) -> None:
    client, path = signed_in(alice), f"/models/{bot.pk}/"
    of_trained = "The file contains the bot’s weights, its settings and its report card, but no posts."
    assert of_trained in client.get(path).content.decode()
    TrainedModel.objects.filter(pk=bot.pk).update(training={"kind": instant.KIND_OF_TRAINING})
    page = client.get(path).content.decode()
    assert of_trained not in page and "a downloaded instant bot writes like the base model." in page


@pytest.mark.parametrize(
    ("basis", "says"),
    [
        ("own", "Before it writes, it reads its owner’s own posts"),
        ("permission", "Before it writes, it reads posts with their author’s permission"),
        ("public", "It is a parody of a public figure"),
        ("", "Nobody recorded whose posts it reads"),
    ],
)
def test_others_read_that_it_reads_posts_and_not_that_it_learned_them(
    alice: User, bot: TrainedModel, basis: str, says: str
) -> None:
    client, path = signed_in(alice), f"/gallery/{bot.pk}/"
    Corpus.objects.update(basis=basis)
    assert "reads" not in client.get(path).content.decode()
    TrainedModel.objects.filter(pk=bot.pk).update(training={"kind": instant.KIND_OF_TRAINING})
    page = client.get(path).content.decode()
    assert says in page and "it learned" not in page.lower()


def test_it_copies_no_post_of_its_context(alice: User, fluent: TrainedModel) -> None:
    corpus = import_posts(alice)
    bot = made(instant.make(owner=alice, corpus=corpus))
    guard = loading.load_guard(bot)
    assert guard is not None and all(guard.is_copy(post) for post in instant.chosen(corpus) if len(post) > 40)
    assert generations.generate(model=bot, owner=alice, sampling=SamplingConfig(seed=3)).posts


def test_it_is_measured_with_its_context(alice: User, fluent: TrainedModel) -> None:
    bot = made(instant.make(owner=alice, corpus=import_posts(alice)))
    found = evaluating.evaluate(bot, ["A made up post about tea and rain."])
    assert found.base == fluent and found.by_base is not None
    assert found.model.bits_per_character != pytest.approx(found.by_base.bits_per_character, rel=1e-4)


def test_a_bot_can_learn_from_where_it_begins(alice: User, fluent: TrainedModel) -> None:
    corpus = import_posts(alice)
    bot = made(instant.make(owner=alice, corpus=corpus))
    trained = made(planning.fine_tune(owner=alice, corpus=corpus, start=bot, epochs=1))
    assert trained.parent == bot and not instant.is_instant(trained)
    assert model_files.context_of(model_files.path_of(trained)) == []


def test_nobody_gets_one_where_fluent_bots_are_not_offered(alice: User, base: TrainedModel, settings: Any) -> None:
    settings.FLUENT = "off"
    corpus, client = import_posts(alice), signed_in(alice)
    assert "Make an instant bot" not in client.get(f"/corpora/{corpus.pk}/").content.decode()
    page = client.post(f"/corpora/{corpus.pk}/instant", follow=True).content.decode()
    assert "Fluent bots are switched off on this server." in page
    assert not Job.objects.filter(kind="instant_bot").exists()
    refused = Program(alice).post("/jobs/instant", {"corpus": str(corpus.pk)})
    assert "switched off" in require_error(refused, 409, "tier_not_offered")


def test_damaged_context_is_an_error_that_says_so(alice: User, fluent: TrainedModel) -> None:
    bot = made(instant.make(owner=alice, corpus=import_posts(alice)))
    (model_files.path_of(bot) / model_files.CONTEXT).write_text("{")
    with pytest.raises(Exception, match="Restore the model from a backup"):
        loading.open_sampler(bot)
    assert Tier(bot.tier) == Tier.FLUENT and isinstance(bot.corpus, Corpus)


@pytest.fixture
def zipped_bot(alice: User, fluent: TrainedModel) -> Callable[..., io.BytesIO]:
    """The ZIP of alice with an instant bot, in whose network the given values are changed."""
    corpus = import_posts(alice)
    made(Job.objects.get(pk=Program(alice).post("/jobs/instant", {"corpus": str(corpus.pk)}).json()["id"]))
    files = files_of(b"".join(exporting.pieces_of(alice)))
    place = named(files, "bot.zip")
    inside = files_of(files[place])
    config = json.loads(inside["config.json"])

    def packed(**changed: float) -> io.BytesIO:
        other = config | {"network": config["network"] | changed}
        out = io.BytesIO()
        with ZipFile(out, "w") as archive:
            for name, data in (inside | {"config.json": json.dumps(other).encode()}).items():
                archive.writestr(name, data)
        return zipped(files | {place: out.getvalue()})

    return packed


@pytest.mark.parametrize("changed", [{"scale": 2.5}, {"norm_epsilon": 1e-4}, {"symbols": 5000}])
def test_an_imported_one_must_have_a_network_that_is_here(
    bob: User, zipped_bot: Callable[..., io.BytesIO], changed: dict[str, float]
) -> None:
    # A writer would hold a decoder of hundreds of megabytes for each other one.
    job = imported(bob, zipped_bot(**changed))
    assert job.state == "succeeded" and not TrainedModel.objects.filter(owner=bob).exists()
    assert "describes a different network" in str(job.result["left_out"])


def test_an_imported_one_may_have_the_network_of_any_base_model_here(
    bob: User, fluent: TrainedModel, zipped_bot: Callable[..., io.BytesIO]
) -> None:
    other = fluent.network | {"scale": 1.0}
    TrainedModel.objects.create(name="other", network=other, tier=fluent.tier, directory="bases/other", sha256="0" * 64)
    for scale in (2.0, 1.0):
        imported(bob, zipped_bot(scale=scale))
    assert [bot.network["scale"] for bot in TrainedModel.objects.filter(owner=bob).order_by("created_at")] == [2.0, 1.0]


def test_one_of_too_few_posts_cannot_be_tried_again(alice: User, fluent: TrainedModel) -> None:
    corpus = import_posts(alice)
    job = instant.make(owner=alice, corpus=corpus)
    jobs.cancel(job)
    Corpus.objects.filter(pk=corpus.pk).update(characters=0, posts_kept=0)
    with pytest.raises(NotPossible):
        jobs.retry(job)
    Corpus.objects.filter(pk=corpus.pk).update(characters=corpus.characters, posts_kept=corpus.posts_kept)
    assert jobs.retry(job).state == State.QUEUED
