"""Preparing a corpus of millions of posts: `prepare_corpus` against a pipeline of cut, sed and shuf.

    python -m benchmarks.corpus --posts 5000000 --rounds 2 --json

The table is tab-separated, as Python's csv module writes it: a post with a tab, a quote or a line break is in quotes.
The posts are those of BOTFACTORY_DATA, else made-up ones. Beyond their number, each is the beginning of one and the end
of another. A fifth has something to unescape, and some are repeated, nearly repeated, or have several lines. The same
seed gives the same table. The last line of the output is JSON.
"""

from __future__ import annotations

import csv
import html
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from models_app.ml.training.dataset import stream_posts

from .common import ROOT, Contender, Rates, Spread, json_line, machine, parser, ratio, say, spread, table
from .posts import made_posts

MADE: Final = 50_000
AUTHORS: Final = 20_000
REPEATED, NEAR, LINES, TABS, QUOTED = 0.03, 0.02, 0.05, 0.01, 0.02
#: Like the first part of the tutorial: the column, entities, spaces, empty lines, the order, 80/10/10.
SHELL: Final = r"""
set -o pipefail  # up to the file of all posts
tail -n +2 "$IN" | cut -f4 \
  | sed -e 's/&lt;/</g; s/&gt;/>/g; s/&quot;/"/g; s/&#39;/'"'"'/g; s/&amp;/\&/g' \
        -e 's/^[ \t]*//; s/[ \t]*$//; s/  */ /g; /^$/d' \
  $UNIQUE | shuf --random-source="$IN" > "$OUT/all.txt"
set +o pipefail; all=$(wc -l < "$OUT/all.txt"); tenth=$((all / 10))
head -n $((all - 2 * tenth)) "$OUT/all.txt" > "$OUT/train.txt"
tail -n $((2 * tenth)) "$OUT/all.txt" | head -n $tenth > "$OUT/validation.txt"
tail -n $tenth "$OUT/all.txt" > "$OUT/test.txt"
rm "$OUT/all.txt"
"""
#: What the pipeline does, and no more. It still is right about tabs, quotes and lines.
LIKE_THE_SHELL: Final = ("links=keep", "duplicates=same", "mask_personal=false", "drop_auto=false", "drop_cut=false")


@dataclass(slots=True)
class Facts:
    """What is in a table. `wrong`: posts that cut can't read right, because they are in quotes."""

    posts: int = 0
    bytes: int = 0
    quoted: int = 0
    lines_of_them: int = 0
    escaped: int = 0


@dataclass(slots=True)
class Costs:
    """What a contender's processes needed together, in each run.

    - `megabytes`: the most memory, sampled four times a second
    - `processor`: seconds of all cores. Other load changes them less than the time on the clock
    """

    megabytes: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def of(self, command: list[str], environment: dict[str, str]) -> float:
        """Run the command and return the seconds that it took."""
        begun, before = time.perf_counter(), _processor_of_children()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        done = threading.Event()
        found = [0.0]

        def sample() -> None:
            while not done.wait(0.25):
                found[0] = max(found[0], _memory_of(process.pid))

        watcher = threading.Thread(target=sample)
        watcher.start()
        try:
            _, said = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
        finally:
            done.set()
            watcher.join()
        if process.returncode:
            raise SystemExit(said.decode("utf-8", "replace"))
        self.megabytes.append(found[0])
        self.processor.append(_processor_of_children() - before)
        return time.perf_counter() - begun


def _processor_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory_of(session: int) -> float:
    """Return the proportional memory of all processes of a session, in MB; 0 where there is no /proc."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(status.read_text().rpartition(")")[2].split()[3]) == session:
                rollup = (status.parent / "smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        except (OSError, ValueError, IndexError, StopIteration):
            continue
    return total * 1024 / 1e6


def posts_of(count: int, seed: int) -> Iterator[str]:
    """Yield that many posts, hardly any of them twice."""
    folder = Path(os.environ.get("BOTFACTORY_DATA", ROOT.parent / "shared" / "data")) / "corpus"
    pool: list[str] = []
    for post in stream_posts(sorted(folder.glob("train-*.txt.xz"))) if folder.is_dir() else made_posts(MADE, seed):
        yield post
        pool.append(post)
        if len(pool) >= count:
            return
    rng = random.Random(seed)
    words = [post.split(" ") for post in pool]
    for _ in range(count - len(pool)):
        one, other = rng.choice(words), rng.choice(words)
        yield " ".join([*one[: len(one) // 2 + 1], *other[len(other) // 2 :]])


def write_table(path: Path, count: int, seed: int) -> Facts:
    """Write a table with the columns id, user, created_at, text and lang."""
    facts = Facts(count)
    rng = random.Random(seed)
    chance, recent = rng.random, [""] * 1000
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["id", "user", "created_at", "text", "lang"])
        for number, post in enumerate(posts_of(count, seed)):
            kind = chance()
            if kind < REPEATED + NEAR:
                text = recent[int(chance() * len(recent))] or post
                text = text if kind < REPEATED else f"{text} {number}!!"
            else:
                text = _with_signs(post, chance)
                recent[number % len(recent)] = text
            written = html.escape(text, quote=False)
            facts.escaped += written != text
            if '"' in written or "\n" in written or "\t" in written:
                facts.quoted += 1
                facts.lines_of_them += written.count("\n") + 1
            writer.writerow([number, f"user{int(chance() * AUTHORS)}", "2015-06-01T12:00:00Z", written, "en"])
    facts.bytes = path.stat().st_size
    return facts


def _with_signs(post: str, chance: Any) -> str:
    kind = chance()
    middle = post.find(" ", len(post) // 2)
    if middle < 0 or kind > LINES + TABS + QUOTED:
        return post
    if kind < LINES:
        return post[:middle] + "\n" + post[middle + 1 :]
    if kind < LINES + TABS:
        return post[:middle] + "\t" + post[middle + 1 :]
    return post[:middle] + ' "' + post[middle + 1 :] + '"'


def shell(source: Path, folder: Path, costs: Costs, *, unique: str = "") -> Contender:
    """Return the contender that is the pipeline, in the locale in which its tools are fastest."""

    def run() -> float:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        script = SHELL.replace("$UNIQUE", unique)
        environment = {**os.environ, "IN": str(source), "OUT": str(folder), "LC_ALL": "C", "TMPDIR": str(folder)}
        return 1 / costs.of(["bash", "-ec", script], environment)

    return run


def ours(
    source: Path, folder: Path, costs: Costs, rules: tuple[str, ...] = (), processes: int | None = None
) -> Contender:
    """Return the contender that is the command."""
    command = [
        sys.executable,
        "manage.py",
        "prepare_corpus",
        str(source),
        "--out",
        str(folder),
        "--pack",
        "none",
        "--json",
    ]
    command += ["--processes", str(processes)] if processes else []
    for rule in rules:
        command += ["--set", rule]

    def run() -> float:
        shutil.rmtree(folder, ignore_errors=True)
        return 1 / costs.of(command, dict(os.environ))

    return run


def compared(source: Path, work: Path, rounds: int, processes: int | None) -> dict[str, Any]:
    """Return the times, ratios and peaks of all contenders on this table, and the report of ours."""
    names = ("ours", "ours_like_the_shell", "shell", "shell_without_repeats")
    costs = {name: Costs() for name in names}
    contenders = {
        "ours": ours(source, work / "ours", costs["ours"], processes=processes),
        "ours_like_the_shell": ours(
            source, work / "like", costs["ours_like_the_shell"], LIKE_THE_SHELL, processes=processes
        ),
        "shell": shell(source, work / "shell", costs["shell"]),
        "shell_without_repeats": shell(
            source, work / "unique", costs["shell_without_repeats"], unique="| awk '!seen[$0]++'"
        ),
    }
    rates: Rates = {name: [] for name in names}
    # Without a run to warm up: each is a process of its own, and the table was just written.
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            say(f"round {number + 1} of {rounds}: {name}")
            rates[name].append(contenders[name]())
    processor = {name: [1 / seconds for seconds in cost.processor] for name, cost in costs.items()}
    return {
        "ratio_shell": ratio(rates, "ours", "shell"),
        "ratio_shell_without_repeats": ratio(rates, "ours", "shell_without_repeats"),
        "ratio_like_the_shell": ratio(rates, "ours_like_the_shell", "shell_without_repeats"),
        "seconds": {name: spread([1 / rate for rate in some]) for name, some in rates.items()},
        "processor_ratio_shell_without_repeats": ratio(processor, "ours", "shell_without_repeats"),
        "processor_seconds": {name: spread(cost.processor) for name, cost in costs.items()},
        "peak_mb": {name: max(cost.megabytes) for name, cost in costs.items()},
        "report": json.loads((work / "ours" / "report.json").read_text(encoding="utf-8")),
    }


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__ or "")
    options.add_argument("--posts", type=int, default=5_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--processes", type=int, help="of prepare_corpus (default: one for each core)")
    options.add_argument("--folder", type=Path, help="for the table and the results (default: a temporary one)")
    given = options.parse_args(arguments)
    facts_of_machine = machine()
    with tempfile.TemporaryDirectory(prefix="corpus-", dir=given.folder) as folder:
        work = Path(folder)
        say("writing the table")
        facts = write_table(work / "posts.tsv", given.posts, given.seed)
        found = compared(work / "posts.tsv", work, given.rounds, given.processes)
    if not given.json:
        _print(facts, found)
    report = found.pop("report")
    counts = {"kept": report["kept"], "dropped": report["dropped"], "masked": report["masked"]}
    wrong = {"wrong_in_shell": facts.quoted, "stray_lines_in_shell": facts.lines_of_them - facts.quoted}
    size = {"posts": facts.posts, "megabytes": facts.bytes / 1e6}
    json_line({"benchmark": "corpus", **size, **found, **wrong, **counts, "machine": facts_of_machine})


def _print(facts: Facts, found: dict[str, Any]) -> None:
    seconds: dict[str, Spread] = found["seconds"]
    processor: dict[str, Spread] = found["processor_seconds"]
    rows = [
        (name, some.text(1), processor[name].text(1), f"{found['peak_mb'][name]:,.0f}")
        for name, some in seconds.items()
    ]
    table(["", "seconds", "seconds of all cores", "MB of memory"], rows)
    print(f"\n{facts.posts:,} posts, {facts.bytes / 1e6:,.0f} MB. The shell gets {facts.quoted:,} of them wrong.")


if __name__ == "__main__":
    main()
