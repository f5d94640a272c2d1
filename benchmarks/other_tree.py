"""A contender from another source tree, such as an earlier commit. The benchmark's own code is that of this tree."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from .common import Contender

#: What is imported anew: our packages, and the benchmarks that import from them.
_OURS: Final = ("models_app", "tweets", "botfactory", "benchmarks")
#: These import nothing of ours. The second keeps the contender between its turns.
_SHARED: Final = ("benchmarks", "benchmarks.common", __name__)


def contender(tree: Path, module: str, make: str, *arguments: Any) -> Contender:
    """Return what `make` of benchmarks.MODULE returns with the packages of that tree. Call it in a fresh process.

    Raises SystemExit if the tree has none.
    """
    if not (tree / "models_app" / "ml").is_dir():
        raise SystemExit(f"{tree} isn't a source tree of Bot Factory.")
    # A spawned process imports the main module first, and with it the packages of this tree.
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS and name not in _SHARED]:
        del sys.modules[name]
    sys.path.insert(0, str(tree.resolve()))
    made: Contender = getattr(import_module(f"benchmarks.{module}"), make)(*arguments)
    return made
