"""From files to a corpus: what is in it, that it's the same each time, and what an error leaves."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from benchmarks.posts import made_posts
from models_app.ml.training.dataset import stream_posts
from tweets.cleaning import Duplicates
from tweets.cleaning.duplicates import SIMILAR, letters_of, similarity
from tweets.preparation import Packing, PreparationError, Progress, Recipe, Report, prepare, spool
from tweets.preparation.finishing import PARTS, part_of
from tweets.preparation.reading import lines

POSTS = list(made_posts(300))
LONG = "near duplicates of long posts are found by their letters and only one of them is in the corpus, whichever"


def table(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("".join(f"{author}\t{text}\n" for author, text in [("user", "text"), *rows]), encoding="utf-8")
    return path


def rows() -> list[tuple[str, str]]:
    return [(f"author{number % 40}", text) for number, text in enumerate(POSTS)]


def parts(out: Path) -> dict[str, list[str]]:
    return {part: list(stream_posts([next(out.glob(f"{part}.txt*"))])) for part in PARTS}


def everything(out: Path) -> set[str]:
    return set(chain.from_iterable(parts(out).values()))


def prepared(inputs: list[Path], out: Path, recipe: Recipe | None = None, *, processes: int = 1) -> Report:
    return prepare(inputs, out, recipe or Recipe(), processes=processes)


def test_no_author_is_in_two_parts_and_every_post_is_in_one_or_counted(tmp_path: Path) -> None:
    names = {f"{text} by{author}": author for author, text in rows()}
    path = table(tmp_path / "posts.tsv", [(author, text) for text, author in names.items()])
    report = prepared([path], tmp_path / "out")
    found = parts(tmp_path / "out")
    authors = [{post.rsplit(" by", 1)[1] for post in posts} for posts in found.values()]
    assert sum(map(len, authors)) == len(set.union(*authors)) == 40
    assert all(authors)
    assert sum(map(len, found.values())) == report.kept
    assert report.found == 300 == report.kept + sum(report.dropped.values())
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report.as_dict()


def test_it_is_the_same_to_the_byte_whatever_the_order_the_portions_and_the_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = [(f"a{number}", LONG.replace("posts", "posts " * number, 1)) for number in range(4)]
    some = [*rows(), *near, *[("author1", text.upper()) for text in POSTS[:20]]]
    prepared([table(tmp_path / "all.tsv", some)], tmp_path / "one", processes=2)
    random.Random(1).shuffle(some)
    files = [table(tmp_path / "a.tsv", some[:100]), table(tmp_path / "b.tsv", some[100:])]
    monkeypatch.setattr(lines, "CHUNK", 3_000)
    monkeypatch.setattr(spool, "MAX_BYTES", 1_200)
    prepared(files[::-1], tmp_path / "other")
    assert parts(tmp_path / "one") == parts(tmp_path / "other")
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("one", "other")]
    assert reports[0]["dropped"] == reports[1]["dropped"]
    assert reports[0]["dropped"]["duplicate"] == 20


def test_another_seed_gives_another_split_and_order(tmp_path: Path) -> None:
    path = table(tmp_path / "posts.tsv", rows())
    for seed in (1, 2):
        prepared([path], tmp_path / str(seed), Recipe(seed=seed))
    one, other = (parts(tmp_path / str(seed)) for seed in (1, 2))
    assert one["test"] != other["test"]
    assert sorted(chain.from_iterable(one.values())) == sorted(chain.from_iterable(other.values()))


def test_near_duplicates_are_dropped_across_all_posts_but_not_their_neighbours(tmp_path: Path) -> None:
    words = LONG.split()
    posts = [" ".join([*words[number:], *(["otherwise"] * number)]) for number in range(4)]
    path = table(tmp_path / "posts.tsv", [(str(number), text) for number, text in enumerate([*posts, *POSTS])])
    report = prepared([path], tmp_path / "out")
    left = everything(tmp_path / "out") & set(posts)
    likeness = {(one, other): similarity(letters_of(one), letters_of(other)) for one in posts for other in posts}
    assert max(likeness[one, other] for one in left for other in left if one != other) < SIMILAR
    assert all(any(likeness[text, kept] >= SIMILAR for kept in left) for text in posts)
    assert report.dropped["near_duplicate"] == len(posts) - len(left)
    kept = replace(Recipe().rules, duplicates=Duplicates.SAME)
    assert prepared([path], tmp_path / "same", Recipe(kept)).dropped["near_duplicate"] == 0


def test_repeated_posts_stay_if_the_rule_says_so(tmp_path: Path) -> None:
    path = table(tmp_path / "posts.tsv", [("a", "again and again")] * 3)
    recipe = Recipe(replace(Recipe().rules, duplicates=Duplicates.KEEP))
    assert prepared([path], tmp_path / "out", recipe).kept == 3


def test_languages_and_personal_data(tmp_path: Path) -> None:
    texts = [
        "this is what the people of the town said",
        "das ist nicht das was die Leute gesagt haben",
        "hm ok",
        "mail bob@example.com now",
    ]
    path = tmp_path / "posts.txt"
    path.write_text("\n".join(texts))
    report = prepared([path], tmp_path / "out", Recipe(languages=("en",)))
    assert report.as_dict()["dropped"] == {"language": 1}
    assert dict(report.masked) == {"email": 1}
    assert "mail [email] now" in everything(tmp_path / "out")
    assert any("in another language" in line for line in report.lines())


@pytest.mark.parametrize("packing", list(Packing))
def test_each_packing_is_read_by_the_training_even_if_a_part_is_empty(tmp_path: Path, packing: Packing) -> None:
    path = tmp_path / "posts.txt"
    path.write_text("the only post\n")
    prepared([path], tmp_path / "out", Recipe(packing=packing, shares=(100, 0, 0)))
    assert parts(tmp_path / "out") == {"train": ["the only post"], "validation": [], "test": []}


def test_shares_are_those_of_all_hashes() -> None:
    who = np.linspace(0, 2**64 - 4096, 1001).astype(np.uint64)
    counts = np.bincount(part_of(who, (80, 15, 5)), minlength=3)
    assert abs(counts - [801, 150, 50]).max() <= 1
    assert set(part_of(who, (90, 10, 0)).tolist()) == {0, 1}


def test_an_error_leaves_nothing_and_a_corpus_is_never_overwritten(tmp_path: Path) -> None:
    path = table(tmp_path / "posts.tsv", rows())
    out = tmp_path / "out"
    seen: list[str] = []

    def stop(progress: Progress) -> None:
        seen.append(progress.phase)
        if progress.phase == "writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([path], out, Recipe(), processes=1, on_progress=stop)
    assert list(out.iterdir()) == []
    assert list(dict.fromkeys(seen)) == ["reading", "comparing", "writing"]
    prepared([path], out)
    before = gzip.decompress((out / "train.txt.gz").read_bytes())
    with pytest.raises(PreparationError, match=r"already has train\.txt\.gz.*Choose another folder"):
        prepared([path], out)
    assert gzip.decompress((out / "train.txt.gz").read_bytes()) == before


def test_what_a_killed_preparation_left_is_deleted_and_two_never_work_in_one_folder(tmp_path: Path) -> None:
    path = table(tmp_path / "posts.tsv", rows())
    out = tmp_path / "out"
    left = out / ".preparing-killed"
    left.mkdir(parents=True)
    (left / "posts").write_text("half of a corpus", encoding="utf-8")
    refused: list[str] = []

    def beside(progress: Progress) -> None:
        if progress.phase == "writing" and not refused:
            with pytest.raises(PreparationError, match="Another process is preparing") as refusal:
                prepared([path], out)
            refused.append(str(refusal.value))

    prepare([path], out, Recipe(), processes=1, on_progress=beside)
    assert refused and not left.exists()
    assert not [entry for entry in out.iterdir() if entry.name.startswith(".")]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreparationError, match=r"There is no file .*nothing\.tsv"):
        prepared([tmp_path / "nothing.tsv"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shares": (80, 10, 20)}, "add up to 100"),
        ({"languages": ("xx",)}, "can't detect the language 'xx'"),
        ({"encoding": "utf-9"}, "no encoding 'utf-9'"),
        ({"encoding": "undefined"}, "no encoding 'undefined'"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(PreparationError, match=says):
        Recipe(**wrong)  # type: ignore[arg-type]
