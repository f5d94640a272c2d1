"""What a bot writes in a browser is what it writes on the server: static/js/in-browser, run by Node.js."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from models_app.ml import wire
from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import NETWORKS, NetworkConfig, SamplingConfig
from models_app.ml.evaluation.evaluation import surprisals
from models_app.ml.networks.hashed_ngrams import is_table
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.banned_words import HouseBanList
from models_app.ml.sampling.choosing import MANY
from models_app.ml.sampling.copy_filter import filter_file, guard_file
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.vocabulary import register, vocabulary_of
from models_app.ml.vocabulary.learning import learned
from models_app.ml.words import words
from tests.fakes.posts import make_posts
from tweets.cleaning import personal

from .browser import ROOT, TEXTS, in_node, run
from .conftest import TINY, TINY_GLR, TINY_HARD, TINY_LSTM_OF_TOKENS, TINY_TOKENS, TOKENS, random_checkpoint

EACH_NETWORK = pytest.mark.parametrize(
    "network",
    [TINY, TINY_HARD, TINY_GLR, TINY_TOKENS, TINY_LSTM_OF_TOKENS],
    ids=["lstm", "hard lstm", "glr", "tokens", "lstm of tokens"],
)
ASKED: Final[dict[str, Any]] = {
    "count": 6,
    "temperature": 0.9,
    "top_k": 0,
    "top_p": 1.0,
    "prompt": "",
    "seed": 1,
    "max_characters": 60,
    "banned": [],
}


def model(network: NetworkConfig, **favoured: float) -> Checkpoint:
    """A network as bots are stored, in float16, whose posts end. `favoured`: what these characters' logits get."""
    made = random_checkpoint(network, seed=3, scale=0.7)
    made.weights["output_bias"][vocabulary_of(network).end] += 4
    for character, more in favoured.items():
        made.weights["output_bias"][ord(character)] += more
    halves = {name: array.astype(np.float16).astype(np.float32) for name, array in made.weights.items()}
    return Checkpoint(network, halves, {}, "")


def packed(checkpoint: Checkpoint, folder: Path, *, is_exact: bool = True) -> Path:
    path = folder / "bot"
    path.write_bytes(wire.pack(checkpoint, is_exact=is_exact))
    return path


def refused(writing: Writing) -> dict[str, int]:
    """The numbers of refused posts. Quick bots may write links."""
    numbers = {name: number or 0 for name, number in writing.refused.as_dict().items()}
    assert numbers.pop("links") == 0
    return numbers


@EACH_NETWORK
@pytest.mark.parametrize("vectors", [False, True], ids=["plain", "vectors"])
def test_the_same_seeds_write_the_same_posts(network: NetworkConfig, vectors: bool, tmp_path: Path) -> None:
    checkpoint = model(network)
    changes: list[dict[str, Any]] = [
        {},
        {"count": 40, "seed": 2**31 + 7, "max_characters": 280},
        {"temperature": 0.5, "top_k": 5},
        {"temperature": 1.3, "top_k": 40, "top_p": 0.95, "max_characters": 25},
        {"top_p": 0.8},
        {"prompt": "hé 👩🏽\u200d🚀\t@", "max_characters": 40},
        {"temperature": 0, "prompt": "ab"},
        {"prompt": "ab\t", "seed": 2},
        # At a low temperature: a rare letter can be newer than the Unicode of one side.
        *(
            {"prompt": prompt, "max_characters": 40, "temperature": 0.4}
            for prompt in ("Ünï", "Привет", "한국…", "ab...", "ab-", "人々", "…")
        ),
        {"temperature": 0, "max_characters": 5},
        {"count": 12, "seed": 7, "max_characters": 6},
        {"banned": ["a", "é", "I"], "seed": 5},
    ]
    asked = [ASKED | change for change in changes]
    found = run(
        [{"what": "written", "sampling": each} for each in asked], packed(checkpoint, tmp_path), vectors=vectors
    )
    sampler = Sampler(checkpoint)
    for sampling, ours in zip(asked, found, strict=True):
        # In the order in which the posts end.
        ended: dict[int, str] = {}
        config = SamplingConfig.from_dict(sampling)
        writing = sampler.generate(config, personal=personal.adds, on_post=ended.__setitem__)
        assert (ours["posts"], ours["ended"]) == (writing.posts, list(ended.values()))
        assert ours["refused"] == refused(writing)
    assert sum(len(each["posts"]) for each in found) > 80
    assert any(each["refused"][name] for each in found for name in ("unfinished", "empty", "banned"))


@pytest.mark.parametrize("network", [TINY, TINY_GLR], ids=["lstm", "glr"])
def test_names_are_left_out_as_on_the_server(network: NetworkConfig, tmp_path: Path) -> None:
    checkpoint = model(network, **{"@": 7})
    changes: list[dict[str, Any]] = [{"count": 20}, {"temperature": 0}, {"prompt": "hi @"}, {"prompt": "hi @al…"}]
    asked = [ASKED | change for change in changes]
    found = run([{"what": "written", "sampling": each} for each in asked], packed(checkpoint, tmp_path))
    for sampling, ours in zip(asked, found, strict=True):
        writing = Sampler(checkpoint).generate(SamplingConfig.from_dict(sampling), personal=personal.adds)
        assert (ours["posts"], ours["refused"]) == (writing.posts, refused(writing))
    assert found[0]["refused"]["mentions"] > 3 and found[0]["posts"] and "@" not in "".join(found[0]["posts"])
    assert found[2]["refused"]["mentions"] > 3


def test_many_tokens_are_drawn_as_on_the_server(tmp_path: Path) -> None:
    rng = random.Random(2)
    vocabulary = register(learned(["".join(rng.choices("abcdefgh ", k=60)) for _ in range(3000)], 1500))
    # Above MANY, the server takes shortcuts.
    assert vocabulary.size == 1500 > MANY
    assert vocabulary.heal(vocabulary.encode("abc d"))[1]
    checkpoint = model(replace(TINY_TOKENS, vocabulary=vocabulary.name))
    changes: list[dict[str, Any]] = [
        {"top_p": 0.9, "prompt": "abc de"},
        {"top_k": 50, "top_p": 0.95, "seed": 3},
        {"temperature": 0.4},
        {"top_k": 200, "count": 12},
        # Of the top k, most can't continue the prompt.
        {"top_k": 200, "count": 12, "prompt": "abc d", "seed": 4},
        {"top_k": 200, "top_p": 0.9, "prompt": "abc d", "seed": 5},
        {"prompt": "abc d…", "seed": 6},
        {"prompt": "abc  ", "seed": 7},
    ]
    asked = [ASKED | change for change in changes]
    found = run([{"what": "written", "sampling": each} for each in asked], packed(checkpoint, tmp_path))
    for sampling, ours in zip(asked, found, strict=True):
        assert ours["posts"] == Sampler(checkpoint).generate(SamplingConfig.from_dict(sampling)).posts


@EACH_NETWORK
@pytest.mark.parametrize("is_exact", [True, False], ids=["float16", "int8"])
def test_each_symbol_has_the_same_bits(network: NetworkConfig, is_exact: bool, tmp_path: Path) -> None:
    checkpoint = model(network)
    texts = ["hello, wörld 漢字 🙂\n", "a b", ""]
    file = packed(checkpoint, tmp_path, is_exact=is_exact)
    found = run([{"what": "bits", "text": text} for text in texts], file)
    # As the browser gets them: smaller types cost these networks of a few random weights more than a trained one.
    weights = wire.unpack(file.read_bytes())
    for name, array in checkpoint.weights.items():
        levels = 7 if is_table(name) and not is_exact else 127
        half_a_level = np.abs(array).max(axis=-1, keepdims=True) / levels / 2
        assert (np.abs(weights[name] - array) <= 1.01 * half_a_level).all()
    vocabulary = vocabulary_of(network)
    rows = [vocabulary.encode(text) for text in texts]
    expected = surprisals(kind_of(network).stepper(network, weights), list(rows), vocabulary) / math.log(2)
    assert found
    for line, bits in zip(expected, found, strict=True):
        assert bits == pytest.approx(line[: len(bits)].tolist(), abs=1e-4)


def test_texts_have_the_same_tokens(tmp_path: Path) -> None:
    texts = [
        *TEXTS,
        *make_posts(50, seed=9),
        "\t\x85\ufeff\u2028 ＡＢ  1234 don't we'll <|endoftext|> e\u0301\u0301 \u0301",
    ]
    found = run([{"what": "encoded", "texts": texts}], packed(model(TINY_TOKENS), tmp_path))[0]
    assert found == [TOKENS.encode(text).tolist() for text in texts]


def test_seeds_give_the_numbers_of_numpy() -> None:
    seeds = [0, 1, 7, 2**31 - 1, 2**32 + 5, 2**63 - 1]
    found = run([{"what": "numbers", "seed": str(seed), "count": 5} for seed in seeds])
    assert found == [np.random.default_rng(seed).random(5).tolist() for seed in seeds]


def test_what_is_refused_on_the_way_is_the_same(tmp_path: Path) -> None:
    checkpoint = model(TINY_GLR)
    file, guarded = packed(checkpoint, tmp_path), tmp_path / "guard"
    asked = ASKED | {"count": 30, "seed": 4}
    posts = Sampler(checkpoint).generate(SamplingConfig.from_dict(asked)).posts
    guard, house = CopyGuard.of(posts[::3]), [word for post in posts[1::3] for word in words(post)][:10]
    guarded.write_bytes(guard_file(guard))
    found = run([{"what": "written", "sampling": asked, "guard": str(guarded), "house": house}], file)[0]
    config = SamplingConfig.from_dict(asked)
    writing = Sampler(checkpoint).generate(config, guard=guard, house=HouseBanList(house), personal=personal.adds)
    assert (found["posts"], found["refused"]) == (writing.posts, refused(writing))
    assert found["refused"]["copies"] > 5 and found["refused"]["house"] > 0


def test_a_copy_behind_a_long_prompt_is_refused_too(tmp_path: Path) -> None:
    checkpoint = model(TINY_GLR, **{" ": 4})
    file = packed(checkpoint, tmp_path)
    prompt = " ".join(f"filler{number}" for number in range(20))
    asked = ASKED | {"count": 30, "seed": 4, "prompt": f"{prompt} ", "max_characters": 280}
    config = SamplingConfig.from_dict(asked)
    posts = Sampler(checkpoint).generate(config).posts
    learned = [added for post in posts if 6 <= len(words(added := post[len(config.prompt) :])) <= 15]
    guard = CopyGuard.of(learned)
    assert len(learned) > 5 and not any(guard.is_copy(post) for post in posts)
    found = []
    for name, data in (("guard", guard_file(guard)), ("filter", filter_file(guard))):
        (tmp_path / name).write_bytes(data)
        found += run([{"what": "written", "sampling": asked, "guard": str(tmp_path / name)}], file)
    writing = Sampler(checkpoint).generate(config, guard=guard, personal=personal.adds)
    assert (found[0]["posts"], found[0]["refused"]) == (writing.posts, refused(writing))
    for each in found:
        assert each["refused"]["copies"] >= len(learned)
        assert not {f"{config.prompt}{added}" for added in learned} & set(each["posts"])


@pytest.mark.parametrize("order", [["usual", "exact"], ["exact", "usual"]], ids=["usual first", "exact first"])
def test_the_weights_that_were_chosen_last_write_whichever_come_first(order: list[str], tmp_path: Path) -> None:
    usual, exact = model(TINY), model(TINY_GLR)
    files = {name: tmp_path / name for name in ("usual", "exact", "guard")}
    files["usual"].write_bytes(wire.pack(usual, is_exact=True))
    files["exact"].write_bytes(wire.pack(exact, is_exact=True))
    files["guard"].touch()
    asked = {"files": {name: str(file) for name, file in files.items()}, "order": order, "seed": 1}
    found = in_node("in_browser_page.mjs", asked)
    # The button is free as soon as the chosen weights are there, and not before.
    assert found["held"] == [True, order[0] == "usual", False]
    assert found["written"] == Sampler(exact).generate(SamplingConfig.from_dict(ASKED)).posts
    assert found["kept"] == ["http://here/exact/weights", "http://here/guard/guard"]


def test_a_table_with_an_odd_number_of_weights_arrives_whole(tmp_path: Path) -> None:
    network = replace(TINY_GLR, contexts=(2,), context_rows=1, context_width=3)
    checkpoint = model(network)
    file, text = packed(checkpoint, tmp_path, is_exact=False), "odd numbers"
    weights = wire.unpack(file.read_bytes())
    table = checkpoint.weights["context_0_embedding"]
    assert weights["context_0_embedding"] == pytest.approx(table, abs=float(np.abs(table).max()) / 7 * 0.51)
    vocabulary = vocabulary_of(network)
    stepper = kind_of(network).stepper(network, weights)
    expected = surprisals(stepper, [vocabulary.encode(text)], vocabulary)[0] / math.log(2)
    found = run([{"what": "bits", "text": text}], file)[0]
    assert len(found) > 10 and found == pytest.approx(expected[: len(found)].tolist(), abs=1e-4)


@pytest.mark.parametrize("network", [NETWORKS["glr"], load(ROOT / "checkpoints/base").network], ids=["default", "base"])
def test_a_large_network_fits_into_eight_megabytes(network: NetworkConfig) -> None:
    shapes = kind_of(network).weight_shapes(network)
    checkpoint = Checkpoint(network, {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, {}, "")
    sizes = wire.sizes(network)
    assert list(sizes) == ["int8", "float16"] and sizes["int8"] < wire.MAX_BYTES
    for name, size in sizes.items():
        # The base has its tokenizer before the weights.
        assert size < len(wire.pack(checkpoint, is_exact=name == "float16")) < 1.02 * size
    assert list(wire.sizes(NETWORKS["lstm"])) == ["float16"]
