from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import common, other_tree

IN_A_FRESH_PROCESS = """
import sys
from pathlib import Path
import models_app
from benchmarks import common, other_tree
run = other_tree.contender(Path(sys.argv[1]), "common", "timed", list, 1.0)
import models_app as theirs
assert run() > 0 and theirs is not models_app
print(theirs.__file__, common.__file__)
"""


def test_a_contender_of_another_tree_uses_its_packages_and_these_benchmarks(tmp_path: Path) -> None:
    (tmp_path / "models_app" / "ml").mkdir(parents=True)
    (tmp_path / "models_app" / "__init__.py").touch()
    command = [sys.executable, "-c", IN_A_FRESH_PROCESS, str(tmp_path)]
    done = subprocess.run(command, cwd=common.ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "models_app" / "__init__.py"), common.__file__]


def test_a_folder_that_is_no_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="isn't a source tree"):
        other_tree.contender(tmp_path, "common", "timed")
