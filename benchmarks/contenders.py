"""The contenders that learn a persona: the product's fine-tune, the tutorial's recipe and others. Imports TensorFlow.

Each learns from the older 80 % of the posts, makes its choices on the next 10 %, and is measured on the newest 10 %, in
bits per character (end marks count as characters, as in the product's evaluation).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Protocol

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig, default_epochs_for, traits_of
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.registry import kind_of, small_network
from models_app.ml.training.dataset import epoch_batches
from models_app.ml.training.events import FineTuneResult
from models_app.ml.training.learner import Learner
from models_app.ml.training.trainer import fine_tune
from models_app.ml.vocabulary import UTF8_BYTES

from . import stock
from .common import say
from .personas import Persona
from .results import Outcome

# The tutorial's recipe, for both of its contenders.
TUTORIAL_EPOCHS: Final = 10
TUTORIAL_BATCH: Final = 64
TUTORIAL_LENGTH: Final = 64
TUTORIAL_RATE: Final = 0.001
KERAS_BETA_2: Final = 0.999
UNCLIPPED: Final = 1e9  # no gradient is this long
SAMPLES: Final = 4  # posts that the product writes after each epoch


class Contender(Protocol):
    """One way to learn a persona."""

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        """Returns, beside the persona's posts, all that the outcome depends on, as JSON-ready values."""
        ...

    def run(self, persona: Persona, seed: int) -> Outcome:
        """Return the outcome."""
        ...


def measured(checkpoint: Checkpoint, posts: Sequence[str]) -> float:
    """Return bits per character from the product's own evaluation: NumPy, float32, no dropout."""
    return evaluate(checkpoint, posts).bits_per_character


@dataclass(frozen=True, slots=True)
class Base:
    """The base model, unchanged."""

    base: Checkpoint

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return {"base": self.base.sha256}

    def run(self, persona: Persona, seed: int) -> Outcome:
        return Outcome(measured(self.base, persona.test), measured(self.base, persona.validation), 0.0, 0)


@dataclass(frozen=True, slots=True)
class Ours:
    """The product's fine-tune with its own settings, from the base model or from nothing.

    epochs: 0 for the product's default for the size of the corpus.
    """

    base: Checkpoint
    epochs: int
    from_nothing: bool = False

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        start = "nothing" if self.from_nothing else self.base.sha256
        config = self._config(persona, seed).as_dict()
        return {"start": start, "network": self.base.network.as_dict(), "config": config}

    def run(self, persona: Persona, seed: int) -> Outcome:
        begun = time.perf_counter()
        result = self.learned(persona, seed)
        seconds = time.perf_counter() - begun
        return Outcome(
            measured(result.checkpoint, persona.test),
            result.bits_per_character,
            seconds,
            len(result.history),
            {
                "best_epoch": result.kept_epoch,
                "interpolation": result.interpolation,
                "validation_by_epoch": [epoch.bits_per_character for epoch in result.history],
                "characters_per_second": result.characters_per_second,
                "config": self._config(persona, seed).as_dict(),
            },
        )

    def learned(self, persona: Persona, seed: int) -> FineTuneResult:
        """Return what the product's trainer learns from the persona's training posts."""
        network = self.base.network
        weights = kind_of(network).first_weights(network, seed) if self.from_nothing else self.base.weights
        with tempfile.TemporaryDirectory(prefix="botfactory-bench-") as folder:
            return fine_tune(
                start=Checkpoint(network, weights, {}, ""),
                train=persona.train,
                validation=persona.validation,
                config=self._config(persona, seed),
                work_dir=Path(folder),
                on_progress=lambda _: None,
                on_epoch=lambda epoch: say(f"  epoch {epoch.epoch}: {epoch.bits_per_character:.3f} bits"),
                control=lambda: "go",
                sample_count=SAMPLES,
            )

    def _config(self, persona: Persona, seed: int) -> FineTuneConfig:
        characters = max(1, persona.characters)
        epochs = self.epochs or default_epochs_for(characters)
        return FineTuneConfig.auto(
            characters=characters,
            epochs=epochs,
            seed=seed,
            **traits_of(self.base.network.as_dict()),
        )


@dataclass(frozen=True, slots=True)
class Tutorial:
    """The tutorial's recipe from our base weights, with our faster step: the mathematics of Keras' Adam, unclipped.

    No warm-up, no decay, no dropout, the posts in one order, no stop, and the weights of the last epoch.
    """

    base: Checkpoint
    epochs: int = TUTORIAL_EPOCHS

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        recipe = [TUTORIAL_BATCH, TUTORIAL_LENGTH, TUTORIAL_RATE, KERAS_BETA_2]
        return {"base": self.base.sha256, "epochs": self.epochs, "recipe": recipe, "seed": seed}

    def run(self, persona: Persona, seed: int) -> Outcome:
        network = small_network(self.base.network)
        begun = time.perf_counter()
        learner = Learner(network, self.base.weights, beta_2=KERAS_BETA_2, clip_norm=UNCLIPPED)
        posts, by_epoch = [UTF8_BYTES.encode(post) for post in persona.train], []
        seconds = time.perf_counter() - begun
        for _ in range(self.epochs):
            begun = time.perf_counter()
            _, batches = epoch_batches(
                posts,
                vocabulary=UTF8_BYTES,
                batch_size=TUTORIAL_BATCH,
                sequence_length=TUTORIAL_LENGTH,
                seed=seed,
                epoch=0,
            )
            for number, batch in enumerate(batches):
                if number == 0:
                    learner.reset(batch.inputs.shape[0])
                learner.train(batch, learning_rate=TUTORIAL_RATE)
            seconds += time.perf_counter() - begun
            by_epoch.append(measured(Checkpoint(network, learner.weights(), {}, ""), persona.validation))
            say(f"  epoch {len(by_epoch)}: {by_epoch[-1]:.3f} bits")
        last = Checkpoint(network, learner.weights(), {}, "")
        return Outcome(
            measured(last, persona.test), by_epoch[-1], seconds, self.epochs, {"validation_by_epoch": by_epoch}
        )


@dataclass(frozen=True, slots=True)
class StockKeras:
    """The tutorial's recipe in stock Keras on an LSTM. As in the tutorial, the state continues from post to post."""

    lstm: Checkpoint
    epochs: int = TUTORIAL_EPOCHS

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return {"start": self.lstm.sha256, "network": self.lstm.network.as_dict(), "epochs": self.epochs, "seed": seed}

    def run(self, persona: Persona, seed: int) -> Outcome:
        # In its own process, because ours has already set TensorFlow's threads, and Keras should choose its own.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found = pool.submit(
                stock.stock_tutorial,
                persona,
                epochs=self.epochs,
                rows=TUTORIAL_BATCH,
                length=TUTORIAL_LENGTH,
                weights=self.lstm.weights,
            ).result()
        return Outcome(
            found.bits,
            min(found.validation_by_epoch),
            found.seconds,
            self.epochs,
            {"validation_by_epoch": found.validation_by_epoch, "is_trained": bool(self.lstm.sha256)},
        )


def contenders(base: Checkpoint, lstm: Checkpoint, *, epochs: int, tutorial_epochs: int) -> dict[str, Contender]:
    """Return all contenders by name."""
    return {
        "base": Base(base),
        "default": Ours(base, epochs),
        "tutorial": Tutorial(base, tutorial_epochs),
        "nothing": Ours(base, epochs, from_nothing=True),
        "stock_keras": StockKeras(lstm, tutorial_epochs),
    }
