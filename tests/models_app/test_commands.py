from __future__ import annotations

import io
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import base_files, files, loading, versions
from models_app.bots.integrity import trouble_of
from models_app.bots.rows import TrainedModel
from models_app.downloads.files import download, formats_of
from models_app.downloads.in_browser.files import weights_of
from models_app.management.commands import train_base
from models_app.ml import checkpoint
from models_app.ml.config import NETWORKS
from models_app.ml.evaluation import evaluation
from models_app.ml.networks.registry import small_network
from models_app.ml.vocabulary import registry
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.fakes.x_api_server import TOKEN, XApiServer

pytestmark = pytest.mark.django_db(transaction=True)


def output(*arguments: Any) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def json_of(*arguments: Any) -> Any:
    text = output(*arguments, "--json")
    assert text.count("\n") == 1
    return json.loads(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "posts.txt"
    path.write_text("\n".join([*make_posts(300, seed=2), "hi", "RT @x: once more, with feeling"]), encoding="utf-8")
    return path


def test_import_posts_counts(file: Path, admin: User) -> None:
    counts = json_of("import_posts", file)
    assert set(counts) == {"corpus", "posts", "kept", "dropped", "characters"}
    assert counts["posts"] == 302
    assert counts["kept"] + sum(counts["dropped"].values()) == 302
    assert counts["dropped"]["repost"] == 1 and counts["dropped"]["too_short"] == 1
    assert admin.corpora.get().pk.__str__() == counts["corpus"]


def test_fine_tune_imports_trains_registers_and_writes(file: Path, base: TrainedModel, admin: User) -> None:
    text = output("fine_tune", file, "--epochs", 2, "--count", 3, "--seed", 1)
    assert "admin/posts is ready" in text
    assert len([line for line in text.splitlines() if line.startswith("  ")]) >= 3
    model = TrainedModel.objects.get(owner=admin)
    assert len(model.history) == 2
    assert "new posts" in model.report_sentence and "real words" in model.report_sentence


def test_fine_tune_shows_both_losses_of_each_epoch(file: Path, base: TrainedModel) -> None:
    errors = io.StringIO()
    call_command("fine_tune", str(file), "--epochs", "2", stdout=io.StringIO(), stderr=errors)
    assert "epoch 1: training loss" in errors.getvalue() and "epoch 2: training loss" in errors.getvalue()
    assert errors.getvalue().count("validation loss") == 2


def test_fine_tune_takes_a_corpus_that_is_there(file: Path, base: TrainedModel, admin: User, bob: User) -> None:
    corpus = json_of("import_posts", file)["corpus"]
    result = json_of("fine_tune", corpus, "--epochs", 1)
    assert result["corpus"] == corpus and admin.corpora.count() == 1
    assert result["report"] == TrainedModel.objects.get(pk=result["model"]).report != {}
    with pytest.raises(CommandError, match="no corpus"):
        output("fine_tune", corpus, "--owner", "bob")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fine_tune", "{file}", "--epochs", "11"], "Choose 1 to 10"),
        (["fine_tune", "{file}", "--start", "nobody/nothing"], "no model"),
        (["fine_tune", "{file}", "--count", "1000"], "count"),
        (["fine_tune", "nothing.txt"], "There is no file nothing.txt"),
        (["fine_tune", "@somebody"], "X_BEARER_TOKEN"),
        (["import_posts", "{empty}"], "empty"),
        (["import_posts", "{file}", "--owner", "nobody"], "no account"),
        (["generate", "alice/none"], "no model"),
        (["generate", "base", "--temperature", "9"], "temperature"),
        (["generate", "base", "--count", "0"], "count"),
        (["evaluate", "base", "nothing.txt"], "nothing.txt"),
        (["evaluate", "base", "{empty}"], "post"),
        (["fine_tune", "{file}", "--set", "rate=1"], "no setting rate"),
        (["fine_tune", "{file}", "--set", "dropout=2"], "dropout"),
        (["train_base", "--corpus", "nothing.txt", "--valid", "{file}", "--minutes", "1"], "nothing.txt"),
        (["train_base", "--corpus", "{file}", "--valid", "{file}", "--minutes", "0"], "minutes"),
    ],
)
def test_wrong_words_are_told_and_change_nothing(
    arguments: list[str], sentence: str, file: Path, tmp_path: Path, base: TrainedModel
) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    with pytest.raises(CommandError, match=sentence):
        output(*[argument.format(file=file, empty=empty) for argument in arguments])
    assert not Job.objects.filter(state=State.SUCCEEDED).exists()


def test_fine_tune_buys_no_posts_of_x_unasked(
    base: TrainedModel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with XApiServer() as x_api:
        settings.X_BEARER_TOKEN, settings.X_API_URL = TOKEN, x_api.url
        with pytest.raises(CommandError, match="--yes"):
            output("fine_tune", "@prolific")
        assert not x_api.requests
        assert "is ready" in output("fine_tune", "@prolific", "--yes", "--epochs", 1)


def test_generate_is_repeatable_and_obeys(base: TrainedModel) -> None:
    words = ["generate", "base", "--count", 20, "--temperature", 0.8, "--top-k", 40, "--prompt", "Ünï 🤖 ", "--seed", 7]
    first, second = json_of(*words), json_of(*words)
    assert first["posts"] == second["posts"]
    assert len(first["posts"]) == 20
    assert all(post.startswith("Ünï 🤖 ") for post in first["posts"])


def test_evaluate_gives_what_evaluation_gives(file: Path, base: TrainedModel) -> None:
    posts = file.read_text(encoding="utf-8").splitlines()
    result = json_of("evaluate", "base", file)
    expected = evaluation.evaluate(loading.load(base), posts)
    assert result == {
        "bits_per_character": pytest.approx(expected.bits_per_character),
        "characters": sum(map(len, posts)),
        "posts": 302,
        "parts": {name: pytest.approx(asdict(part)) for name, part in expected.parts.items()},
    }


def test_evaluate_tells_kinds_of_text_apart(file: Path, base: TrainedModel) -> None:
    parts = json_of("evaluate", "base", file)["parts"]
    table = output("evaluate", "base", file, "--by-kind").splitlines()[-len(parts) :]
    assert [line[:10].strip() for line in table] == list(parts)
    shares = [[float(figure.rstrip("%")) for figure in line[10:].split()] for line in table]
    assert sum(characters for characters, _, _ in shares) == pytest.approx(100, abs=0.5)
    assert sum(bits for _, _, bits in shares) == pytest.approx(100, abs=0.5)
    assert [each for _, each, _ in shares] == pytest.approx([p["bits_per_character"] for p in parts.values()], abs=6e-4)


def test_owners_see_their_own_models_only(file: Path, base: TrainedModel, alice: User, bob: User) -> None:
    json_of("fine_tune", file, "--epochs", 1, "--owner", "alice", "--name", "Bot")
    assert json_of("generate", "alice/Bot", "--owner", "alice", "--count", 1)["posts"]
    with pytest.raises(CommandError, match="no model"):
        output("generate", "alice/Bot", "--owner", "bob")
    with pytest.raises(CommandError, match="no model"):
        output("evaluate", "alice/Bot", file, "--owner", "bob")


def test_train_base_writes_a_base_model_and_goes_on(
    file: Path, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The default network, small enough that its training takes seconds.
    monkeypatch.setattr(train_base, "NETWORKS", {"glr": replace(NETWORKS["glr"], units=8, context_rows=64)})
    shutil.rmtree(files.path_of(base))
    words = ["train_base", "--corpus", file, "--valid", file, "--set", "batch_size=8", "--minutes"]
    assert "bits per character" in output(*words, "0.01")
    first = versions.base_model()
    assert (first.network["kind"], first.network["layers"], first.network["units"]) == ("glr", 2, 8)
    output(*words, "0.02", "--resume")
    assert versions.base_model().training["bytes_seen"] > first.training["bytes_seen"]


def test_a_base_model_can_read_tokens_and_so_do_its_bots(
    file: Path, tmp_path: Path, base: TrainedModel, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(NETWORKS["glr"], units=16, context_rows=64, context_width=4)
    monkeypatch.setattr(train_base, "NETWORKS", {"glr": small, "lstm": NETWORKS["lstm"]})
    shutil.rmtree(files.path_of(base))
    words = ["train_base", "--corpus", file, "--valid", file, "--set", "batch_size=8"]
    output(*words, "--vocabulary", "600", "--megabytes", "0.02")
    first = versions.base_model()
    assert first.network["vocabulary"].startswith("bpe-") and first.network["tied"]
    assert first.training["config"]["sequence_length"] == 32
    # The corpus gives the same vocabulary again.
    output(*words, "--vocabulary", "600", "--megabytes", "0.03", "--resume")
    assert versions.base_model().network == first.network
    assert versions.base_model().training["bytes_seen"] > first.training["bytes_seen"]
    assert "is ready" in output("fine_tune", file, "--epochs", 1, "--owner", "alice", "--name", "Token bot")
    bot = TrainedModel.objects.get(name="Token bot")
    assert bot.network == first.network and (bot.bits_per_character or 99) < 8
    assert bot.training["sequence_length"] == 32
    written = json_of("generate", "alice/Token bot", "--count", 3, "--seed", 1, "--owner", "alice")
    assert (
        written["posts"]
        == json_of("generate", "alice/Token bot", "--count", 3, "--seed", 1, "--owner", "alice")["posts"]
    )
    # Whatever it's downloaded as, the tokens are in the file.
    forms = formats_of(bot)
    assert set(forms) == {"native", "npz", "keras", "onnx", "tfjs"}
    for name in forms:
        assert b"<|endoftext|>" in download(bot, name).file.read(), name
    # A process that has read none of its models shows them, and takes what was downloaded.
    monkeypatch.delitem(registry._loaded, first.network["vocabulary"])
    assert [weights.is_exact for weights in weights_of(bot)] == [True]
    monkeypatch.delitem(registry._loaded, first.network["vocabulary"])
    alice.is_staff = alice.is_superuser = True
    alice.save()
    assert b"glr 2 x 16" in signed_in(alice).get("/admin/base-models/").content
    monkeypatch.delitem(registry._loaded, first.network["vocabulary"])
    (tmp_path / "unpacked").mkdir()
    assert base_files.unpack(download(bot, "native").file, tmp_path / "unpacked", brings_vocabulary=True) == bot.sha256
    there = str(files.path_of(versions.base_model()))
    # Without it, nobody can read the model, but the page still lists it.
    monkeypatch.delitem(registry._loaded, first.network["vocabulary"])
    tokenizer = files.path_of(bot) / checkpoint.TOKENIZER
    kept = tokenizer.read_text()
    tokenizer.unlink()
    trouble = trouble_of(bot)
    assert trouble is not None and "tokenizer.json" in str(trouble)
    listed = signed_in(alice).get("/admin/base-models/").content.count(b"glr 2 x 16")
    TrainedModel.objects.filter(pk=bot.pk).update(owner=None)
    assert signed_in(alice).get("/admin/base-models/").content.count(b"glr 2 x 16") == listed + 1
    TrainedModel.objects.filter(pk=bot.pk).update(owner=alice)
    tokenizer.write_text(kept)
    assert trouble_of(bot) is None
    for wrong, sentence in [
        (["--vocabulary", "100"], "vocabulary"),
        (["--vocabulary", "600", "--network", "lstm"], "glr"),
        (["--vocabulary", "600", "--start", there], "--start and --vocabulary"),
    ]:
        with pytest.raises(CommandError, match=sentence):
            output(*words, "--megabytes", "0.02", "--start-over", *wrong)
    # What a training has saved is only thrown away if that is asked for.
    saved = Path(settings.CHECKPOINTS_DIR) / "base" / ".training" / "state.safetensors"
    before = saved.read_bytes()
    with pytest.raises(CommandError, match="--resume, choose another --name"):
        output(*words, "--megabytes", "0.02")
    assert saved.read_bytes() == before


def test_train_base_takes_another_network_recipe_and_place(file: Path, base: TrainedModel) -> None:
    small = '{"kind": "glr", "embedding": 4, "units": 8, "layers": 2}'
    words = ["train_base", "--corpus", file, "--valid", file, "--megabytes", "0.02", "--set", "batch_size=8"]
    assert "base-small" in output(*words, "--network", small, "--name", "base-small")
    trained_in = Path(settings.CHECKPOINTS_DIR) / "base-small"
    trained = checkpoint.load(trained_in)
    assert trained.network.kind == "glr" and trained.meta["config"]["batch_size"] == 8
    assert versions.base_model().sha256 == base.sha256
    for wrong, sentence in [
        (["--name", "../base"], "can't name a base model"),
        (["--name", "bases"], "can't name a base model"),
        (["--name", "pretrained"], "can't name a base model"),
        (["--set", "batch_size"], "NAME=VALUE"),
        (["--set", "batch=8"], "has no batch"),
        (["--set", "optimizer=magic"], "adam or muon"),
        (["--set", "learning_rate=fast"], "must be a number"),
        (["--network", "transformer"], "neither"),
        (["--start", "nowhere"], "no readable model"),
        (["--layers", "3"], "Give it, too"),
        (["--start", str(trained_in), "--layers", "1"], "It has 2"),
    ]:
        with pytest.raises(CommandError, match=sentence):
            output(*words, *wrong)
    assert "base-deep" in output(*words, "--start", trained_in, "--layers", 3, "--name", "base-deep")
    deep = checkpoint.load(Path(settings.CHECKPOINTS_DIR) / "base-deep")
    assert small_network(deep.network).layers == 3
    assert deep.meta["started_from"]["sha256"] == trained.sha256
