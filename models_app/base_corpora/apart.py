"""A preparation in a process of its own: `python -m models_app.base_corpora.apart`, without Django.

A worker of Celery may not start the processes that share the work, this one may. It reads its task as a line of JSON,
and answers with lines of JSON: how far it is, and at last that it's done or what is wrong. It ends when its input does,
so also when its worker is killed.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from tweets.cleaning import CleaningRules
from tweets.preparation import Format, Packing, PreparationError, Progress, Recipe, prepare

#: Seconds between progress reports, and between two looks at whether to go on.
PAUSE: Final = 0.5
_ROOT: Final = Path(__file__).resolve().parents[2]


def prepare_apart(
    inputs: Sequence[Path],
    out: Path,
    recipe: Recipe,
    *,
    kind: Format | None,
    nice: int,
    on_progress: Callable[[Progress], None],
    check: Callable[[], None],
) -> None:
    """Do as `prepare` in another process, whose priority `nice` lowers. `check` may raise an error to end it.

    Raises PreparationError and OSError as `prepare` does.
    """
    task = {
        "inputs": [str(path) for path in inputs],
        "out": str(out),
        "recipe": recipe.as_dict(),
        "kind": kind,
        "nice": nice,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
        _follow(lines, on_progress, check)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def _pass_on(source: IO[str], lines: queue.SimpleQueue[str]) -> None:
    """Put each line into the queue, and an empty one at the end."""
    for line in source:
        lines.put(line)
    lines.put("")


def _follow(lines: queue.SimpleQueue[str], on_progress: Callable[[Progress], None], check: Callable[[], None]) -> None:
    while True:
        check()
        try:
            line = lines.get(timeout=PAUSE)
        except queue.Empty:
            continue
        if not line:
            raise PreparationError(
                "The process of the preparation was killed, probably because the memory was full. Free some memory, "
                "and try it again."
            )
        said = json.loads(line)
        if "progress" in said:
            on_progress(Progress(**said["progress"]))
        elif "error" in said:
            raise PreparationError(said["error"])
        elif "errno" in said:
            raise OSError(said["errno"], said["strerror"])
        else:
            return


def recipe_of(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of `Recipe.as_dict`."""
    first, second, third = values["shares"]
    lists = {"languages": tuple(values["languages"]), "shares": (first, second, third)}
    read = {"rules": CleaningRules.from_dict(values["rules"]), "packing": Packing(values["packing"])}
    return Recipe(**{**values, **lists, **read})


def main() -> None:
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    os.nice(task["nice"])
    told = time.monotonic()

    def on_progress(progress: Progress) -> None:
        nonlocal told
        if time.monotonic() - told >= PAUSE:
            told = time.monotonic()
            about = {"phase": progress.phase, "fraction": progress.fraction, "posts": progress.posts}
            _say(progress=about)

    try:
        prepare(
            [Path(path) for path in task["inputs"]],
            Path(task["out"]),
            recipe_of(task["recipe"]),
            kind=Format(task["kind"]) if task["kind"] else None,
            on_progress=on_progress,
        )
    except PreparationError as error:
        # There is one sentence, and no other language, in this process.
        _say(error=error.args[0])
    except OSError as error:
        if error.errno is None:
            raise
        _say(errno=error.errno, strerror=error.strerror)
    else:
        _say(done=True)


def _say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
