"""How far to move a fine-tune back toward the base model: rules that choose by validation, measured on newer posts.

    python -m benchmarks.shares ../shared/data/personas/*.jsonl.gz --out shares.jsonl --json

Our default learns each persona. Then the weights on the line from the base model (share 0) to the best epoch (share 1)
are measured in steps of 10 %, on the validation posts and on the newest. A rule sees only the validation posts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.evaluation.evaluation import Evaluation, evaluate

from . import common
from .common import say
from .contenders import Ours
from .fine_tune import large_enough, learned, persona_parser
from .personas import Persona
from .results import Outcome, Results

STEPS: Final = 10
PARTS: Final = 10  # parts of the validation posts, for the standard error of a difference
NEAR: Final = 1.005  # "within 0.5 %"


@dataclass(frozen=True, slots=True)
class Line:
    """Bits per character at the shares 0, 0.1, ... 1: on validation, on each of its parts, and on the newest posts."""

    validation: Sequence[float]
    parts: Sequence[Sequence[float]]
    newest: Sequence[float]


Rule = Callable[[Line], int]


def whole_way(line: Line) -> int:
    """Return the share of the best epoch, in tenths like all rules."""
    return STEPS


def steps_of_a_fifth(line: Line) -> int:
    """Return the product's choice: back in steps of a fifth, down to 0.4, while each is better than the one before."""
    share = STEPS
    while share > 4 and line.validation[share - 2] < line.validation[share]:
        share -= 2
    return share


def best_tenth(line: Line) -> int:
    """Return the share that is best on validation."""
    return int(np.argmin(line.validation))


def within_an_error(line: Line) -> int:
    """Return the lowest share within one standard error of the best, by the paired differences of the parts."""
    parts, best = np.array(line.parts), best_tenth(line)
    differences = parts - parts[:, [best]]
    errors = differences.std(axis=0, ddof=1) / len(parts) ** 0.5
    return int(np.argmax(differences.mean(axis=0) <= errors))


def within_half_a_per_cent(line: Line) -> int:
    """Return the lowest share within 0.5 % of the best."""
    return int(np.argmax(np.array(line.validation) <= NEAR * min(line.validation)))


def newest_known(line: Line) -> int:
    """Return the share that is best on the newest posts. A training can't see them, so this is only a bound."""
    return int(np.argmin(line.newest))


RULES: Final[dict[str, Rule]] = {
    "all of the way": whole_way,
    "steps of 20 % until one is no better, as the product goes": steps_of_a_fifth,
    "the best of steps of 10 %": best_tenth,
    "the least within one standard error of the best": within_an_error,
    "the least within 0.5 % of the best": within_half_a_per_cent,
    "chosen on the newest posts themselves": newest_known,
}


class AlongTheLine:
    """Our default, with the results of all shares on the way to its best epoch (`Line`, in the outcome's `more`)."""

    def __init__(self, base: Checkpoint, epochs: int = 0) -> None:
        self._base, self._ours = base, Ours(base, epochs)

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return self._ours.depends_on(persona, seed) | {"steps": STEPS, "parts": PARTS}

    def run(self, persona: Persona, seed: int) -> Outcome:
        begun = time.perf_counter()
        result = self._ours.learned(persona, seed)
        seconds = time.perf_counter() - begun
        base, network = self._base.weights, self._base.network
        # How far the trainer's result is on the way from the base model to the best epoch.
        ways = {name: (result.weights[name] - base[name]) / np.float32(result.interpolation) for name in base}
        parts: list[list[float]] = [[] for _ in range(min(PARTS, len(persona.validation)))]
        validation, newest = [], []
        for step in range(STEPS + 1):
            weights = {name: base[name] + np.float32(step / STEPS) * way for name, way in ways.items()}
            checkpoint = Checkpoint(network, weights, {}, "")
            found = [evaluate(checkpoint, persona.validation[number :: len(parts)]) for number in range(len(parts))]
            for part, one in zip(parts, found, strict=True):
                part.append(one.bits_per_character)
            validation.append(of_all(found))
            newest.append(evaluate(checkpoint, persona.test).bits_per_character)
            say(f"  {step / STEPS:.0%}: {validation[-1]:.3f}, newest {newest[-1]:.3f} bits")
        line = {"validation": validation, "parts": parts, "newest": newest}
        return Outcome(newest[-1], validation[-1], seconds, len(result.history), line)


def of_all(parts: Sequence[Evaluation]) -> float:
    """Return bits per character of all posts of the parts."""
    weights = [part.characters + part.posts for part in parts]
    return float(np.average([part.bits_per_character for part in parts], weights=weights))


def main(arguments: Sequence[str] | None = None) -> None:
    options = persona_parser(__doc__ or "").parse_args(arguments)
    facts = common.machine()
    base = load(options.base)
    results, contender = Results(options.out), {"line": AlongTheLine(base, options.epochs)}
    lines: dict[str, Line] = {}
    for persona in large_enough(options):
        (outcome,) = learned(persona, contender, results, repeat=1).outcomes["line"]
        lines[persona.name] = Line(**outcome.more)
    if not lines:
        raise SystemExit(f"No persona has {options.least} posts that cleaning keeps; --least lowers that.")
    chosen = {name: {persona: rule(line) for persona, line in lines.items()} for name, rule in RULES.items()}
    bits = {
        name: {persona: lines[persona].newest[share] for persona, share in shares.items()}
        for name, shares in chosen.items()
    }
    means = {name: statistics.fmean(each.values()) for name, each in bits.items()}
    print("Bits per character on the newest 10 %, in brackets the share of the way in per cent:\n")
    cells = [
        [name, f"{means[name]:.4f}", *(f"{bits[name][p]:.3f} ({chosen[name][p] * 100 // STEPS})" for p in lines)]
        for name in RULES
    ]
    common.table(["rule", "mean", *lines], cells)
    if options.json:
        common.json_line({"means": means, "bits": bits, "shares": chosen, "base": base.sha256, "machine": facts})


if __name__ == "__main__":
    main()
