"""The engine of a writer: runs many requests on a few threads, in short slices.

- Requests of one model share a pass over its weights. Each writes exactly what it would write alone.
- A request that is young, because it has used little computing time so far, goes first, in order of arrival. Older ones
  share what is left in turns, but get every fourth slice at least. So a long request doesn't hold up a short one.

Knows neither Django nor the broker. A tier of models only has to provide a `Model`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.sampler import Drawing, Step, Stepped
from models_app.writing.pace import Pace

logger = logging.getLogger(__name__)

#: Seconds that a thread works for one request before it looks who is next.
SLICE: Final = 0.02
#: A request is young until it has used this many seconds.
YOUNG: Final = 0.3
#: Every slice of this number is for requests that aren't young, if there are any.
TURN_OF_OLD: Final = 4
#: Rows in a pass that several requests share; a larger request has its passes alone.
MAX_ROWS: Final = 32


class Model(Protocol):
    """What takes steps: a model, or a base with the adapters of several. Requests with the same one share passes."""

    def steps(self, steps: Sequence[Step]) -> list[Stepped]:
        """Return the result of each step, as exact as if it were taken alone. Several threads may call this at once."""
        ...


class Stopped(Exception):
    """Nobody wants the posts any more."""


#: Gets what was written, or why nothing was.
Done = Callable[[Writing | BaseException], None]


class Work:
    """A request in the engine.

    kind: of the model, one of those that the engine has a pace for; weight: what it's expected to cost, in any unit
    (see Engine.rates).
    """

    def __init__(self, model: Model, drawing: Drawing, *, kind: str, weight: float, done: Done) -> None:
        self.model, self.drawing, self.kind, self.weight, self.done = model, drawing, kind, weight, done
        self.seconds = 0.0
        self.rows_stepped = 0
        self.turn = 0
        self.step: Step | None = None
        self.is_running = False
        self.is_stopped = False

    def stop(self) -> None:
        """End it soon; `done` gets Stopped."""
        self.is_stopped = True

    @property
    def rows(self) -> int:
        return 1 if self.step is None else len(self.step.symbols)


class Engine:
    """Runs requests on `threads` threads.

    Threads pay off for models with large products. Those of small models are so short that threads mostly wait for each
    other's turn in Python: there, use more processes.
    """

    def __init__(self, threads: int, *, rates: Mapping[str, float]) -> None:
        """Start the threads. `rates`: for each kind, a guess at the weight that one does in a second."""
        self._changed = threading.Condition()
        self._works: list[Work] = []
        self._turns = 0
        self._is_closed = False
        self._count = threads
        self._paces = {kind: Pace(rate) for kind, rate in rates.items()}
        self._threads = [
            threading.Thread(target=self._serve, name=f"engine {number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Work) -> None:
        with self._changed:
            self._works.append(work)
            self._changed.notify()

    def close(self) -> None:
        """Stop all requests and return when the threads have ended."""
        with self._changed:
            self._is_closed = True
            for work in self._works:
                work.stop()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def rates(self) -> dict[str, float]:
        """Return for each kind how much weight all threads together do in a second, as measured."""
        with self._changed:
            return {kind: pace.rate * self._count for kind, pace in self._paces.items()}

    def _serve(self) -> None:
        while True:
            with self._changed:
                works = self._next()
                while not works:
                    if self._is_closed:
                        return
                    self._changed.wait()
                    works = self._next()
            before = [(work, work.seconds, work.rows_stepped) for work in works]
            ended = self._run(works)
            with self._changed:
                for work, seconds, rows in before:
                    work.is_running = False
                    self._paces[work.kind].stepped(work.rows_stepped - rows, work.seconds - seconds)
                for work, outcome in ended:
                    self._works.remove(work)
                    # This thread knows the request until it gets another, and its state may be large.
                    work.step = None
                    if isinstance(outcome, Writing):
                        self._paces[work.kind].ended(work.rows_stepped, work.weight)
                self._changed.notify()
            for work, outcome in ended:
                self._end(work, outcome)

    def _next(self) -> list[Work]:
        """Return the requests of the next slice: the one whose turn it is, then others of its model."""
        waiting = [work for work in self._works if not work.is_running]
        if not waiting:
            return []
        self._turns += 1
        young = [work for work in waiting if work.seconds < YOUNG]
        old = [work for work in waiting if work.seconds >= YOUNG]
        if old and (not young or self._turns % TURN_OF_OLD == 0):
            first = min(old, key=lambda work: work.turn)
        else:
            first = young[0]
        works, rows = [first], first.rows
        for work in (*young, *old):
            if work is not first and work.model is first.model and rows + work.rows <= MAX_ROWS:
                works.append(work)
                rows += work.rows
        for work in works:
            work.turn, work.is_running = self._turns, True
        return works

    def _run(self, works: list[Work]) -> list[tuple[Work, Writing | BaseException]]:
        """Work for a slice, and return those that have ended."""
        ended: list[tuple[Work, Writing | BaseException]] = []
        running = list(works)
        begun = now = time.perf_counter()
        while running and now - begun < SLICE:
            going_on = []
            for work, result in zip(running, self._results(running), strict=True):
                work.rows_stepped += work.rows if work.step is not None else 0
                outcome = _advance(work, result)
                if outcome is None:
                    going_on.append(work)
                else:
                    ended.append((work, outcome))
            passed, now = now, time.perf_counter()
            rows = sum(work.rows for work in running)
            for work in running:
                work.seconds += (now - passed) * work.rows / rows
            running = going_on
        return ended

    @staticmethod
    def _results(works: list[Work]) -> list[Stepped | Exception | None]:
        """Return the result of each request's step, None for one that hasn't begun."""
        steps = [(work, work.step) for work in works if work.step is not None and not work.is_stopped]
        found: dict[Work, Stepped | Exception] = {}
        if steps:
            try:
                results = steps[0][0].model.steps([step for _, step in steps])
                found = {work: result for (work, _), result in zip(steps, results, strict=True)}
            except Exception as error:
                # There may be room for each of them alone.
                found = {work: error if len(steps) == 1 else _alone(work, step) for work, step in steps}
        return [found.get(work) for work in works]

    @staticmethod
    def _end(work: Work, outcome: Writing | BaseException) -> None:
        try:
            work.done(outcome)
        except Exception:
            logger.exception("the end of a request couldn't be reported")


def _alone(work: Work, step: Step) -> Stepped | Exception:
    try:
        return work.model.steps([step])[0]
    except Exception as error:
        return error


def _advance(work: Work, result: Stepped | Exception | None) -> Writing | BaseException | None:
    """Take the request to its next step; return what became of it where it has ended."""
    try:
        if work.is_stopped:
            work.drawing.close()
            return Stopped()
        if isinstance(result, Exception):
            work.drawing.close()
            return result
        work.step = next(work.drawing) if result is None else work.drawing.send(result)
    except StopIteration as end:
        writing: Writing = end.value
        return writing
    except Exception as error:
        return error
    return None
