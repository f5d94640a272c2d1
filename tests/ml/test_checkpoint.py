from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as save_tensors

from models_app.ml import checkpoint as module
from models_app.ml.checkpoint import CONFIG, PHRASES, WEIGHTS, Checkpoint, describe, is_there, load, recover, save
from models_app.ml.config import NetworkConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.networks.phrases import Phrases
from models_app.ml.networks.registry import kind_of
from models_app.ml.networks.states import Arrays

from .conftest import TINY, TINY_GLR, random_checkpoint
from .networks.llama.conftest import TINY as TINY_LLAMA
from .networks.llama.conftest import made_adapter


def write(directory: Path, start: Checkpoint, **meta: object) -> Checkpoint:
    return save(directory, network=start.network, weights=start.weights, meta=meta)


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path, checkpoint: Checkpoint) -> None:
    saved = write(tmp_path / "base", checkpoint, name="é", losses=[1.5])
    loaded = load(tmp_path / "base")
    assert loaded.network == checkpoint.network
    assert loaded.meta == {"name": "é", "losses": [1.5]}
    assert loaded.sha256 == saved.sha256 == describe(tmp_path / "base")["sha256"]
    for name, array in checkpoint.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], array)
    assert sorted(path.name for path in (tmp_path / "base").iterdir()) == [CONFIG, WEIGHTS]
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_loaded_weights_cannot_be_changed(tmp_path: Path, checkpoint: Checkpoint) -> None:
    write(tmp_path / "base", checkpoint)
    with pytest.raises(ValueError, match="read-only"):
        load(tmp_path / "base").weights["bias"][0] = 1


def test_saving_again_replaces_the_model_and_keeps_what_lies_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "base", random_checkpoint(seed=1), number=1)
    (tmp_path / "base" / ".training").mkdir()
    (tmp_path / "base" / ".training" / "state").write_text("kept")
    (tmp_path / "base" / "training.csv").write_text("kept too")
    write(tmp_path / "base", random_checkpoint(seed=2), number=2)
    assert load(tmp_path / "base").meta == {"number": 2}
    assert (tmp_path / "base" / ".training" / "state").read_text() == "kept"
    assert (tmp_path / "base" / "training.csv").read_text() == "kept too"
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing"])
def test_damaged_weights_are_noticed(tmp_path: Path, checkpoint: Checkpoint, damage: str) -> None:
    write(tmp_path / "base", checkpoint)
    path = tmp_path / "base" / WEIGHTS
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        data[-1] ^= 1
        path.write_bytes({"flip": bytes(data), "cut": bytes(data[:-4]), "empty": b""}[damage])
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path / "base")
    assert str(path) in caught.value.in_full
    assert caught.value.code == "checkpoint_damaged"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1', "\udcff"])
def test_a_damaged_config_is_noticed(tmp_path: Path, checkpoint: Checkpoint, text: str) -> None:
    write(tmp_path / "base", checkpoint)
    (tmp_path / "base" / CONFIG).write_text(text, errors="surrogateescape")
    with pytest.raises(CheckpointError):
        load(tmp_path / "base")
    with pytest.raises(CheckpointError):
        describe(tmp_path / "base")


def test_another_network_in_the_config_is_noticed(tmp_path: Path, checkpoint: Checkpoint) -> None:
    write(tmp_path / "base", checkpoint)
    path = tmp_path / "base" / CONFIG
    content = json.loads(path.read_text())
    content["network"]["units"] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="kernel has shape"):
        load(tmp_path / "base")
    content["network"]["colour"] = "red"
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="has no colour"):
        load(tmp_path / "base")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nothing", "isn’t valid JSON. Restore the model from a backup."),
        ("[" * 200_000, "isn’t valid JSON. Restore the model from a backup."),
        ("{}", "doesn’t describe a model of Bot Factory. Restore the model from a backup."),
        ('{"format": 1}', "doesn’t describe a model of Bot Factory. Restore the model from a backup."),
        ('{"format": 2}', "has format 2, but this version reads 1. Update Bot Factory."),
        ('{"format": 1, "network": {"kind": "gpt"}, "sha256": "SHA"}', "Update Bot Factory, or restore the model"),
        ('{"format": 1, "network": {}, "sha256": "OTHER"}', "have changed since they were saved. Restore the model"),
    ],
)
def test_what_is_wrong_with_a_model_names_the_file_and_what_to_do(
    tmp_path: Path, checkpoint: Checkpoint, text: str, told: str
) -> None:
    saved = write(tmp_path / "base", checkpoint)
    (tmp_path / "base" / CONFIG).write_text(text.replace("SHA", saved.sha256))
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path / "base")
    file = tmp_path / "base" / (WEIGHTS if "OTHER" in text else CONFIG)
    assert str(file) in caught.value.in_full and told in str(caught.value)


def test_a_model_that_a_save_replaces_right_now_is_there(tmp_path: Path, checkpoint: Checkpoint) -> None:
    assert not is_there(tmp_path / "base")
    write(tmp_path / "base", checkpoint)
    assert is_there(tmp_path / "base")
    (tmp_path / "base").rename(tmp_path / ".base.old")
    assert is_there(tmp_path / "base")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no readable model in .*nowhere"):
        load(tmp_path / "nowhere")


def test_weights_that_are_not_numbers_are_never_saved(tmp_path: Path, checkpoint: Checkpoint) -> None:
    write(tmp_path / "base", checkpoint, number=1)
    broken = dict(checkpoint.weights) | {"bias": np.full_like(checkpoint.weights["bias"], np.nan)}
    with pytest.raises(CheckpointError, match="bias contains a value that isn’t a finite number"):
        save(tmp_path / "base", network=checkpoint.network, weights=broken, meta={})
    incomplete = {name: array for name, array in checkpoint.weights.items() if name != "bias"}
    with pytest.raises(CheckpointError, match="instead of bias"):
        save(tmp_path / "base", network=checkpoint.network, weights=incomplete, meta={})
    assert load(tmp_path / "base").meta == {"number": 1}


KILLED = """
import os, sys
from pathlib import Path
from tests.ml.conftest import random_checkpoint
from models_app.ml.checkpoint import save
renames = 0
rename = Path.rename
def counted(self, target):
    global renames
    renames += 1
    if renames == int(sys.argv[2]):
        os._exit(9)
    return rename(self, target)
Path.rename = counted
start = random_checkpoint(seed=2)
save(Path(sys.argv[1]), network=start.network, weights=start.weights, meta={"number": 2})
"""


@pytest.mark.parametrize(("kill_before", "number"), [(1, 1), (2, 1), (3, 2)])
def test_a_kill_at_any_rename_leaves_a_whole_model(tmp_path: Path, kill_before: int, number: int) -> None:
    directory = tmp_path / "base"
    write(directory, random_checkpoint(seed=1), number=1)
    (directory / "training.csv").write_text("kept")
    arguments = [sys.executable, "-c", KILLED, str(directory), str(kill_before)]
    assert subprocess.run(arguments, check=False, cwd=Path(__file__).parents[2]).returncode == 9

    assert load(directory).meta == {"number": number}
    assert describe(directory)["meta"] == {"number": number}
    recover(directory)
    assert load(directory).meta == {"number": number}
    assert (directory / "training.csv").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_failed_save_leaves_the_old_model(
    tmp_path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "base", checkpoint, number=1)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_durably", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "base", checkpoint, number=2)
    assert load(tmp_path / "base").meta == {"number": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_readers_never_see_a_mix_while_models_are_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "base"
    models = [random_checkpoint(seed=seed) for seed in range(2)]
    write(directory, models[0], number=0)
    over = threading.Event()

    def replace() -> None:
        for turn in range(60):
            write(directory, models[turn % 2], number=turn % 2)
        over.set()

    writer = threading.Thread(target=replace)
    writer.start()
    reads = 0
    while not over.is_set():
        seen = load(directory)
        np.testing.assert_array_equal(seen.weights["bias"], models[seen.meta["number"]].weights["bias"])
        reads += 1
    writer.join()
    assert reads > 0


def test_no_pickle_is_ever_read(tmp_path: Path, checkpoint: Checkpoint) -> None:
    write(tmp_path / "base", checkpoint)
    data = (tmp_path / "base" / WEIGHTS).read_bytes()
    assert data[8:9] == b"{"  # safetensors: a length, then a JSON header, then plain numbers
    sources = Path(module.__file__).parent.rglob("*.py")
    assert not [
        path.name for path in sources if "import pickle" in path.read_text() or "allow_pickle" in path.read_text()
    ]
    assert (tmp_path / "base").stat().st_mode & 0o777 == 0o755


def test_half_as_large_holds_the_nearest_of_float16(tmp_path: Path, checkpoint: Checkpoint) -> None:
    saved = save(tmp_path / "half", network=checkpoint.network, weights=checkpoint.weights, meta={}, half=True)
    loaded = load(tmp_path / "half")
    for name, array in checkpoint.weights.items():
        assert loaded.weights[name].dtype == np.float32
        np.testing.assert_array_equal(loaded.weights[name], array.astype(np.float16).astype(np.float32))
        np.testing.assert_array_equal(saved.weights[name], loaded.weights[name])
    save(tmp_path / "whole", network=checkpoint.network, weights=checkpoint.weights, meta={})
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize("network", [TINY, TINY_GLR])
def test_what_is_loaded_as_stored_is_half_as_large_and_writes_the_same(tmp_path: Path, network: NetworkConfig) -> None:
    made = random_checkpoint(network)
    save(tmp_path / "half", network=network, weights=made.weights, meta={}, half=True)
    whole, stored = load(tmp_path / "half"), load(tmp_path / "half", as_stored=True)
    assert {array.dtype for array in stored.weights.values()} == {np.dtype(np.float16)}
    state: list[tuple[Any, ...]] = []
    for loaded in (whole, stored):
        stepper = kind_of(network).stepper(network, loaded.weights)
        after = stepper.start(3)
        for symbols in ([1, 2, 255], [7, 255, 9], [65, 32, 66]):
            logits, after = stepper.step(np.array(symbols), after)
        assert isinstance(after, Arrays)
        state.append((logits, *after))
    for one, other in zip(*state, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("as_stored", [False, True])
@pytest.mark.parametrize("stored", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_is_noticed_in_a_file_of_any_type(
    tmp_path: Path, checkpoint: Checkpoint, value: float, stored: type, *, as_stored: bool
) -> None:
    write(tmp_path / "base", checkpoint)
    arrays: dict[str, Any] = {name: array.astype(stored) for name, array in checkpoint.weights.items()}
    rewrite(tmp_path / "base", arrays)
    assert {array.dtype for array in load(tmp_path / "base", as_stored=as_stored).weights.values()} == {
        np.dtype(np.float16 if as_stored and stored is np.float16 else np.float32)
    }
    arrays["bias"][3] = value
    rewrite(tmp_path / "base", arrays)
    with pytest.raises(CheckpointError, match="bias contains a value that isn’t a finite number"):
        load(tmp_path / "base", as_stored=as_stored)


def rewrite(directory: Path, arrays: dict[str, Any]) -> None:
    """Write these arrays to the directory, with their correct digest."""
    data = save_tensors(arrays)
    content = describe(directory) | {"sha256": hashlib.sha256(data).hexdigest()}
    (directory / WEIGHTS).write_bytes(data)
    (directory / CONFIG).write_text(json.dumps(content))


def test_what_float16_cannot_hold_is_refused(tmp_path: Path, checkpoint: Checkpoint) -> None:
    large = {**checkpoint.weights, "bias": checkpoint.weights["bias"] + np.float32(1e6)}
    with pytest.raises(CheckpointError, match="isn’t a finite number"):
        save(tmp_path / "half", network=checkpoint.network, weights=large, meta={}, half=True)
    assert not (tmp_path / "half").exists()


SAID = Phrases.of([np.array([5, 6, 7]), np.array([5, 6, 8])], TINY_LLAMA.end)


def write_fluent(directory: Path, phrases: Phrases | None) -> Checkpoint:
    return save(directory, network=TINY_LLAMA, weights=made_adapter(TINY_LLAMA), meta={}, phrases=phrases)


def test_phrases_come_back_and_a_model_without_their_file_is_complete(tmp_path: Path) -> None:
    saved = write_fluent(tmp_path / "bot", SAID)
    loaded = load(tmp_path / "bot", as_stored=True)
    assert saved.phrases is SAID and loaded.phrases is not None
    assert loaded.phrases.to_bytes() == SAID.to_bytes()
    (tmp_path / "bot" / PHRASES).unlink()
    assert load(tmp_path / "bot").phrases is None


def test_phrases_go_when_the_model_is_replaced_by_one_without(tmp_path: Path) -> None:
    write_fluent(tmp_path / "bot", SAID)
    write_fluent(tmp_path / "bot", None)
    assert load(tmp_path / "bot").phrases is None
    assert sorted(path.name for path in (tmp_path / "bot").iterdir()) == [CONFIG, WEIGHTS]


@pytest.mark.parametrize("damage", ["flip", "cut", "other", "foreign"])
def test_damaged_phrases_are_noticed(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "bot" / PHRASES
    write_fluent(tmp_path / "bot", SAID)
    data = bytearray(file.read_bytes())
    if damage == "flip":
        data[-1] ^= 1
    elif damage == "cut":
        del data[-4:]
    elif damage == "other":
        data = bytearray(SAID.trusted(0.5).to_bytes())
    else:  # what somebody made themselves, with symbols that this vocabulary doesn't have
        high = TINY_LLAMA.symbols
        write_fluent(tmp_path / "bot", Phrases.of([np.array([high, 6]), np.array([high, 6])], TINY_LLAMA.end))
        data = bytearray(file.read_bytes())
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="are incomplete or have changed"):
        load(tmp_path / "bot")


def test_a_file_of_phrases_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fluent(tmp_path / "bot", SAID)
    monkeypatch.setattr(module, "_MAX_PHRASES", 10)
    with pytest.raises(CheckpointError, match="phrases"):
        load(tmp_path / "bot")
