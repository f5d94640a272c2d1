"""The ZIP of an account, imported elsewhere: everything comes back (test_import_untrusted: what doesn't)."""

from __future__ import annotations

import io
import json
import uuid
from dataclasses import replace
from zipfile import ZIP_STORED, ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from botfactory.accounts import notifications
from botfactory.accounts import services as accounts
from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import Notifications, PersonalLimits, User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.your_data import exporting, importing
from models_app.bases import services as bases
from models_app.bots import guards, loading
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.sharing import tags
from models_app.writing import generations
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.playing.rows import Game
from models_app.writing.rows import Generation
from models_app.your_data import restoring
from tests.conftest import signed_in
from tests.models_app.conftest import few_posts_on_report_cards, import_posts, registered, train, untrained
from tests.your_data.test_export import files_of, lines
from tests.your_data.zips import Files, changed, imported, nothing_is_here, zipped
from tests.your_data.zips import files as files
from tweets.models import Corpus, OptOut

pytestmark = pytest.mark.django_db(transaction=True)


def test_everything_comes_back_in_another_account(alice: User, bob: User, bot: TrainedModel, corpus: Corpus) -> None:
    sampling = SamplingConfig(count=2, max_characters=40, seed=5)
    wrote = generations.generate(model=bot, owner=alice, sampling=sampling).posts
    columns = ("key", "text", "posted_at", "is_removed", "cleaned", "dropped")
    posts = list(corpus.posts.order_by("pk").values_list(*columns))
    tags.set_tags(bot, ["Coffee", "dad jokes"])
    TrainedModel.objects.filter(pk=bot.pk).update(characters_per_second=5_000.0)
    Game.objects.filter(right=None).delete()
    file = io.BytesIO(b"".join(exporting.pieces_of(alice)))
    accounts.delete_account(alice)
    assert not Corpus.objects.exists() and not KeptPost.objects.exists()

    job = imported(bob, file)
    assert job.state == State.SUCCEEDED, job.error_message
    again, model = Corpus.objects.get(), TrainedModel.objects.get(owner=bob)
    assert (again.owner, again.name, again.is_ready, again.basis) == (bob, "Posts", True, "own")
    assert list(again.posts.order_by("pk").values_list(*columns)) == posts
    assert (again.posts_kept, again.characters) == (
        sum(not dropped for *_, dropped in posts),
        sum(len(cleaned) for *_, cleaned, dropped in posts if not dropped),
    )
    assert again.stored_bytes > 0 and again.report and again.created_at == corpus.created_at
    assert (model.name, model.corpus, model.parent, model.sha256) == ("Bot", again, bot.parent, bot.sha256)
    assert tags.of(model) == ["coffee", "dad-jokes"]
    assert model.visibility == "private" and model.stored_bytes == bot.stored_bytes
    assert model.characters_per_second is None  # estimates are about this machine
    assert guards.state_of(model) is guards.State.KEPT
    kept_guard = loading.load_guard(model)
    assert kept_guard is not None and kept_guard.is_copy(again.posts.filter(dropped="")[0].cleaned)
    assert generations.generate(model=model, owner=bob, sampling=sampling).posts == wrote
    kept = {post.text: (post.is_edited, post.owner, post.model) for post in KeptPost.objects.all()}
    assert kept == {"One post.": (False, bob, model), "Another post, edited.": (True, bob, model)}
    first = Generation.objects.filter(owner=bob).order_by("created_at")[0]
    assert [shown["kept"] is not None for shown in first.shown] == [True, False]
    assert job.result["kept"] == 2 and job.result["generations"] == 2 and job.result["left_out"] == []
    page = signed_in(bob).get(f"/jobs/{job.pk}/").content.decode()
    assert f"/corpora/{again.pk}/" in page and f"/models/{model.pk}/" in page and "Left out" not in page
    assert signed_in(bob).get(f"/models/{model.pk}/").status_code == 200


def test_every_figure_and_every_sample_of_a_training_comes_back(
    alice: User, bob: User, corpus: Corpus, base: TrainedModel, quick_trainings: None
) -> None:
    with few_posts_on_report_cards():
        assert train(corpus, base, epochs=2).state == State.SUCCEEDED
    bot = TrainedModel.objects.get(owner=alice)
    learned, *_ = corpus.posts.filter(dropped="")
    bot.report["copies"] = [{"post": learned.pk, "share": 0.9, "run": 5}]
    bot.samples = ["Written for the gallery."]
    bot.save()
    assert bot.report["surprise"] and all(epoch["continued"] for epoch in bot.history) and bot.history[0]["before"]
    told = {copied["post"] for part in ("copies", "surprise") for copied in bot.report[part]}
    keys = dict(corpus.posts.filter(pk__in=told).values_list("pk", "key"))
    assert len(keys) == len(told) >= 2
    file = io.BytesIO(b"".join(exporting.pieces_of(alice)))
    accounts.delete_account(alice)
    job = imported(bob, file)
    assert job.result["left_out"] == []
    model = TrainedModel.objects.get(owner=bob)
    posts = dict(Corpus.objects.get(owner=bob).posts.values_list("key", "pk"))
    for part in ("copies", "surprise"):
        for post in bot.report[part]:
            post["post"] = posts[keys[post["post"]]]
    values = (
        "report",
        "history",
        "samples",
        "training",
        "kept_epoch",
        "interpolation",
        "bits_per_character",
        "posts",
        "characters",
    )
    assert {name: getattr(model, name) for name in values} == {name: getattr(bot, name) for name in values}
    assert "surprise" in signed_in(bob).get(f"/models/{model.pk}/").content.decode()


def test_the_wish_for_mails_comes_back(bob: User, files: Files) -> None:
    job = imported(bob, zipped(files))
    assert job.result["mail"] is True
    chosen = notifications.notifications_of(bob)
    assert (chosen.training_succeeded, chosen.training_failed) == (False, True)
    assert "Which emails you want" in signed_in(bob).get(f"/jobs/{job.pk}/").content.decode()


def test_games_and_searches_are_for_reading_only(bob: User, files: Files) -> None:
    assert lines(files["games.jsonl"])
    damaged = dict.fromkeys(("games.jsonl", "searches.jsonl"), b"not JSON\n")
    assert imported(bob, zipped(files | damaged)).state == State.SUCCEEDED
    assert not Game.objects.filter(player=bob).exists()


def test_mails_link_to_the_page_that_took_the_zip_in_its_language(bob: User, files: Files) -> None:
    upload = {"file": SimpleUploadedFile("a.zip", zipped(files).read())}
    signed_in(bob).post("/account/import", upload, HTTP_ACCEPT_LANGUAGE="de")
    worker.run(Job.objects.get(owner=bob).pk)
    chosen = notifications.notifications_of(bob)
    assert (chosen.training_failed, chosen.language, chosen.site) == (True, "de", "http://testserver/")


def test_what_somebody_chose_here_stays(bob: User, files: Files) -> None:
    notifications.choose(bob, training_succeeded=True, training_failed=False, language="en", site="http://here/")
    job = imported(bob, zipped(files))
    chosen = notifications.notifications_of(bob)
    assert (chosen.training_succeeded, chosen.training_failed, chosen.site) == (True, False, "http://here/")
    assert job.result["mail"] is False
    none = {"settings.json": b"{}"}
    assert imported(User.objects.create(username="carol"), zipped(files | none)).result["mail"] is False
    assert Notifications.objects.count() == 1


def test_settings_that_cannot_be_read_are_refused(bob: User, files: Files) -> None:
    job = imported(bob, zipped(files | {"settings.json": b'{"mail": {"training_failed": "perhaps"}}'}))
    assert job.state == State.FAILED and "settings.json has values" in job.error_message


def test_the_page_takes_the_zip_and_says_what_is_wrong_with_another_file(bob: User, files: Files) -> None:
    client = signed_in(bob)
    assert 'href="/account/import"' in client.get("/account/").content.decode()
    for data, said in ((b"no zip", "isn’t a ZIP"), (b"", "empty")):
        answer = client.post("/account/import", {"file": SimpleUploadedFile("a.zip", data)})
        assert answer.status_code == 400 and said in answer.content.decode()
    assert not Job.objects.filter(owner=bob).exists()
    answer = client.post("/account/import", {"file": SimpleUploadedFile("a.zip", zipped(files).read())})
    job = Job.objects.get(owner=bob)
    assert answer.status_code == 302 and answer["Location"] == f"/jobs/{job.pk}/"
    assert (job.title, job.reserved["corpora"], job.reserved["models"]) == ("Import the data of alice", 1, 1)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED and Corpus.objects.get().owner == bob
    assert Client().get("/account/import")["Location"].startswith("/accounts/login/")


def test_limits_count_before_anything_is_kept(bob: User, files: Files) -> None:
    for limit in ("corpora", "trained_models", "stored_mb"):
        PersonalLimits.objects.update_or_create(
            user=bob, defaults={"corpora": None, "trained_models": None, "stored_mb": None} | {limit: 0}
        )
        with pytest.raises(LimitReached):
            importing.submit(owner=bob, file=zipped(files))
        answer = signed_in(bob).post("/account/import", {"file": SimpleUploadedFile("a.zip", zipped(files).read())})
        assert answer.status_code == 400 and "Your administrator can raise this limit" in answer.content.decode()
    assert not Job.objects.filter(owner=bob).exists()


def test_storage_is_reserved_for_posts_bots_and_what_they_wrote(bob: User, files: Files) -> None:
    line = files["generations.jsonl"].splitlines()[0]
    more = files | {"generations.jsonl": (line + b"\n") * (5_000_000 // len(line))}
    whole = importing.submit(owner=bob, file=zipped(more, method=ZIP_STORED)).reserved["stored_mb"]
    assert whole - importing.submit(owner=bob, file=zipped(files)).reserved["stored_mb"] in (4, 5, 6)
    # What the manifest doesn't list takes room, too, as long as the ZIP is kept.
    with ZipFile(padded := zipped(files), "a", ZIP_STORED) as archive:
        archive.writestr("notes.txt", bytes(5_000_000))
    padded.seek(0)
    assert importing.submit(owner=bob, file=padded).reserved["stored_mb"] >= 5


def test_only_the_newest_zip_is_kept_to_be_tried_again(bob: User, admin: User, files: Files) -> None:
    first, other, running = (importing.submit(owner=owner, file=zipped(files)) for owner in (bob, admin, bob))
    for job in (first, other):
        jobs.cancel(job)
    assert all((work_dir(job) / importing.FILE).is_file() for job in (first, other, running))
    importing.submit(owner=bob, file=zipped(files))
    assert [(work_dir(job) / importing.FILE).is_file() for job in (first, other, running)] == [False, True, True]
    jobs.retry(first)
    worker.run(first.pk)
    first.refresh_from_db()
    assert (first.state, first.error_code) == (State.FAILED, "upload_gone")


def test_generations_are_restored_up_to_a_limit(bob: User, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "MAX_GENERATIONS", 3)
    line = json.loads(files["generations.jsonl"].splitlines()[0])
    more = [json.dumps(line | {"id": str(uuid.uuid4())}).encode() for _ in range(2)]
    result = imported(bob, zipped(files | {"generations.jsonl": b"\n".join(more) + b"\n"})).result
    assert (result["generations"], result["generations_left_out"]) == (2, 0)
    result = imported(bob, zipped(files | {"generations.jsonl": b"\n".join(more) + b"\n"})).result
    assert (result["generations"], result["generations_left_out"]) == (1, 1)
    assert Generation.objects.filter(owner=bob).count() == 3


def test_posts_of_an_account_that_opted_out_stay_out_with_the_bot_that_learned_them(bob: User, files: Files) -> None:
    OptOut.objects.create(network="x", handle="nobody")
    job = imported(bob, zipped(changed(files, "corpus.json", handle="Nobody", network="x")))
    assert job.state == State.SUCCEEDED and nothing_is_here(bob)
    why = {entry["name"]: entry["why"] for entry in job.result["left_out"]}
    assert why == {
        "Posts": "Nobody has asked not to be made into a bot.",
        "Bot": "The posts that it learned from were left out.",
    }
    assert (job.result["kept"], job.result["kept_left_out"], job.result["generations_left_out"]) == (0, 2, 1)
    page = signed_in(bob).get(f"/jobs/{job.pk}/").content.decode()
    assert "has asked not to be made into a bot" in page and "2 kept posts, because" in page


def test_a_bot_remembers_whose_posts_it_learned_also_those_that_are_not_in_the_zip(bob: User, files: Files) -> None:
    learned = zipped(changed(files, "bot.json", learned_accounts=[["bluesky", "Jane.bsky.social"]]))
    imported(bob, learned)
    assert TrainedModel.objects.get(owner=bob).learned_accounts == [["bluesky", "jane.bsky.social"]]
    OptOut.objects.create(network="bluesky", handle="jane.bsky.social")
    learned.seek(0)
    job = imported(bob, learned)
    assert [entry["why"] for entry in job.result["left_out"]] == [
        "jane.bsky.social has asked not to be made into a bot."
    ]
    assert TrainedModel.objects.filter(owner=bob).count() == 1


def test_a_bot_that_started_from_a_promoted_bot_finds_it_again(
    alice: User, bob: User, admin: User, base: TrainedModel, corpus: Corpus
) -> None:
    learned = loading.load(base)
    learned = replace(learned, weights={name: array / 2 for name, array in learned.weights.items()})
    promoted = registered(import_posts(bob), base, learned, {})
    bases.promote(promoted, by=admin)
    untrained(corpus, promoted)
    found = files_of(b"".join(exporting.pieces_of(alice)))
    accounts.delete_account(alice)
    imported(admin, zipped(found))
    assert TrainedModel.objects.get(owner=admin).parent == promoted


def test_a_bot_that_started_from_one_with_the_longest_name_comes_back(bob: User, files: Files) -> None:
    name = f"{'a' * 150}/{'b' * 80}"
    job = imported(bob, zipped(changed(files, "bot.json", parent_name=name)))
    assert job.result["left_out"] == [] and TrainedModel.objects.get(owner=bob).parent_name == name
