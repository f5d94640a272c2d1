"""How long a training takes on this machine, and how much it reads in a given time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from models_app.bots.rows import Tier
from models_app.ml.training.adapters.config import default_epochs_for, points_for
from models_app.training import machines

#: A fluent training reads at least so many characters, however short its time is.
MIN_READ = 60_000

#: Seconds to build the graph, validate first, write samples, make the report card and save.
STARTING_SECONDS = 15.0
FLUENT_STARTING_SECONDS = 40.0
#: Seconds to write the samples of one part of a fluent training, and to continue its openings.
FLUENT_SAMPLES_SECONDS = 6.0
#: The same if the training process has built the graph ahead.
PREPARED_SECONDS = 6.0
VALIDATION_SHARE = 0.1
#: The cost of validating a character relative to training on it; and the number of validations besides those after each
#: epoch: one before the first, and up to three interpolations at the end.
VALIDATION_COST = 1 / 3
VALIDATIONS = 4
#: The same for a fluent training, and on about how many characters each of its points is validated, and its first and
#: best weights (ml/training/adapters).
CHARACTERS_OF_POINT, CHARACTERS_HELD_OUT = 12_000, 20_000
ADAPTER_VALIDATION_COST = 0.35
ADAPTER_VALIDATIONS = 2
#: The weights between them that are usually validated if it reads all posts.
ADAPTER_INTERPOLATIONS = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated duration of a training in seconds: a fixed part, and a part for each epoch."""

    starting: float
    epoch: float

    def seconds(self, epochs: int) -> float:
        return self.starting + epochs * self.epoch


@dataclass(frozen=True, slots=True)
class Reading:
    """What a training reads: the newest posts up to so many characters (0: all posts), and how many times."""

    most_characters: int
    epochs: int = 1


def reading_within(minutes: int, characters: int, *, pace: machines.Pace | None = None) -> Reading:
    """Return the most that a fluent training of a corpus of `characters` reads in this time, by `seconds_of`.

    It's at least MIN_READ or all posts, which may take longer.
    """
    known = machines.pace(Tier.FLUENT) if pace is None else pace

    def seconds(reading: Reading) -> float:
        return seconds_of(characters, Tier.FLUENT, reading, pace=known)

    most = split_off(characters)
    usual, whole = Reading(0, default_epochs_for(most)), Reading(0)
    for reading in (usual, whole):
        if seconds(reading) <= 60 * minutes:
            return reading
    if most <= MIN_READ:
        return whole
    fits = bisect_right(range(MIN_READ, most), 60.0 * minutes, key=lambda read: seconds(Reading(read)))
    return Reading(MIN_READ + max(0, fits - 1))


def seconds_of(characters: int, tier: Tier, reading: Reading, *, pace: machines.Pace | None = None) -> float:
    """Return the estimated seconds of a training that reads this. The arguments are `estimate`'s."""
    epochs = reading.epochs
    return estimate(characters, tier, reading.most_characters, epochs=epochs, pace=pace).seconds(epochs)


def split_off(characters: int) -> int:
    """Return about how many of these characters are in the training split."""
    return round(characters * (1 - VALIDATION_SHARE))


def estimate(
    characters: int,
    tier: Tier = Tier.QUICK,
    most_characters: int = 0,
    *,
    epochs: int = 1,
    pace: machines.Pace | None = None,
) -> Estimate:
    """Return the estimated duration of a training on a corpus of `characters`.

    most_characters: the most that a fluent epoch reads (0: all); epochs: those of a fluent training, which decide how
    often it validates; pace: how fast it is, if that's known.
    """
    pace = machines.pace(tier) if pace is None else pace
    learned, held_out = characters * (1 - VALIDATION_SHARE), characters * VALIDATION_SHARE
    if tier == Tier.FLUENT:
        read = min(learned, most_characters or learned)
        points = points_for(epochs * round(read))
        times = ADAPTER_VALIDATIONS + (ADAPTER_INTERPOLATIONS if read > learned - 1 else 0)
        checked = times * min(held_out, CHARACTERS_HELD_OUT)
        checked += points * min(held_out, CHARACTERS_OF_POINT)
        fixed = FLUENT_STARTING_SECONDS + points * FLUENT_SAMPLES_SECONDS
        return Estimate(
            starting=fixed + ADAPTER_VALIDATION_COST * checked / pace.speed,
            epoch=read / pace.speed,
        )
    starting = PREPARED_SECONDS if pace.is_prepared else STARTING_SECONDS
    checked = held_out * VALIDATION_COST
    return Estimate(
        starting=starting + VALIDATIONS * checked / pace.speed,
        epoch=(learned + checked) / pace.speed,
    )
