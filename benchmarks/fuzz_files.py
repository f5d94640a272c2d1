"""Read files that are damaged in every way we could think of. Each must give correct posts or a clear error.

    python -m benchmarks.fuzz_files --files 10000 --json

A seeded generator makes each file from an intact one, so a number identifies it: `--only 4711` makes and reads that one
again, and `--keep FOLDER` also writes it there. A cut archive or JSON must not pass for a whole one, a re-encoded file
must give the same posts, and a resumed import the same rest. No file may take more than 20 seconds.
"""

from __future__ import annotations

import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, timedelta
from pathlib import Path
from types import FrameType

from benchmarks.common import json_line, parser, say, table
from benchmarks.damaged_files import Damaged, damaged_file
from tweets.sources import Page, SourceError, SourceSettings, detect_kind, open_source
from tweets.sources.base import storable

#: Limits far below those of the product, so that files above them are quickly made.
LIMITS = SourceSettings(page_size=11, max_file_bytes=3_000_000, max_archive_bytes=4_000_000)
SECONDS = 20


def outcome_of(file: Damaged, folder: Path) -> str:
    """ "posts" or the code of the error. Raises an exception if the file isn't handled correctly."""
    # As the product stores uploads: only the ending of the name matters.
    path = folder / ("upload" + "".join(Path(file.name).suffixes)[-20:])
    path.write_bytes(file.data)
    source = open_source(detect_kind(file.name, file.data[:64]), path=path, settings=LIMITS)
    pages: list[Page] = []
    try:
        for page in source.pages():
            pages.append(page)
    except SourceError as error:
        text = str(error)
        assert text[:1].isupper() or text[:1].isdigit() or ".js " in text[:40], f"no sentence: {text}"
        assert text.endswith(".") and storable(text) == text and len(text) < 1200, f"no sentence: {text}"
        assert file.texts is None, f"a file that is only written in another way: {text}"
        return error.code
    posts = [post for page in pages for post in page.posts]
    assert posts and pages[-1].cursor is None and all(page.cursor for page in pages[:-1])
    # Two files of one archive can contain the same post; the database stores it once.
    assert len({post.key for post in posts}) == len({(post.key, post.text) for post in posts})
    assert len({post.key for post in posts}) == len(posts) or file.name.endswith(".zip")
    for post in posts:
        assert 0 < len(post.key) <= 64 and storable(post.key) == post.key
        assert storable(post.text) == post.text and len(post.text) <= 4_000_000
        assert post.created_at is None or (post.created_at.tzinfo is UTC or post.created_at.utcoffset() == timedelta(0))
    texts = [post.text for post in posts]
    if file.texts is not None:
        assert texts == file.texts
    if file.whole is not None:
        # Text files can't show that lines are missing, so only the rest has to be right. Other formats mark their end.
        assert file.name.endswith((".txt", ".csv", ".jsonl")) or texts == file.whole.texts, "half of it as a whole"
        assert texts[:-1] == [text.strip() for text in file.whole.texts][: len(texts) - 1]
    if len(pages) > 1:
        middle = pages[len(pages) // 2 - 1]
        rest = [post for page in source.pages(middle.cursor) for post in page.posts]
        assert rest == posts[-len(rest) :] and len(rest) == sum(len(page.posts) for page in pages[len(pages) // 2 :])
    return "posts"


class TooSlow(Exception):
    """A file took longer than allowed."""


def _alarm(number: int, frame: FrameType | None) -> None:
    raise TooSlow


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--files", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", type=int, help="the number of one file")
    options.add_argument("--keep", type=Path, help="a folder to write the file to that --only names")
    chosen = options.parse_args()
    signal.signal(signal.SIGALRM, _alarm)
    numbers = range(chosen.files) if chosen.only is None else [chosen.only]
    outcomes: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    slowest = (0.0, 0)
    with tempfile.TemporaryDirectory(prefix="botfactory-fuzz-") as folder:
        for number in numbers:
            file = damaged_file(number, chosen.seed)
            if chosen.keep:
                chosen.keep.mkdir(parents=True, exist_ok=True)
                (chosen.keep / f"{number}-{Path(file.name).name}").write_bytes(file.data)
            began = time.perf_counter()
            signal.alarm(SECONDS)
            try:
                outcome = outcome_of(file, Path(folder))
            except (Exception, MemoryError, RecursionError) as error:
                outcome = "WRONG"
                wrong.append(f"{number} ({file.kind}, {file.name}): {type(error).__name__}: {str(error)[:300]}")
                say(wrong[-1])
            finally:
                signal.alarm(0)
            slowest = max(slowest, (time.perf_counter() - began, number))
            outcomes.setdefault(file.kind, Counter())[outcome] += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    figures = {
        "benchmark": "fuzz_files",
        "files": len(numbers),
        "wrong": len(wrong),
        "slowest_seconds": slowest[0],
        "slowest_file": slowest[1],
        "peak_mb": peak,
        "outcomes": {kind: dict(sorted(counts.items())) for kind, counts in sorted(outcomes.items())},
    }
    codes = sorted({code for counts in outcomes.values() for code in counts})
    table(
        ["damage", "files", *codes], [[k, c.total(), *(c[code] for code in codes)] for k, c in sorted(outcomes.items())]
    )
    if chosen.json:
        json_line(figures)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
