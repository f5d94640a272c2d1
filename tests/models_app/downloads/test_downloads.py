"""Downloading and evaluating a model: `/api/v1/models/<id>/download` and `/evaluate`."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from django.core.management import CommandError, call_command
from django.test import AsyncClient
from gguf import GGUFReader

from botfactory.accounts.models import User
from models_app import downloads
from models_app.api.evaluation import MAX_EVALUATED
from models_app.bots import files as model_files
from models_app.bots import loading, registry
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import TrainedModel
from models_app.downloads import files
from models_app.downloads import fluent as formats_for_fluent
from models_app.ml import checkpoint
from models_app.ml.evaluation import evaluation
from models_app.ml.networks.llama.gguf_file import read_gguf
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler
from models_app.training import evaluating, planning
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.models_app.conftest import registered
from tests.rest.helpers import Program, require_error
from tweets.corpora import learning
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

LEARNED = "a learned post that nobody may read in a file"
REPORT = {
    "bits_per_character": 2.1,
    "base_bits_per_character": 2.6,
    "novelty": {"bot": 0.99, "held_out": 1.0, "base": None},
    "copies": [{"post": 1, "share": 1.0, "run": 9, "copy": LEARNED}],
}


@pytest.fixture
def bot(alice: User, base: TrainedModel, corpus: Corpus) -> TrainedModel:
    """A model of alice with slightly changed weights of the base, without training."""
    job = planning.fine_tune(owner=alice, corpus=corpus, start=base, name="Bot | One", run_here=True)
    start = loading.load(base)
    weights = {name: array * np.float32(1.5) for name, array in start.weights.items()}
    return registry.register(
        job=job,
        name="Bot | One",
        corpus=corpus,
        parent=base,
        parent_name="base",
        trained=checkpoint.Checkpoint(start.network, weights, {}, ""),
        guard=CopyGuard.of(learning.training_posts(corpus)),
        meta={"name": "Bot | One"},
        values={
            "posts": 300,
            "characters": 12_000,
            "bits_per_character": 2.1,
            "report": REPORT,
            "training": {"epochs": 3},
        },
    )


QUICK_FORMATS = ["native", "npz", "keras", "onnx", "tfjs"]
FLUENT_FORMATS = ["native", "npz", "peft", "gguf-lora", "gguf"]


def card_in(content: bytes, name: str) -> str:
    """Return the model card in a download."""
    if name == "onnx":
        session = onnxruntime.InferenceSession(content)
        return str(session.get_modelmeta().custom_metadata_map["README.md"])
    if name.startswith("gguf"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            return str(GGUFReader(file.name).fields["botfactory.README.md"].contents())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return archive.read("README.md").decode()


def whole(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    content = b"".join(answer)
    assert len(content) == int(answer["Content-Length"])
    return content


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_the_native_file_is_a_model_as_it_stands_in_the_folder(alice: User, bot: TrainedModel, tmp_path: Path) -> None:
    answer = Program(alice).get(f"/models/{bot.pk}/download")
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="bot-one.zip"'
    with zipfile.ZipFile(io.BytesIO(whole(answer))) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["README.md", "config.json", "weights.safetensors"]
        archive.extractall(tmp_path)
    loaded, kept = checkpoint.load(tmp_path), loading.load(bot)
    assert loaded.sha256 == bot.sha256 and all(
        (loaded.weights[name] == kept.weights[name]).all() for name in kept.weights
    )
    assert Sampler(loaded)


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_the_arrays_are_read_by_numpy_without_pickle(alice: User, bot: TrainedModel) -> None:
    answer = Program(alice).get(f"/models/{bot.pk}/download?format=npz")
    assert answer["Content-Disposition"].endswith('"bot-one.npz"')
    with np.load(io.BytesIO(whole(answer)), allow_pickle=False) as found:
        kept = loading.load(bot).weights
        assert set(found.files) == {*kept, "README.md", "config.json"}
        assert all((found[name] == array).all() for name, array in kept.items())
        assert bot.sha256.encode() in found["config.json"]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_the_card_says_what_it_is_and_nothing_of_the_posts_is_in_the_file(alice: User, bot: TrainedModel) -> None:
    posts = [post for post in learning.training_posts(Corpus.objects.get()) if len(post) > 20]
    assert posts and list(downloads.formats_of(bot)) == QUICK_FORMATS
    for name in QUICK_FORMATS:
        content = whole(Program(alice).get(f"/models/{bot.pk}/download?format={name}"))
        card = card_in(content, name)
        assert bot.parody_label in card and "300 posts (12,000 characters)" in card and "| epochs | 3 |" in card
        assert "A small network of Bot Factory that reads bytes." in card
        assert "| new posts | 99% | 100% | – |" in card and "2.100 bits per character" in card and "Bot \\| One" in card
        assert not any(post.encode() in content for post in [*posts, LEARNED])
        assert FINGERPRINTS.encode() not in content


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_who_has_it_already_is_told_so(alice: User, bot: TrainedModel) -> None:
    program, path = Program(alice), f"/models/{bot.pk}/download"
    first = program.get(path)
    tag, content = first["ETag"], whole(first)
    again = program.get(path, If_None_Match=tag)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert program.get(f"{path}?format=npz", If_None_Match=tag).status_code == 200
    assert whole(program.get(path)) == content
    registry.rename(bot, "Another")
    assert program.get(path, If_None_Match=tag).status_code == 200


async def test_it_leaves_piece_by_piece_under_asgi(
    alice: User, bot: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK", 4096)
    client = AsyncClient()
    await client.aforce_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer: Any = await client.get(f"/api/v1/models/{bot.pk}/download")
    pieces = [piece async for piece in answer.streaming_content]
    assert len(pieces) > 3 and max(map(len, pieces)) == 4096 and sum(map(len, pieces)) == int(answer["Content-Length"])


def test_strangers_download_nothing_and_nobody_the_base_model(
    alice: User, bob: User, admin: User, base: TrainedModel, bot: TrainedModel
) -> None:
    for stranger in (Program(bob), Program(admin, "read", "write", "admin")):
        require_error(stranger.get(f"/models/{bot.pk}/download"), 404, "not_found")
    require_error(Program(None).get(f"/models/{bot.pk}/download"), 401, "not_authenticated")
    require_error(Program(alice).get(f"/models/{base.pk}/download"), 404, "not_found")
    require_error(Program(alice).get(f"/models/{bot.pk}/download?format=docx"), 422, "bad_value", "format")
    for name in ("gguf", "peft"):
        require_error(Program(alice).get(f"/models/{bot.pk}/download?format={name}"), 409, "no_such_format")
    assert Program(alice).get(f"/models/{bot.pk}").json()["formats"] == QUICK_FORMATS
    assert Program(alice).get(f"/models/{base.pk}").json()["formats"] == []


def test_a_damaged_model_is_not_given_out(alice: User, bot: TrainedModel) -> None:
    path = model_files.path_of(bot) / checkpoint.WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    for name in QUICK_FORMATS:
        answer = Program(alice).get(f"/models/{bot.pk}/download?format={name}")
        assert "backup" in require_error(answer, 500, "checkpoint_damaged")


def test_the_page_offers_each_format_to_its_owner(alice: User, base: TrainedModel, bot: TrainedModel) -> None:
    page = signed_in(alice).get(f"/models/{bot.pk}/").content.decode()
    assert page.count("/download?format=") == len(QUICK_FORMATS)
    for name in QUICK_FORMATS:
        assert f'href="/api/v1/models/{bot.pk}/download?format={name}"' in page
    assert "/download" not in signed_in(alice).get(f"/models/{base.pk}/").content.decode()


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_other_libraries_give_the_probabilities_of_the_bot(
    alice: User, bot: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = checkpoint.load(model_files.path_of(bot))
    text = "A post, ümläuts 🙂 and all\nof it."
    stepper = kind_of(kept.network).stepper(kept.network, kept.weights)
    state, own = stepper.start(1), []
    for byte in b"\xff" + text.encode():
        logits, state = stepper.step(np.array([byte]), state)
        own.append(logits[0])
    monkeypatch.chdir(tmp_path)
    for name in ("keras", "onnx"):
        content = whole(Program(alice).get(f"/models/{bot.pk}/download?format={name}"))
        (tmp_path / f"bot.{name}").write_bytes(content)
        code = card_in(content, name).split("```python\n")[1].split("```")[0]
        names: dict[str, Any] = {}
        exec(code, names)
        states, found = names["START"], []
        for place, byte in enumerate(b"\xff" + text.encode()):
            logits, states = names["step"](byte, text.encode()[:place], states)
            found.append(logits)
        np.testing.assert_allclose(np.array(found), np.array(own), atol=2e-5)


def test_the_terminal_writes_a_bot_to_a_file(
    alice: User, bob: User, base: TrainedModel, bot: TrainedModel, tmp_path: Path
) -> None:
    path, out = tmp_path / "bot.onnx", io.StringIO()
    call_command("export_bot", bot.full_name, "--format", "onnx", "--out", str(path), stdout=out)
    assert bot.parody_label in out.getvalue()
    assert bot.parody_label in card_in(path.read_bytes(), "onnx")
    with pytest.raises(CommandError, match="already exists"):
        call_command("export_bot", str(bot.pk), "--format", "onnx", "--out", str(path))
    with pytest.raises(CommandError, match="isn't available in that format"):
        call_command("export_bot", str(bot.pk), "--format", "peft", "--out", str(tmp_path / "bot.zip"))
    with pytest.raises(CommandError, match="base model"):
        call_command("export_bot", "base", "--out", str(tmp_path / "base.zip"))
    with pytest.raises(CommandError, match="no model"):
        call_command("export_bot", str(bot.pk), "--owner", "bob", "--out", str(tmp_path / "bot.zip"))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_a_fluent_bot_comes_as_an_adapter_and_whole(
    corpus: Corpus, fluent: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = loading.load(fluent)
    rng = np.random.default_rng(3)
    weights = {name: array + rng.normal(0, 0.1, array.shape).astype("f") for name, array in kept.weights.items()}
    bot = registered(corpus, fluent, checkpoint.Checkpoint(kept.network, weights, {}, ""), {"posts": 300})
    program = Program(corpus.owner)
    assert program.get(f"/models/{bot.pk}").json()["formats"] == FLUENT_FORMATS
    page = signed_in(corpus.owner).get(f"/models/{bot.pk}/").content.decode()
    assert [name for name in downloads.FORMATS if f'/download?format={name}"' in page] == FLUENT_FORMATS
    learned = [post for post in learning.training_posts(corpus) if len(post) > 20]
    for name in FLUENT_FORMATS:
        content = whole(program.get(f"/models/{bot.pk}/download?format={name}"))
        card = card_in(content, name)
        assert bot.parody_label in card
        assert str(fluent.network["pretrained"]) in card
        assert not any(post.encode() in content for post in learned)
        assert ("lacks" in card) == (name not in ("native", "npz"))
    merged = tmp_path / "merged.gguf"
    merged.write_bytes(whole(program.get(f"/models/{bot.pk}/download?format=gguf")))
    stored = checkpoint.load(model_files.path_of(bot))
    frozen = LIBRARY.get(fluent.network["pretrained"]).weights["0.contract"].astype(np.float32)
    expected = (
        frozen + stored.network.as_dict()["scale"] * stored.weights["0.contract.a"] @ stored.weights["0.contract.b"]
    )
    np.testing.assert_allclose(read_gguf(merged).weights["0.contract"], expected, atol=2e-3)
    monkeypatch.setattr(formats_for_fluent, "MAX_PARAMETERS", 1000)
    assert "gguf" not in program.get(f"/models/{bot.pk}").json()["formats"]
    require_error(program.get(f"/models/{bot.pk}/download?format=gguf"), 409, "no_such_format")
    call_command(
        "export_bot", str(bot.pk), "--format", "gguf", "--out", str(tmp_path / "own.gguf"), stdout=io.StringIO()
    )
    assert (tmp_path / "own.gguf").read_bytes() == merged.read_bytes()


def test_a_model_is_measured_beside_its_base(alice: User, base: TrainedModel, bot: TrainedModel) -> None:
    posts = make_posts(20, seed=9)
    told = Program(alice).post(f"/models/{bot.pk}/evaluate", {"posts": posts}).json()
    own, other = (evaluation.evaluate(loading.load(model), posts) for model in (bot, base))
    assert (told["model"], told["base"]) == (str(bot.pk), str(base.pk))
    assert (told["posts"], told["characters"]) == (20, sum(map(len, posts)))
    assert told["bits_per_character"] == round(own.bits_per_character, 4) != told["base_bits_per_character"]
    assert told["base_bits_per_character"] == round(other.bits_per_character, 4)


def test_the_base_is_that_at_the_end_of_the_line(alice: User, base: TrainedModel, bot: TrainedModel) -> None:
    further = TrainedModel(parent=bot, parent_name=bot.full_name, owner=alice, name="Further")
    assert evaluating.base_of(further) == base and evaluating.base_of(base) is None
    newer = TrainedModel(parent=base, parent_name="base", name="base 2")
    further.parent = newer
    assert evaluating.base_of(further) is newer and evaluating.base_of(newer) is None, (
        "what it began with, no older version"
    )
    further.parent = None
    assert evaluating.base_of(further) is None, "what was between is gone"
    told = Program(alice).post(f"/models/{base.pk}/evaluate", {"posts": ["hello"]}).json()
    assert told["bits_per_character"] > 0 and (told["base"], told["base_bits_per_character"]) == (None, None)


@pytest.mark.parametrize(
    ("posts", "code", "param"),
    [
        ([], "bad_value", "posts"),
        ([""], "bad_value", "posts.0"),
        (["a\x00"], "bad_value", "posts.0"),
        ("hello", "bad_value", "posts"),
        (["x" * 5001, "x" * 5000], "bad_value", "posts"),
        (["x"] * 10_001, "bad_value", "posts"),
    ],
)
def test_what_cannot_be_measured_is_named(alice: User, base: TrainedModel, posts: Any, code: str, param: str) -> None:
    assert MAX_EVALUATED == 10_000
    require_error(Program(alice).post(f"/models/{base.pk}/evaluate", {"posts": posts}), 422, code, param)


def test_a_strangers_model_is_not_measured(alice: User, bob: User, bot: TrainedModel) -> None:
    require_error(Program(bob).post(f"/models/{bot.pk}/evaluate", {"posts": ["hello"]}), 404, "not_found")
