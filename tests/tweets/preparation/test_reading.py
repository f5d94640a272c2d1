"""Every kind of input, with what the shell gets wrong, and lines that can't be read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import sys
from pathlib import Path
from typing import Any

import pytest
from arro3 import core
from arro3.io import write_parquet
from backports import zstd
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.fakes.archives import archive_2022
from tweets.preparation import Format, PreparationError, Recipe
from tweets.preparation.reading import lines as line_reading
from tweets.preparation.reading.bad_lines import BadLines
from tweets.preparation.reading.inputs import batches, format_of

CELLS = st.text(alphabet='ab \t\n",;é🐦\\', max_size=12).filter(lambda text: "\r" not in text)


def read(
    path: Path, recipe: Recipe | None = None, kind: Format | None = None
) -> tuple[list[tuple[str, str]], list[dict[str, object]]]:
    """Return (author, text) of each post, and the bad lines."""
    recipe = recipe or Recipe()
    found: list[tuple[str, str]] = []
    with BadLines(path.with_name("bad.jsonl"), recipe.bad_lines) as bad:
        for batch in batches(path, kind or format_of(path), recipe, bad, lambda _: None):
            texts = batch.texts.split("\x00") if batch.count else []
            authors = batch.authors.split("\x00") if batch.authors is not None and batch.count else [""] * batch.count
            assert len(texts) == len(authors) == batch.count
            found += zip(authors, texts, strict=True)
    log = path.with_name("bad.jsonl")
    return found, [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def written(path: Path, text: str, **more: str) -> Path:
    path.write_text(text, encoding=more.get("encoding", "utf-8"), newline="")
    return path


HEAD = "id\tuser\ttext\n"


@pytest.mark.parametrize(
    ("rows", "posts"),
    [
        ("1\tann\tplain\n2\tbob\tother\r\n", [("ann", "plain"), ("bob", "other")]),
        (
            '1\tann\t"two\nlines, a\ttab and ""quotes"""\n2\tbob\tb\n',
            [("ann", 'two\nlines, a\ttab and "quotes"'), ("bob", "b")],
        ),
        ("1\tann\ta\ttab in a post\n2\tbob\tb\n", [("ann", "a\ttab in a post"), ("bob", "b")]),
        ('1\tann\t5" is wide\n2\tbob\tb"\n', [("ann", '5" is wide'), ("bob", 'b"')]),
        ('1\tann\t"never closed\n2\tbob\tb\n3\tcy\tc\n', [("ann", '"never closed'), ("bob", "b"), ("cy", "c")]),
        ('1\tann\t"one\n2\tbob\t"two\n3\tcy\tc', [("ann", '"one'), ("bob", '"two'), ("cy", "c")]),
        ('1\tann\t"Quoted" she said\n', [("ann", '"Quoted" she said')]),
        ("\n1\tann\ta\n\n", [("ann", "a")]),
    ],
)
def test_a_tab_separated_table(tmp_path: Path, rows: str, posts: list[tuple[str, str]]) -> None:
    assert read(written(tmp_path / "posts.tsv", HEAD + rows)) == (posts, [])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    quoting=st.sampled_from([0, 1]),
    sign=st.sampled_from("\t,;"),
)
@example(rows=[('"', "\n")], quoting=0, sign="\t")
def test_a_table_that_csv_has_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], quoting: int, sign: str
) -> None:
    # Rows of tabs and line breaks could as well be several rows.
    assume(sign != "\t" or not any("\t" in cell and "\n" in cell for row in rows for cell in row))
    file = io.StringIO()
    writer = csv.writer(file, delimiter=sign, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerow(("id", "user_id", "text"))
    writer.writerows((number, *row) for number, row in enumerate(rows))
    path = written(tmp_path_factory.mktemp("tables") / "posts.csv", file.getvalue())
    assert read(path) == (rows, [])


def test_a_row_with_too_few_cells_is_counted_and_kept_and_the_others_are_read(tmp_path: Path) -> None:
    posts, bad = read(written(tmp_path / "posts.tsv", HEAD + "1\tann\ta\nbroken\n3\tcy\tc\n"))
    assert posts == [("ann", "a"), ("cy", "c")]
    assert [(line["line"], line["text"]) for line in bad] == [(3, "broken")]
    assert "1 cell instead of 3" in str(bad[0]["why"])


def test_too_many_bad_lines_are_an_error_that_names_file_line_and_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path / "posts.jsonl", '{"text": "a"}\n' + "{\n" * 4)
    with pytest.raises(PreparationError, match=r"More than 2 lines.*posts\.jsonl, line 2: not valid JSON.*--bad-lines"):
        read(path, Recipe(bad_lines=2))


def test_a_table_without_a_column_of_texts_asks_for_it(tmp_path: Path) -> None:
    path = written(tmp_path / "posts.tsv", "a\tb\nwords of one\twords of another\n")
    with pytest.raises(PreparationError, match=r"posts\.tsv: Several columns"):
        read(path)
    assert read(path, Recipe(text_column="b", author_column="a"))[0] == [("words of one", "words of another")]
    with pytest.raises(PreparationError, match=r"no column 'c'.*It has a, b"):
        read(path, Recipe(text_column="b", author_column="c"))


def test_json_lines_of_networks_have_authors_and_kinds(tmp_path: Path) -> None:
    records = [
        {"full_text": "of X", "user": {"id_str": "7", "screen_name": "ann"}},
        {"text": "of its API", "author_id": "8"},
        {"content": "<p>of Mastodon</p>", "spoiler_text": "", "account": {"id": "9", "acct": "bob"}},
        {"uri": "at://x/1", "author": {"did": "did:plc:1"}, "record": {"text": "of Bluesky"}},
        {"text": "to one reader", "visibility": "specified", "replyId": None, "user": {"id": "9s"}},
        "a string",
        {"image": "none"},
        [1],
    ]
    path = written(tmp_path / "posts.jsonl", "".join(json.dumps(record) + "\n\n" for record in records))
    posts, bad = read(path)
    assert [author for author, _ in posts] == ["7", "8", "9", "did:plc:1", "9s", ""]
    assert [text for _, text in posts] == ["of X", "of its API", "of Mastodon", "of Bluesky", "", "a string"]
    assert [line["line"] for line in bad] == [13, 15]


def test_a_json_document_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a.json", '{"tweets": [{"text": "a"}, {"text": "b"}]}'))[0] == [("", "a"), ("", "b")]
    with pytest.raises(PreparationError, match="cut off or damaged after item 1"):
        read(written(tmp_path / "b.json", '[{"text": "a"}, {"te'))
    with pytest.raises(PreparationError, match="no list of posts"):
        read(written(tmp_path / "c.json", "{}"))


@pytest.mark.parametrize(
    ("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress), (".zst", zstd.compress)]
)
def test_lines_packed_in_any_way_whatever_the_chunks(
    tmp_path: Path, ending: str, pack: type[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_reading, "CHUNK", 7)
    texts = ["one é", "two 🐦 two", "three", "x" * 30]
    (tmp_path / f"posts.txt{ending}").write_bytes(pack("\r\n\n".join(texts).encode()))
    assert [text for _, text in read(tmp_path / f"posts.txt{ending}")[0]] == texts


@pytest.mark.parametrize(
    ("encoding", "option"),
    [("utf-8-sig", "utf-8"), ("utf-16", "utf-8"), ("utf-16-le", "utf-16-le"), ("cp1252", "cp1252")],
)
def test_an_encoding_by_its_mark_or_by_name(tmp_path: Path, encoding: str, option: str) -> None:
    path = written(tmp_path / "posts.txt", "café\nnaïve\n", encoding=encoding)
    assert read(path, Recipe(encoding=option), Format.LINES)[0] == [("", "café"), ("", "naïve")]


def test_a_file_that_is_no_text_in_its_encoding_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "posts.txt", "hello there my friends\n")
    with pytest.raises(PreparationError, match=r"posts.txt: This isn't text in utf-16. Name its encoding"):
        read(path, Recipe(encoding="utf-16"), Format.LINES)
    path = written(tmp_path / "posts.json", '[{"text": "café"}]', encoding="cp1252")
    with pytest.raises(PreparationError, match=r"posts.json: This isn't text in utf-8. Name its encoding"):
        read(path)
    assert read(path, Recipe(encoding="cp1252"))[0] == [("", "café")]


def test_a_line_in_another_encoding_is_counted_and_no_other_is_lost(tmp_path: Path) -> None:
    (tmp_path / "posts.txt").write_bytes("good é\n".encode() + "bad é\n".encode("cp1252") + b"good too\n")
    posts, bad = read(tmp_path / "posts.txt")
    assert [text for _, text in posts] == ["good é", "good too"]
    assert [(line["line"], line["text"]) for line in bad] == [(2, "bad é")]


def test_a_damaged_file_says_where(tmp_path: Path) -> None:
    (tmp_path / "posts.txt.gz").write_bytes(gzip.compress(b"a post\n" * 50)[:-9])
    with pytest.raises(PreparationError, match=r"posts\.txt\.gz is incomplete or damaged after \d+ unpacked bytes"):
        read(tmp_path / "posts.txt.gz")


def test_an_x_archive_is_read_with_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(archive_2022(["a post", "another"]))
    posts, bad = read(path)
    assert sorted(text for _, text in posts) == ["a post", "another"] and not bad
    assert len({author for author, _ in posts}) == 1


def test_parquet_and_what_is_wrong_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns: dict[str, Any] = {
        "id": core.Array([1, 2, 3], type=core.DataType.int64()),
        "text": core.Array(["a", None, "é\n🐦"], type=core.DataType.utf8()),
        "Author ID": core.Array([7, 8, None], type=core.DataType.int64()),
    }
    path = tmp_path / "posts.parquet"
    write_parquet(core.Table.from_pydict(columns), path)
    assert read(path)[0] == [("7", "a"), ("8", ""), ("", "é\n🐦")]
    with pytest.raises(PreparationError, match=r"Which column of .*Those of texts are: text"):
        read(path, Recipe(text_column="id"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PreparationError, match="no Parquet file, or damaged"):
        read(path)
    monkeypatch.setitem(sys.modules, "arro3.io", None)
    with pytest.raises(PreparationError, match="--extra parquet"):
        read(path)
