"""Damaged files, the first of those that `python -m benchmarks.fuzz_files` makes. FUZZ_FILES sets how many."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

from benchmarks import damaged_files
from benchmarks.damaged_files import SOUND, WAYS, Damaged, damaged_file
from benchmarks.fuzz_files import outcome_of

FILES = int(os.environ.get("FUZZ_FILES", "400"))


def test_the_files_are_right_before_they_are_damaged(tmp_path: Path) -> None:
    undamaged = [Damaged("none", sound.name, sound.data, whole=sound) for sound in SOUND]
    assert {outcome_of(each, tmp_path) for each in undamaged} == {"posts"}


def test_every_damaged_file_gives_right_posts_or_a_sentence(tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(FILES):
        file = damaged_file(number, seed=1)
        try:
            outcomes[outcome_of(file, tmp_path)] += 1
        except Exception as error:
            error.add_note(f"python -m benchmarks.fuzz_files --only {number}: {file.kind}, {file.name}")
            raise
    # If all or none were refused, the files would test nothing.
    assert outcomes["posts"] > FILES * 0.15 and outcomes["bad_file"] > FILES * 0.15


def test_each_way_of_damaging_makes_the_same_file_again() -> None:
    ways = [way for way, _ in WAYS if way is not damaged_files.bomb]  # these are large
    assert len(ways) > 5
    for way in ways:
        assert way(SOUND[0], random.Random(3)).data == way(SOUND[0], random.Random(3)).data
