"""What a bot writes in a browser is what it writes on the server: static/js/in-browser, run by Node.js."""

from __future__ import annotations

import json
import math
import random
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from playwright._impl._driver import compute_driver_executable

from models_app.ml import wire
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NETWORKS, NetworkConfig, SamplingConfig
from models_app.ml.evaluation.evaluation import surprisals
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.banned_words import BanList, HouseBanList
from models_app.ml.sampling.choosing import MANY
from models_app.ml.sampling.copy_filter import filter_file, guard_file
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.mentions import masked
from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.vocabulary import register, vocabulary_of
from models_app.ml.vocabulary.learning import learned
from models_app.ml.words import words
from tests.fakes.posts import make_posts
from tweets.cleaning import personal

from .conftest import TINY, TINY_GLR, TINY_HARD, TINY_LSTM_OF_TOKENS, TINY_TOKENS, TOKENS, random_checkpoint

ROOT: Final = Path(__file__).parents[2]
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
#: Posts with everything that the rules about words know.
TEXTS: Final = [
    "Straße, STRASSE and ẞ: ﬁne ﬂuﬀ, café CAFÉ İstanbul ısı ΣΊΣΥΦΟΣ",
    "don't d’ont dont ‘quotes’ naïve ½ ² Ⅷ 漢字かな ⓐⓑ",
    "see http://example.com/a?b=1 www.example.org/x t.co/abc @name@example.org #Tag＃タグ",
    "w/@bob RT@bob: START@bob t.example/@bob https://a.example/RT@bob rt@ann w/RT@cy",
    "@alice.smith.com @al-ice.bsky.social, @na.me@ser-ver.example @bob.Then we @ann. then @cy- @a.co2 @Ünï.bsky.social",
    "a@b.c mail me@example.com !@name x@y @Ünï_1 ＠wide @a @b@c.d.",
    "*@a@b.example* **@b** #@c $@d %@e @f&@g @h@@i @@j.example ＠＠k !@#$%&*@! https://a.example/?b&@c",
    "我想去海边 เราไปทะเลกันวันนี้ ดื่มน้ำเย็น คิดถึง ຂ້ອຍຮັກເຈົ້າ ငါမင်းကိုချစ်တယ် ខ្ញុំស្រលាញ់អ្នក ซื้อartที่นี่",
    "กิน ก.น मिल म-ल مُحَمَّد שָׁלוֹם k\ufe0fi\ufe0fl\u20e3l yourself",
    "k\u0489i\u0489ll yourself k\u0e34\u0e48i\u093fll \u0e34yourself",
    "k.i.l.l yourself KILL   your-self k1lllll yoursel\u200bf skill yourself k_i_l_l_y",
    "🙂🙂 👩🏽\u200d🚀 \u00a0\u2003 tab\there\nnext",
    "🙂 🚀",
    "ᏣᎳᎩ ꭰꭱ Ꮿ ŉ ǰ ΐ և",
    "The quick brown fox jumps over the lazy dog and runs away from it",
    "party art Art! #art a-r-t @rt 4rt",
    "",
]
PHRASES: Final = ["art", "Kill Yourself", "naive", "漢字", "don't", "straße"]
#: In scripts that don't separate words by spaces, or have marks.
UNSPACED: Final = ["海", "ทะเล", "น้ำ", "ค", "ຮັກ", "ချစ်", "ស្រលាញ់", "ည", "กน", "मल", "محمد", "שלום"]


def run(tasks: Sequence[dict[str, Any]], file: Path | None = None, *, vectors: bool = True) -> list[Any]:
    """Return the results of the tasks (in_browser.mjs), with the bot in this file.

    vectors: whether products are by WebAssembly.
    """
    answer: list[Any] = in_node("in_browser.mjs", {"file": file and str(file), "vectors": vectors, "tasks": tasks})
    return answer


def in_node(program: str, asked: dict[str, Any]) -> Any:
    """Return what the program answers to this."""
    asked = {"scripts": str(ROOT / "static/js/in-browser"), **asked}
    node = str(compute_driver_executable()[0])
    command = [node, "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", str(ROOT / "tests/ml" / program)]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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
        ended: list[str] = []
        writing = sampler.generate(SamplingConfig.from_dict(sampling), personal=personal.adds, on_post=ended.append)
        assert (ours["posts"], ours["ended"]) == (writing.posts, ended)
        assert ours["refused"] == refused(writing)
    assert sum(len(each["posts"]) for each in found) > 80
    assert any(each["refused"][name] for each in found for name in ("unfinished", "empty", "banned"))


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
        levels = 7 if name.startswith("context_") and not is_exact else 127
        half_a_level = np.abs(array).max(axis=-1, keepdims=True) / levels / 2
        assert (np.abs(weights[name] - array) <= 1.01 * half_a_level).all()
    vocabulary = vocabulary_of(network)
    rows = [vocabulary.encode(text) for text in texts]
    expected = surprisals(kind_of(network).stepper(network, weights), list(rows), vocabulary) / math.log(2)
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


def test_words_mentions_and_bans_are_the_same() -> None:
    prompted = [[text, ""] for text in TEXTS] + [["@na me @name", "@na"], ["to @Bob: @bob @bo", "to @Bob"], ["@x", "@"]]
    prompted += [["to @a.dev @a.bsky.social @A.dev @a", "to @a.dev "], ["@a.bsky.social", "@a.bs"]]
    found = run(
        [
            {"what": "words", "texts": TEXTS},
            {"what": "masked", "posts": prompted},
            {"what": "banned", "phrases": PHRASES, "texts": TEXTS},
            *({"what": "banned", "phrases": [phrase], "texts": TEXTS} for phrase in UNSPACED),
        ]
    )
    assert found[0] == [words(text) for text in TEXTS]
    assert found[1] == [masked(post, prompt=prompt) for post, prompt in prompted]
    lists = (BanList(PHRASES), HouseBanList(PHRASES))
    assert found[2] == [[each.finds(text) for each in lists] for text in TEXTS]
    assert {str(house) for _, house in found[2]} >= {"kill yourself", "art", "None"}
    for phrase, each in zip(UNSPACED, found[3:], strict=True):
        assert each == [[list_of([phrase]).finds(text) for list_of in (BanList, HouseBanList)] for text in TEXTS]


def variants(posts: list[str], count: int) -> list[str]:
    """Texts that are copies, nearly copies, and new, in equal parts."""
    rng = random.Random(1)
    found = []
    for _ in range(count):
        parts = rng.choice(posts).split()
        others = rng.choice(posts).split()
        for _ in range(rng.randrange(4)):
            parts[rng.randrange(len(parts))] = rng.choice(others)
        found.append(" ".join(parts[: rng.randint(1, len(parts))] + others[: rng.randrange(4)]))
    return found


LONG: Final = " ".join(f"word{number}" for number in range(40))


def test_the_owner_has_the_whole_copy_guard(tmp_path: Path) -> None:
    posts = [*make_posts(300, seed=3), "🙂 🚀", "yes", "so be it", LONG, *TEXTS]
    guard, file = CopyGuard.of(posts), tmp_path / "guard"
    file.write_bytes(guard_file(guard))
    texts = [*variants(posts[:300], 400), "🙂🚀", "🙂", "Yes!", "yes yes", "so be it", "so be", *TEXTS]
    texts += [f"{LONG[50:200]} then {text}" for text in TEXTS]
    found = run([{"what": "copies", "guard": str(file), "texts": texts}])[0]
    assert found == [guard.is_copy(text) for text in texts]
    assert 100 < sum(found) < len(texts) - 100


def test_others_have_a_filter_that_finds_the_same_runs_and_does_not_spell_out_posts(tmp_path: Path) -> None:
    posts = [*make_posts(300, seed=3), "🙂 🚀", "yes", "so be it", LONG]
    guard, file = CopyGuard.of(posts), tmp_path / "guard"
    data = filter_file(guard)
    file.write_bytes(data)
    copies = [post for post in posts if words(post)]
    copies += [" ".join(post.split()[1:]) for post in copies if len(words(post)) > 4] + ["🚀🙂", f"new {LONG} end"]
    fresh = [" ".join(f"new{place + number}" for place in range(12)) for number in range(200)]
    found = run([{"what": "copies", "guard": str(file), "texts": [*copies, *fresh]}])[0]
    missed = [text for text, is_found in zip(copies, found, strict=False) if guard.is_copy(text) and not is_found]
    assert missed == ["🚀🙂"] or missed == []
    assert sum(found[len(copies) :]) < 5
    # Of the words, neither the fingerprints nor their order are in it.
    taken = np.unpackbits(np.frombuffer(data[40:], np.uint8)).mean()
    assert 0.05 < taken < 0.2
    assert len(data) < len(guard_file(guard)) / 8


def test_posts_with_personal_data_are_refused() -> None:
    clean = [
        "call me maybe",
        "version 16.0.0.214",
        "score 3-2 in 1998",
        "see http://x.io/1234567890123",
        "@a1234567890",
        "Call for papers: 2019-03-01",
        "call 2024-12-24 18:30",
        "Mobile trends 2018-2019",
        "chiamata 5550142",
        "3.1415926535",
    ]
    caught = [
        "mail me@example.com now",
        "name [at] example [dot] org",
        "name@example.com-Name",
        "_name@example.org_",
        "name (@) example.com",
        "name { at } example.com",
        "name at gmx.de",
        "my password: hunter22",
        "das Passwort: geheim123",
        "Kennwort=geheim123",
        "0170 123 45 67",
        "0711 / 12 34 56 7",
        "sk-abcdefghijklmnopqrstuv",
        "GB82 WEST 1234 5698 7654 32",
        "4111 1111 1111 1111",
        "078-05-1120 is it",
        "at 185.199.108.153 there",
        "call 555-867-5309",
        "call 2019-0301",
        "ruf mich an: 5550142",
        "Llámame 5550142",
        "appelez-moi au 5550142",
        "call 555\u2011867\u20115309",
        "078\u201005\u20101120 is it",
        "4111\u22121111\u22121111\u22121111\u2014mine",
        "+49 30 901820",
        "key aB3dE5gH7jK9mN1pQ3sT5vX7z",
        "2a00:1450:4001:81b::200e",
    ]
    posts = [[post, ""] for post in [*clean, *caught]]
    posts += [["me@example.com and", "me@example.com"], ["me@example.com.au and", "me@example.com"]]
    # Names with dots are addresses from their beginning on.
    posts += [["me dot too at gmail dot com", "me dot too at gmail dot com"], ["me dot too at aol.com", "me dot too"]]
    found = run([{"what": "personal", "posts": posts}])[0]
    assert found == [personal.adds(post, prompt) for post, prompt in posts]
    assert found == [*[False] * len(clean), *[True] * len(caught), False, True, False, True]


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


def test_a_large_network_fits_into_eight_megabytes() -> None:
    network = NETWORKS["glr"]
    shapes = kind_of(network).weight_shapes(network)
    checkpoint = Checkpoint(network, {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, {}, "")
    sizes = wire.sizes(network)
    assert list(sizes) == ["int8", "float16"] and sizes["int8"] < wire.MAX_BYTES
    for name, size in sizes.items():
        assert size < len(wire.pack(checkpoint, is_exact=name == "float16")) < 1.001 * size
    assert list(wire.sizes(NETWORKS["lstm"])) == ["float16"]
