"""All data of an account as one ZIP: what is in it, what isn't, and who gets it."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any
from zipfile import ZipFile

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import Client

from botfactory import __version__
from botfactory.accounts.models import User
from botfactory.your_data import exporting
from models_app.bots import files as model_files
from models_app.bots.rows import TrainedModel
from models_app.search.rows import Trial
from models_app.writing.keeping.rows import KeptPost, PostReport
from models_app.writing.playing.rows import Game
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.models_app.search.searching import search_for
from tests.rest.helpers import Program, require_error
from tweets.models import AuditEntry, Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def content_of(answer: Any) -> bytes:
    """Return the body of an answer that is streamed asynchronously."""

    async def read() -> bytes:
        return b"".join([piece async for piece in answer])

    return async_to_sync(read)()


def files_of(data: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def exported(user: User) -> dict[str, bytes]:
    return files_of(b"".join(exporting.pieces_of(user)))


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode().splitlines()]


def test_the_zip_has_everything_and_a_sum_of_each_file(alice: User, corpus: Corpus, bot: TrainedModel) -> None:
    files = exported(alice)
    manifest = json.loads(files.pop("manifest.json"))
    about = {name: manifest[name] for name in ("format", "version", "product", "username", "left_out")}
    assert about == {
        "format": "bot-factory-account",
        "version": 1,
        "product": __version__,
        "username": "alice",
        "left_out": [],
    }
    sums = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
    assert {file["name"]: (file["size"], file["sha256"]) for file in manifest["files"]} == sums
    of_corpus, of_bot = f"corpora/{corpus.pk}/", f"bots/{bot.pk}/"
    assert set(files) == {
        *(
            "account.json",
            "settings.json",
            "jobs.jsonl",
            "generations.jsonl",
            "kept.jsonl",
            "games.jsonl",
            "searches.jsonl",
        ),
        *(
            "reports.jsonl",
            "proposals.jsonl",
            f"{of_corpus}corpus.json",
            f"{of_corpus}posts.jsonl",
            f"{of_bot}bot.json",
        ),
        f"{of_bot}bot.zip",
    }
    posts = lines(files[f"{of_corpus}posts.jsonl"])
    assert [post["text"] for post in posts] == list(corpus.posts.order_by("pk").values_list("text", flat=True))
    assert sum(post["is_removed"] for post in posts) == 1
    described = json.loads(files[f"{of_corpus}corpus.json"])
    assert described["name"] == "Posts" and described["rules"] == corpus.cleaning_rules.as_dict()
    about_bot = json.loads(files[f"{of_bot}bot.json"])
    assert (about_bot["name"], about_bot["corpus"]) == ("Bot", str(corpus.pk))
    assert set(files_of(files[f"{of_bot}bot.zip"])) == {
        *("README.md", "config.json", "weights.safetensors", "posts.fingerprints"),
    }
    assert [row["posts"] for row in lines(files["generations.jsonl"])] == [["One post.", "Another 🙂 post."]]
    kept = {row["text"]: row["edited"] for row in lines(files["kept.jsonl"])}
    assert kept == {"One post.": False, "Another post, edited.": True}
    games = [(row["posts"], row["right"], len(row["answers"])) for row in lines(files["games.jsonl"])]
    assert sorted(games, key=str) == [(10, 5, 10), (10, 9, 10), (10, None, 2)]
    assert json.loads(files["settings.json"])["mail"] == {"training_succeeded": False, "training_failed": True}
    assert {job["kind"] for job in lines(files["jobs.jsonl"])} == {"import", "fine_tune"}
    assert json.loads(files["account.json"])["usage"]["corpora"] == 1


def test_searches_are_in_it_with_their_trials(
    alice: User, bot: TrainedModel, corpus: Corpus, base: TrainedModel
) -> None:
    search = search_for(corpus, base)
    values = {"learning_rate": 0.002, "epochs": 2, "batch_size": 8}
    Trial.objects.create(search=search, number=0, state="complete", bits_per_character=3.0, parameters=values)
    [told] = lines(exported(alice)["searches.jsonl"])
    assert (told["name"], told["corpus"], told["start"]) == (search.name, str(corpus.pk), str(base.pk))
    assert set(told["space"]) == set(values)
    assert [(trial["parameters"], trial["bits_per_character"]) for trial in told["trials"]] == [(values, 3.0)]


def test_no_secret_and_nothing_of_others_is_in_it(secrets: list[str], alice: User, bob: User) -> None:
    theirs = import_posts(bob, count=80, seed=9)
    Generation.objects.create(model=TrainedModel.objects.get(owner=alice), owner=bob, posts=["Of bob."], seconds=1)
    files = exported(alice)
    packed = [name for name in files if name.endswith(".zip")]
    inner = [data for name in packed for data in files_of(files[name]).values()]
    everything = b"\n".join([*files.values(), *inner])
    assert b"a program" in everything and b"hooks.example.org" in everything and len(packed) == 1
    hidden = [*secrets, settings.SECRET_KEY, str(theirs.pk), "Of bob.", theirs.posts.all()[0].text]
    assert [secret for secret in hidden if secret.encode() in everything] == []


def test_a_guest_s_zip_does_not_say_whose_bot_wrote(bot: TrainedModel, bob: User) -> None:
    written = Generation.objects.create(model=bot, owner=bob, posts=["Of bob."], seconds=1)
    KeptPost.objects.create(owner=bob, model=bot, generation=written, number=0, text="Of bob.")
    Game.objects.create(player=bob, model=bot, items=[], answers=[])
    PostReport.objects.create(reporter=bob, model=bot, generation=written, number=0, text="Of bob.", reason="other")
    files = exported(bob)
    for name in ("generations", "kept", "games", "reports"):
        assert [line["bot"] for line in lines(files[f"{name}.jsonl"])] == ["Bot"]
    assert b"alice" not in b"".join(files.values())


def test_a_bot_whose_files_are_damaged_is_left_out_and_the_manifest_says_so(alice: User, bot: TrainedModel) -> None:
    weights = model_files.path_of(bot) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    files = exported(alice)
    assert f"bots/{bot.pk}/bot.json" in files and f"bots/{bot.pk}/bot.zip" not in files
    left_out = json.loads(files["manifest.json"])["left_out"]
    assert [entry["name"] for entry in left_out] == [f"bots/{bot.pk}/bot.zip"]
    assert "have changed since they were saved" in left_out[0]["why"]
    weights.unlink()
    assert "can’t be read" in json.loads(exported(alice)["manifest.json"])["left_out"][0]["why"]


def test_it_is_written_in_small_pieces(alice: User, bot: TrainedModel) -> None:
    pieces = [len(piece) for piece in exporting.pieces_of(alice)]
    assert len(pieces) > 10 and max(pieces) < 1_000_000


def test_each_person_gets_their_own_and_nobody_elses(
    corpus: Corpus, bot: TrainedModel, alice: User, bob: User, admin: User
) -> None:
    answer = signed_in(alice).get("/account/export")
    assert answer.status_code == 200 and answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"].startswith('attachment; filename="bot-factory-alice-')
    own = files_of(content_of(answer))
    assert f"corpora/{corpus.pk}/posts.jsonl" in own
    entry = AuditEntry.objects.get(action=AuditEntry.Action.EXPORT)
    assert (entry.who, entry.about) == (alice, "account alice")
    for person in (bob, admin):
        theirs = files_of(content_of(signed_in(person).get("/account/export")))
        assert not any(name.startswith(("corpora/", "bots/")) for name in theirs)
        assert json.loads(theirs["account.json"])["username"] == person.username
    assert Client().get("/account/export")["Location"].startswith("/accounts/login/")
    assert signed_in(alice).post("/account/export").status_code == 405


def test_programs_get_the_same_with_a_token_that_reads(alice: User, bot: TrainedModel) -> None:
    answer = Program(alice, "read").get("/me/export")
    assert answer.status_code == 200 and set(exported(alice)) == set(files_of(content_of(answer)))
    require_error(Program(alice, "write").get("/me/export"), 403, "missing_scope")
    require_error(Program(None).get("/me/export"), 401, "not_authenticated")
