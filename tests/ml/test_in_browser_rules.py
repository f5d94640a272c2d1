"""The rules about words, copies and personal data find the same in a browser: static/js/in-browser, run by Node.js."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import numpy as np

from models_app.ml.sampling import mentions
from models_app.ml.sampling.banned_words import BanList, HouseBanList
from models_app.ml.sampling.copy_filter import filter_file, guard_file
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.words import words
from tests.fakes.posts import make_posts
from tweets.cleaning import personal

from .browser import TEXTS, run

PHRASES: Final = ["art", "Kill Yourself", "naive", "漢字", "don't", "straße"]
#: In scripts that don't separate words by spaces, or have marks.
UNSPACED: Final = ["海", "ทะเล", "น้ำ", "ค", "ຮັກ", "ချစ်", "ស្រលាញ់", "ည", "กน", "मल", "محمد", "שלום"]


def test_words_mentions_and_bans_are_the_same() -> None:
    prompted = [[text, ""] for text in TEXTS] + [["@na me @name", "@na"], ["to @Bob: @bob @bo", "to @Bob"], ["@x", "@"]]
    prompted += [["to @a.dev @a.bsky.social @A.dev @a", "to @a.dev "], ["@a.bsky.social", "@a.bs"]]
    found = run(
        [
            {"what": "words", "texts": TEXTS},
            {"what": "mentions", "posts": prompted},
            {"what": "banned", "phrases": PHRASES, "texts": TEXTS},
            *({"what": "banned", "phrases": [phrase], "texts": TEXTS} for phrase in UNSPACED),
        ]
    )
    assert found[0] == [words(text) for text in TEXTS]
    assert found[1] == [mentions.adds(post, prompt) for post, prompt in prompted]
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
