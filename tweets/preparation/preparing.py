"""Prepare a corpus: read, clean and sort the posts into buckets, find near duplicates, and write the parts.

Memory doesn't grow with the input, apart from 30 bytes for each pair of posts that are nearly the same. The folder
needs about as much free space as the unpacked posts, and 70 bytes more for each.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tweets.cleaning.rules import Drop, Duplicates
from tweets.preparation import near as nearness
from tweets.preparation.batch import Batch
from tweets.preparation.crew import Crew, rare_collections, usual_processes
from tweets.preparation.errors import PreparationError
from tweets.preparation.finishing import PARTS, finish, packed
from tweets.preparation.judging import Judged, judge_of
from tweets.preparation.reading.bad_lines import BadLines
from tweets.preparation.reading.inputs import Format, batches, format_of
from tweets.preparation.recipe import Recipe
from tweets.preparation.report import NEAR, InputReport, Report
from tweets.preparation.spool import Bucket, Spool

REPORT: Final = "report.json"
BAD_LINES: Final = "bad-lines.jsonl"
_WORK: Final = ".preparing-"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. `phase`: "reading", "comparing" or "writing"; `fraction` is that of the phase, 0 to 1."""

    phase: str
    fraction: float
    posts: int


def prepare(
    inputs: Sequence[Path],
    out: Path,
    recipe: Recipe,
    *,
    kind: Format | None = None,
    processes: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Write the corpus that these files make into the folder `out`, and return the report, which is there, too.

    `kind` is the format of all inputs; None to tell it by their names and content. Everything is first written into a
    folder inside of `out`, so an error leaves no half of a corpus. `on_progress` may raise an error to end it.

    The files of the corpus depend on the posts, the authors and the recipe; not on the order of the inputs, the number
    of processes or the machine. Raises PreparationError, and OSError if the disk is full.
    """
    missing = [str(path) for path in inputs if not path.is_file()]
    if missing:
        raise PreparationError(f"There is no file {', '.join(missing)}.")
    names = [f"{part}.txt{recipe.packing.ending}" for part in PARTS]
    there = [name for name in (*names, REPORT) if (out / name).exists()]
    if there:
        raise PreparationError(f"{out} already has {', '.join(there)}. Choose another folder, or delete them.")
    out.mkdir(parents=True, exist_ok=True)
    with rare_collections(), _work_folder(out) as work:
        with Crew(usual_processes() if processes is None else processes) as crew:
            report = _Preparation(work, recipe, crew, on_progress).run(inputs, kind, names)
        (work / REPORT).write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
        # The report last: where it is, the corpus is complete.
        for name in (*names, BAD_LINES, REPORT):
            if (work / name).exists():
                (work / name).replace(out / name)
    return report


@contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    """Make a folder to work in, delete those that killed preparations left, and delete it at the end.

    Whoever works holds a lock on `out`, which ends with the process, however it ends.
    """
    lock = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise PreparationError(f"Another process is preparing a corpus in {out}. Choose another folder.") from None
    try:
        for left in out.glob(f"{_WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=out))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(lock)


@dataclass(slots=True)
class _Preparation:
    work: Path
    recipe: Recipe
    crew: Crew
    on_progress: Callable[[Progress], None]
    report: Report = field(init=False)

    def run(self, inputs: Sequence[Path], kind: Format | None, names: Sequence[str]) -> Report:
        self.report = Report(self.recipe)
        is_near = self.recipe.rules.duplicates is Duplicates.NEAR
        with Spool(self.work / "posts", near=is_near) as spool:
            self._read(inputs, kind, spool)
        buckets = list(spool.buckets())
        near = self._near(buckets) if is_near else None
        self._write(buckets, near, names)
        return self.report

    def _read(self, inputs: Sequence[Path], kind: Format | None, spool: Spool) -> None:
        report = self.report
        with BadLines(self.work / BAD_LINES, self.recipe.bad_lines) as bad:
            tasks = self._tasks(inputs, kind, bad)
            for judged in self.crew.map(_judge, tasks):
                spool.add(judged.records, judged.texts)
                report.dropped.update(judged.dropped)
                report.masked.update(judged.masked)
            report.examples = bad.examples

    def _tasks(self, inputs: Sequence[Path], kind: Format | None, bad: BadLines) -> Iterator[tuple[Batch, Recipe]]:
        whole = max(1, sum(path.stat().st_size for path in inputs))
        read = 0

        def meter(size: int) -> None:
            nonlocal read
            read += size
            self.on_progress(Progress("reading", min(1.0, read / whole), self.report.found))

        for path in inputs:
            about = InputReport(str(path), str(kind or format_of(path)))
            self.report.inputs.append(about)
            before = bad.count
            for batch in batches(path, Format(about.format), self.recipe, bad, meter):
                about.posts += batch.count
                self.report.found += batch.count
                about.bad_lines = bad.count - before
                if batch.count:
                    yield batch, self.recipe
            about.bad_lines = bad.count - before

    def _near(self, buckets: Sequence[Bucket]) -> Path:
        folder = self.work / "near"
        bands = nearness.Bands(folder, self.report.found)
        steps = 2 * len(buckets) + 2 * len(bands.paths)
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            self.on_progress(Progress("comparing", min(1.0, done / steps), self.report.found))

        for found in self.crew.map(nearness.bands_in, ((bucket,) for bucket in buckets)):
            bands.add(found)
            step()
        pairs = np.empty((0, 2), np.uint64)
        for some in self.crew.map(nearness.candidates, ((path,) for path in bands.paths)):
            pairs = np.concatenate([pairs, some])
            step()
        pairs = np.unique(pairs, axis=0)
        dropped = np.empty(0, np.uint64)
        if len(pairs):
            wanted = np.unique(pairs)
            tasks = ((bucket, wanted) for bucket in buckets)
            letters = nearness.Letters.written(folder, self.crew.map(nearness.letters_in, tasks), step)
            portions = (pairs[at : at + nearness.PORTION] for at in range(0, len(pairs), nearness.PORTION))
            alike = list(self.crew.map(nearness.similar, ((portion, letters) for portion in portions)))
            dropped = nearness.to_drop(np.concatenate(alike))
        path = folder / "dropped.npy"
        np.save(path, dropped)
        return path

    def _write(self, buckets: Sequence[Bucket], near: Path | None, names: Sequence[str]) -> None:
        report = self.report
        with ExitStack() as stack:
            files = [stack.enter_context((self.work / name).open("wb")) for name in names]
            digests = [hashlib.sha256() for _ in names]
            tasks = ((bucket, self.recipe, near) for bucket in buckets)
            for done, finished in enumerate(self.crew.map(finish, tasks), 1):
                for part, file, digest, content, size in zip(
                    PARTS, files, digests, finished.contents, finished.sizes, strict=True
                ):
                    file.write(content)
                    digest.update(content)
                    report.parts[part] += size
                report.dropped[str(Drop.DUPLICATE)] += finished.duplicates
                report.dropped[NEAR] += finished.near
                self.on_progress(Progress("writing", done / len(buckets), report.kept))
            for file, digest in zip(files, digests, strict=True):
                if not file.tell():
                    file.write(nothing := packed(b"", self.recipe.packing))
                    digest.update(nothing)
        for part, name, digest in zip(PARTS, names, digests, strict=True):
            report.files[part] = {"file": name, "sha256": digest.hexdigest()}


def _judge(batch: Batch, recipe: Recipe) -> Judged:
    return judge_of(recipe).judge(batch)
