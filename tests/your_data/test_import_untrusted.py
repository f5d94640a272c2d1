"""Nothing in the ZIP of an account is trusted: what is wrong is refused or left out, with a sentence."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest
from django.conf import settings
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.words.translation import restored
from botfactory.your_data import importing
from botfactory.your_data.errors import ImportRefused
from models_app.bots import files as model_files
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.context import CHARACTERS
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.state_file import load_state, save_state
from models_app.writing.keeping.rows import KeptPost
from tests.your_data.test_export import files_of, lines
from tests.your_data.zips import Files, changed, imported, named, nothing_is_here, zipped
from tests.your_data.zips import files as files
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def version_2(files: Files) -> io.BytesIO:
    return zipped(files | {"manifest.json": json.dumps(json.loads(files["manifest.json"]) | {"version": 2}).encode()})


def without_posts(files: Files) -> io.BytesIO:
    return zipped({name: data for name, data in files.items() if not name.endswith("posts.jsonl")}, sums=False)


def larger_than_it_says(files: Files) -> io.BytesIO:
    name = named(files, "posts.jsonl")
    return zipped(files | {name: files[name] + b"\n"}, sums=False)


def bomb(files: Files) -> io.BytesIO:
    return zipped(files | {"kept.jsonl": b"\n" * 300_000_000})


def outside(files: Files) -> io.BytesIO:
    return zipped(files | {"../../evil.jsonl": b"{}"})


def of_another_product(files: Files) -> io.BytesIO:
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        archive.writestr("tweets.js", "window.YTD = []")
    out.seek(0)
    return out


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (version_2, "has version 2 of the format, but this Bot Factory reads version 1"),
        (without_posts, "posts.jsonl is missing from the ZIP"),
        (larger_than_it_says, "posts.jsonl has changed since the ZIP was made"),
        (bomb, "unpacks to far more than its size"),
        (outside, "doesn’t contain the data of a Bot Factory account"),
        (of_another_product, "doesn’t contain the data of a Bot Factory account"),
    ],
)
def test_a_zip_that_is_not_as_it_should_be_is_refused_at_once(
    make: Callable[[Files], io.BytesIO], said: str, bob: User, files: Files
) -> None:
    before = set(Path(settings.JOBS_DIR).glob("*")) | set(Path(settings.JOBS_DIR).glob(".account-*"))
    with pytest.raises(ImportRefused, match=said):
        importing.submit(owner=bob, file=make(files))
    assert nothing_is_here(bob) and not Job.objects.filter(owner=bob).exists()
    assert set(Path(settings.JOBS_DIR).glob("*")) | set(Path(settings.JOBS_DIR).glob(".account-*")) == before


def test_a_changed_file_is_noticed_before_anything_is_imported(bob: User, files: Files) -> None:
    name = named(files, "posts.jsonl")
    data = files[name].replace(b"e", b"a")
    job = imported(bob, zipped(files | {name: data}, sums=False))
    assert job.state == State.FAILED and job.error_code == "import_refused"
    assert f"{name} has changed since the ZIP was made" in job.error_message and nothing_is_here(bob)


@pytest.mark.parametrize(
    "line", [b'{"text": NaN}\n', b'{"text": "\\u0000"}\n', b'{"text": "\\ud800"}\n', b"[]\n", b"[" * 9999]
)
def test_json_that_cannot_be_stored_is_refused_before_anything_is_imported(
    line: bytes, bob: User, files: Files
) -> None:
    job = imported(bob, zipped(files | {"kept.jsonl": line}))
    assert job.state == State.FAILED and "kept.jsonl isn’t valid JSON" in job.error_message and nothing_is_here(bob)


def test_a_post_may_write_the_escape_of_a_nul(bob: User, files: Files) -> None:
    kept = lines(files["kept.jsonl"])
    kept[0] |= {"text": "Never store \\u0000, nor \\\\u0000."}
    job = imported(bob, zipped(files | {"kept.jsonl": "".join(json.dumps(row) + "\n" for row in kept).encode()}))
    assert job.state == State.SUCCEEDED, job.error_message
    assert KeptPost.objects.filter(owner=bob, text="Never store \\u0000, nor \\\\u0000.").count() == 1


@pytest.mark.parametrize(
    "name",
    [
        f"corpora/{'-' * 36}/corpus.json",
        "bots/0-1111111111111111111111111111111---/bot.json",
        "corpora/11111111-1111-1111-1111-111111111111/bot.json",
    ],
)
def test_a_file_with_almost_the_name_of_a_description_is_not_one(name: str, bob: User, files: Files) -> None:
    job = imported(bob, zipped(files | {name: b"{}"}))
    assert job.state == State.SUCCEEDED and job.result["left_out"] == []
    assert [len(job.result["corpora"]), len(job.result["models"])] == [1, 1]


@pytest.mark.parametrize(
    ("end", "values", "said"),
    [
        ("corpus.json", {"source": "demo"}, "These aren’t the posts of the example."),
        ("corpus.json", {"source": "elsewhere"}, "doesn’t know where these posts come from"),
        ("corpus.json", {"source": "bluesky", "handle": ""}, "doesn’t name an account of the network"),
        ("corpus.json", {"basis": "public"}, "doesn’t name the account"),
        ("corpus.json", {"rules": {"links": "nonsense"}}, "This version can’t read its description"),
        ("corpus.json", {"name": ""}, "This version can’t read its description"),
        ("bot.json", {"history": [{"epoch": "<b>"}]}, "This version can’t read its description"),
        ("bot.json", {"report": {"bits_per_character": "low"}}, "This version can’t read its description"),
        ("bot.json", {"training": {"seed": "x"}}, "This version can’t read its description"),
        # Outside of what Python, and then what the date of a file in a ZIP can express.
        ("bot.json", {"created_at": "0001-01-01T00:00:00+14:00"}, "This version can’t read its description"),
        ("bot.json", {"created_at": "1979-12-31T00:00:00+00:00"}, "This version can’t read its description"),
        ("corpus.json", {"created_at": "9999-12-31T23:59:59-14:00"}, "This version can’t read its description"),
    ],
)
def test_descriptions_are_not_trusted(end: str, values: dict[str, Any], said: str, bob: User, files: Files) -> None:
    job = imported(bob, zipped(changed(files, end, **values)))
    assert job.state == State.SUCCEEDED and said in job.result["left_out"][0]["why"]
    assert not TrainedModel.objects.filter(owner=bob).exists()
    assert Corpus.objects.filter(owner=bob).count() == (1 if end == "bot.json" else 0)


def without_weights(inner: Files) -> Files:
    return {name: data for name, data in inner.items() if name != "weights.safetensors"}


def other_weights(inner: Files) -> Files:
    return inner | {"weights.safetensors": inner["weights.safetensors"][:-2] + b"??"}


def with_weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Files], Files]:
    """Return a change of the arrays, to which config.json says the right sha256."""

    def changed_weights(inner: Files) -> Files:
        data = save_tensors(change(load_tensors(inner[checkpoint.WEIGHTS])))
        said = json.loads(inner[checkpoint.CONFIG]) | {"sha256": hashlib.sha256(data).hexdigest()}
        return inner | {checkpoint.WEIGHTS: data, checkpoint.CONFIG: json.dumps(said).encode()}

    return changed_weights


def of_another_shape(weights: dict[str, Any]) -> dict[str, Any]:
    return weights | {"output_bias": weights["output_bias"][None]}


def under_another_name(weights: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}s" if name == "output_bias" else name: array for name, array in weights.items()}


def not_finite(weights: dict[str, Any]) -> dict[str, Any]:
    return weights | {"output_bias": np.full_like(weights["output_bias"], np.nan)}


def broken_guard(inner: Files) -> Files:
    return inner | {"posts.fingerprints": b"nothing"}


def forged_guard(**arrays: Any) -> Callable[[Files], Files]:
    """Return a change that brings an intact file, but with other arrays than a copy guard has."""

    def change(inner: Files) -> Files:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "guard"
            CopyGuard.of(["the red fox said hello"]).save(path)
            own, facts = load_state(path)
            save_state(path, own | arrays, facts)
            return inner | {"posts.fingerprints": path.read_bytes()}

    return change


def with_context(data: bytes) -> Callable[[Files], Files]:
    return lambda inner: inner | {"context.json": data}


def of_a_folder_elsewhere(inner: Files) -> Files:
    """Return an adapter whose pretrained model is named by a path."""
    number, shape = "0" * 64, {"layers": 1, "width": 8, "heads": 2, "kv_heads": 1, "head_size": 16, "hidden": 8}
    known = {"vocabulary": "bpe-x", "pretrained": number, "symbols": 300, "end": 0, "rank": 2}
    network = LlamaConfig.from_dict({**known, **shape})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bot"
        checkpoint.save(path, network=network, weights=kind_of(network).first_weights(network, 1), meta={})
        saved = {name: (path / name).read_bytes() for name in (checkpoint.WEIGHTS, checkpoint.CONFIG)}
    return saved | {checkpoint.CONFIG: saved[checkpoint.CONFIG].replace(number.encode(), b"/" * 61 + b"tmp")}


def two_folders(inner: Files) -> Files:
    return inner | {"../config.json": inner["config.json"]}


def with_files_of_bot(files: Files, change: Callable[[Files], Files], method: int = ZIP_STORED) -> Files:
    """Return the files of the account, with those of the bot changed."""
    name, out = named(files, "bot.zip"), io.BytesIO()
    with ZipFile(out, "w", method) as archive:
        for inner, data in change(files_of(files[name])).items():
            archive.writestr(inner, data)
    return files | {name: out.getvalue()}


@pytest.mark.parametrize(
    ("change", "method"),
    [
        (without_weights, ZIP_STORED),
        (other_weights, ZIP_STORED),
        (broken_guard, ZIP_STORED),
        (forged_guard(ends=np.array([30_000_000])), ZIP_STORED),
        (forged_guard(ends=np.array([3, 2, 5])), ZIP_STORED),
        (forged_guard(text=np.full(5, 9, np.uint32)), ZIP_STORED),
        (with_context(json.dumps(["x" * CHARACTERS, "y"]).encode()), ZIP_STORED),
        (with_context(b"[" + b" " * 16 * CHARACTERS + b' "short"]'), ZIP_STORED),
        (with_context(b'["\\ud800"]'), ZIP_STORED),
        (with_context(b"[" * 9999), ZIP_STORED),
        (of_a_folder_elsewhere, ZIP_STORED),
        (two_folders, ZIP_STORED),
        (dict, ZIP_DEFLATED),
    ],
)
def test_files_of_a_bot_are_not_trusted(change: Callable[[Files], Files], method: int, bob: User, files: Files) -> None:
    job = imported(bob, zipped(with_files_of_bot(files, change, method)))
    assert job.state == State.SUCCEEDED and [entry["name"] for entry in job.result["left_out"]] == ["Bot"]
    assert not TrainedModel.objects.filter(owner=bob).exists() and Corpus.objects.filter(owner=bob).exists()
    folder = Path(settings.CHECKPOINTS_DIR) / "users" / str(bob.pk)
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_another_shape, "In weights.safetensors, output_bias has shape"),
        (under_another_name, "weights.safetensors has the weights"),
        (not_finite, "In weights.safetensors, output_bias contains a value"),
    ],
)
def test_people_are_told_the_names_of_files_but_not_where_the_server_keeps_them(
    change: Callable[[dict[str, Any]], dict[str, Any]], said: str, bob: User, files: Files
) -> None:
    job = imported(bob, zipped(with_files_of_bot(files, with_weights(change))))
    (left_out,) = job.result["left_out"]
    assert said in left_out["why"] and said.partition(" ")[0] in restored(left_out["why"], left_out["words"])
    assert str(settings.CHECKPOINTS_DIR) not in json.dumps(job.result) and "attempt-" not in json.dumps(job.result)


@pytest.mark.parametrize("posts", [["x" * CHARACTERS], ["\U0001f600"] * CHARACTERS], ids=["one post", "many posts"])
def test_the_largest_context_is_taken(posts: list[str], bob: User, files: Files) -> None:
    data = json.dumps(posts).encode()
    job = imported(bob, zipped(with_files_of_bot(files, with_context(data))))
    assert job.result["left_out"] == []
    bot = TrainedModel.objects.get(owner=bob)
    assert model_files.context_of(model_files.path_of(bot)) == posts


def test_what_earlier_versions_chose_by_is_ignored(bob: User, files: Files) -> None:
    written = [row | {"likeness": [0.5] * len(row["posts"])} for row in lines(files["generations.jsonl"])]
    data = "".join(json.dumps(row) + "\n" for row in written).encode()
    earlier = with_files_of_bot(files, lambda inner: inner | {"likeness.safetensors": b"half a fi"})
    job = imported(bob, zipped(earlier | {"generations.jsonl": data}))
    assert job.result["left_out"] == [] and job.result["generations"] == len(written)
    bot = TrainedModel.objects.get(owner=bob)
    assert not (model_files.path_of(bot) / "likeness.safetensors").exists()


def test_rows_that_no_page_could_show_are_left_out(bob: User, files: Files) -> None:
    kept, written = lines(files["kept.jsonl"]), lines(files["generations.jsonl"])
    kept[0] |= {"text": "x" * 5_000}
    written.append(written[0] | {"id": str(uuid.uuid4()), "posts": ["x" * 100_001]})
    written.append(written[0] | {"id": str(uuid.uuid4()), "sampling": {"count": "many"}})

    def again(rows: list[dict[str, Any]]) -> bytes:
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    job = imported(bob, zipped(files | {"kept.jsonl": again(kept), "generations.jsonl": again(written)}))
    names = ("kept", "kept_left_out", "generations", "generations_left_out")
    assert [job.result[name] for name in names] == [1, 1, 1, 2]
