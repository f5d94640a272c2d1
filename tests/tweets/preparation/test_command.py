"""`manage.py prepare_corpus`: options become a recipe, the report a table or JSON, errors a sentence."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

TABLE = """user_id\twords
7\tthis one is about tea
8\tsee https://example.com/page &amp; more
8\tthis one is about tea!
short
"""


def command(tmp_path: Path, *more: str) -> str:
    path = tmp_path / "posts.tsv"
    path.write_text(TABLE)
    out = io.StringIO()
    arguments = ["prepare_corpus", str(path), "--out", str(tmp_path / "out"), "--processes", "1"]
    call_command(*arguments, *more, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_it_writes_a_corpus_and_prints_every_drop(tmp_path: Path) -> None:
    said = command(tmp_path, "--pack", "none", "--shares", "100/0/0")
    assert "found                     3\n" in said
    assert "dropped: repeated       1  33.3 %" in said
    assert "lines that can't be read  1  in bad-lines.jsonl" in said
    assert sorted((tmp_path / "out" / "train.txt").read_text().splitlines()) == ["see & more", "this one is about tea"]


def test_options_are_in_the_report(tmp_path: Path) -> None:
    options = ["--set", "links=keep", "--set", "mask_personal=false", "--language", "en", "--seed", "5"]
    report = json.loads(command(tmp_path, "--json", "--column", "words", "--author-column", "user_id", *options))
    assert report["found"] == 3
    recipe = report["recipe"]
    assert (recipe["rules"]["links"], recipe["rules"]["mask_personal"]) == ("keep", False)
    assert (recipe["languages"], recipe["seed"], recipe["text_column"]) == (["en"], 5, "words")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--set", "newlines=keep"], "newlines=space can't be changed"),
        (["--set", "link=keep"], "There is no rule “link”"),
        (["--shares", "80/20"], "80/10/10"),
        (["--column", "texts"], "no column “texts”"),
        (["--processes", "0"], "at least 1"),
    ],
)
def test_what_can_not_be_is_a_sentence(tmp_path: Path, more: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        command(tmp_path, *more)
    assert not list(tmp_path.glob("out/*"))
