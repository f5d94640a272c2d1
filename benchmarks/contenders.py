"""Who learns a persona: the product's fine-tune, the tutorial's recipe, and two classical rivals. Imports TensorFlow.

Each learns from the older 80 % of the posts, makes its choices on the next 10 %, and is measured on the newest 10 %, in
bits a character (end marks counted as characters, as the product's evaluation counts them).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig, usual_epochs
from models_app.ml.dataset import epoch_batches
from models_app.ml.evaluation import evaluate
from models_app.ml.kinds import kind_of
from models_app.ml.learner import Learner
from models_app.ml.reports import FineTuneResult
from models_app.ml.trainer import fine_tune
from models_app.ml.vocabulary import END, encode

from . import ppmd, stock
from .common import say
from .ngram import KneserNey, Numbers, mixed
from .personas import Persona, base_corpus, characters_and_marks, data_folder, first_megabytes, joined

# The tutorial's recipe, which both its contenders follow.
TUTORIAL_EPOCHS: Final = 10
TUTORIAL_BATCH: Final = 64
TUTORIAL_LENGTH: Final = 64
TUTORIAL_RATE: Final = 0.001
KERAS_BETA_2: Final = 0.999
UNCLIPPED: Final = 1e9  # no gradient is so long
SAMPLES: Final = 4  # posts that the product writes after each epoch
BASE_ORDER: Final = 8
PERSONA_ORDERS: Final = (4, 5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Outcome:
    """bits: a character, on the newest tenth; validation_bits: on the tenth before, by which the contender has chosen.

    seconds: from the start to the chosen model, building the graph included and this measurement left out; epochs: that
    were trained; more: what else is worth knowing.
    """

    bits: float
    validation_bits: float
    seconds: float
    epochs: int
    more: dict[str, Any] = field(default_factory=dict)


class Contender(Protocol):
    """One way to learn a persona."""

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        """Returns, beside the persona's posts, all that the outcome depends on, as JSON-ready values."""
        ...

    def run(self, persona: Persona, seed: int) -> Outcome:
        """Returns what came of it."""
        ...


def measured(checkpoint: Checkpoint, posts: Sequence[str]) -> float:
    """Returns bits a character by the product's own evaluation: NumPy, float32, no dropout."""
    return evaluate(checkpoint, posts).bits_per_character


@dataclass(frozen=True, slots=True)
class Base:
    """The base model as it is."""

    base: Checkpoint

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return {"base": self.base.sha256}

    def run(self, persona: Persona, seed: int) -> Outcome:
        return Outcome(measured(self.base, persona.test), measured(self.base, persona.validation), 0.0, 0)


class BaseCorpus:
    """The first megabytes of the base corpus, read once, for whoever learns from them beside the persona."""

    def __init__(self, megabytes: float) -> None:
        self.megabytes = megabytes

    @cached_property
    def symbols(self) -> bytes:
        if not (files := base_corpus()):
            raise SystemExit(
                f"The base corpus, corpus/train-*.txt.xz, is not in {data_folder()}. Name the folder that holds it in "
                "BOTFACTORY_DATA, or leave kneser_ney, ppmd and --mixed out."
            )
        say(f"reading {self.megabytes:g} MB of the base corpus")
        return first_megabytes(files, self.megabytes)

    @cached_property
    def _posts(self) -> list[bytes]:
        return self.symbols.split(bytes([END]))[:-1]

    def some_posts(self, characters: int, seed: int) -> tuple[str, ...]:
        """Returns posts chosen by chance, no two the same one, until they have at least so many characters.

        Fewer where the corpus has no more.
        """
        chosen, left = [], characters
        for place in np.random.default_rng(seed).permutation(len(self._posts)):
            if left <= 0:
                break
            chosen.append(self._posts[place].decode())
            left -= len(chosen[-1])
        return tuple(chosen)

    def described(self) -> dict[str, Any]:
        """Returns what tells this part of the corpus from others."""
        return {"megabytes": self.megabytes, "files": [[path.name, path.stat().st_size] for path in base_corpus()]}


@dataclass(frozen=True, slots=True)
class MixedIn:
    """Posts of the base corpus that are learned beside the persona's: `share` times as many characters as those."""

    corpus: BaseCorpus
    share: float


@dataclass(frozen=True, slots=True)
class Ours:
    """The product's fine-tune, from the base model or from nothing; "auto" settings, but for what `settings` say.

    epochs: 0 for as many as the product takes for the size of the corpus.
    """

    base: Checkpoint
    epochs: int
    from_nothing: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    mixed_in: MixedIn | None = None

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        start = "nothing" if self.from_nothing else self.base.sha256
        config = self._config(persona, seed).as_dict()
        known = {"start": start, "network": self.base.network.as_dict(), "config": config}
        if mixed := self.mixed_in:
            known["mixed_in"] = mixed.corpus.described() | {"share": mixed.share}
        return known

    def run(self, persona: Persona, seed: int) -> Outcome:
        begun = time.perf_counter()
        result = self.learned(persona, seed)
        seconds = time.perf_counter() - begun
        return Outcome(
            measured(Checkpoint(self.base.network, result.weights, {}, ""), persona.test),
            result.bits_per_character,
            seconds,
            len(result.history),
            {
                "best_epoch": result.best_epoch,
                "share": result.share,
                "validation_by_epoch": [epoch.bits_per_character for epoch in result.history],
                "characters_per_second": result.characters_per_second,
                "config": self._config(persona, seed).as_dict(),
            },
        )

    def learned(self, persona: Persona, seed: int) -> FineTuneResult:
        """Returns what the product's trainer makes of the persona's training posts."""
        network = self.base.network
        weights = kind_of(network).first_weights(network, seed) if self.from_nothing else self.base.weights
        mixed = self.mixed_in
        others = mixed.corpus.some_posts(round(mixed.share * persona.characters), seed) if mixed else ()
        with tempfile.TemporaryDirectory(prefix="botfactory-bench-") as folder:
            return fine_tune(
                start=Checkpoint(network, weights, {}, ""),
                train=[*persona.train, *others],
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
        epochs = self.epochs or usual_epochs(characters)
        return FineTuneConfig.auto(
            characters=characters, epochs=epochs, seed=seed, kind=self.base.network.kind, **self.settings
        )


@dataclass(frozen=True, slots=True)
class Tutorial:
    """The tutorial's recipe from our base weights, by our faster step: the mathematics of Keras' Adam, unclipped.

    No warm-up, no decay, no dropout, the posts in one order, no stop, and the weights of the last epoch.
    """

    base: Checkpoint
    epochs: int = TUTORIAL_EPOCHS

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        recipe = [TUTORIAL_BATCH, TUTORIAL_LENGTH, TUTORIAL_RATE, KERAS_BETA_2]
        return {"base": self.base.sha256, "epochs": self.epochs, "recipe": recipe, "seed": seed}

    def run(self, persona: Persona, seed: int) -> Outcome:
        network = self.base.network
        begun = time.perf_counter()
        learner = Learner(network, self.base.weights, beta_2=KERAS_BETA_2, clip_norm=UNCLIPPED)
        posts, by_epoch = [encode(post) for post in persona.train], []
        seconds = time.perf_counter() - begun
        for _ in range(self.epochs):
            begun = time.perf_counter()
            _, batches = epoch_batches(
                posts, batch_size=TUTORIAL_BATCH, sequence_length=TUTORIAL_LENGTH, seed=seed, epoch=0
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
    """The tutorial's recipe in stock Keras on an LSTM: its state runs on from post to post, as the tutorial has it."""

    lstm: Checkpoint
    epochs: int = TUTORIAL_EPOCHS

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return {"start": self.lstm.sha256, "network": self.lstm.network.as_dict(), "epochs": self.epochs, "seed": seed}

    def run(self, persona: Persona, seed: int) -> Outcome:
        # In a process of its own, since ours has set TensorFlow's threads by now, and Keras shall have its own choice.
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


class KneserNeyMixture:
    """Two interpolated Kneser-Ney models, of the base corpus and of the persona, mixed.

    The weight depends on how long a context the persona's model knows (fitted on validation), and the order of the
    persona's model is the best one there. Neither learns from what it is measured on.
    """

    def __init__(self, corpus: BaseCorpus) -> None:
        self._corpus = corpus

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return {"corpus": self._corpus.described(), "orders": [BASE_ORDER, *PERSONA_ORDERS]}

    @cached_property
    def _general(self) -> KneserNey:
        symbols = self._corpus.symbols
        say("counting the base corpus for Kneser-Ney")
        return KneserNey(symbols, [BASE_ORDER])

    def run(self, persona: Persona, seed: int) -> Outcome:
        general = self._general  # once for all personas, so not in the seconds
        begun = time.perf_counter()
        own = KneserNey(joined(persona.train), PERSONA_ORDERS)
        validation, test = joined(persona.validation), joined(persona.test)
        base, of_persona = general.probabilities(validation), own.probabilities(validation)
        known = own.longest_known(validation)
        best: tuple[float, int, Numbers] | None = None
        for order in PERSONA_ORDERS:
            weights = mixed(of_persona[order], base[BASE_ORDER], known)
            share = weights[known]
            bits = code_length(share * of_persona[order] + (1 - share) * base[BASE_ORDER], persona.validation)
            if best is None or bits < best[0]:
                best = bits, order, weights
        assert best is not None
        bits, order, weights = best
        seconds = time.perf_counter() - begun
        share = weights[own.longest_known(test)]
        mixture = share * own.probabilities(test)[order] + (1 - share) * general.probabilities(test)[BASE_ORDER]
        return Outcome(code_length(mixture, persona.test), bits, seconds, 0, {"order": order})


def code_length(probabilities: Numbers, posts: Sequence[str]) -> float:
    """Returns bits a character of posts whose symbols have these probabilities."""
    return float(-np.log2(probabilities).sum()) / characters_and_marks(posts)


class Ppmd:
    """PPMd primed with the base corpus and the persona; unlike the others it learns from what it is measured on."""

    def __init__(self, corpus: BaseCorpus) -> None:
        self._corpus = corpus

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return {"corpus": self._corpus.described(), "order": ppmd.ORDER}

    @cached_property
    def _coder(self) -> ppmd.Coder:
        return ppmd.Coder(self._corpus.symbols)

    def run(self, persona: Persona, seed: int) -> Outcome:
        coder, train = self._coder, joined(persona.train)
        validation = coder.bits(train, joined(persona.validation)) / characters_and_marks(persona.validation)
        begun = time.perf_counter()
        bits = coder.bits(train, joined(persona.test)) / characters_and_marks(persona.test)
        return Outcome(bits, validation, time.perf_counter() - begun, 0)


def contenders(
    base: Checkpoint,
    lstm: Checkpoint,
    *,
    base_megabytes: float,
    epochs: int,
    better_epochs: int,
    tutorial_epochs: int,
    trial_epochs: int = 0,
    trial_settings: Mapping[str, Any] | None = None,
    mixed: float = 0.0,
) -> dict[str, Contender]:
    """Returns all contenders by name."""
    corpus = BaseCorpus(base_megabytes)
    mixed_in = MixedIn(corpus, mixed) if mixed else None
    return {
        "base": Base(base),
        "default": Ours(base, epochs),
        "better": Ours(base, better_epochs),
        "tutorial": Tutorial(base, tutorial_epochs),
        "nothing": Ours(base, better_epochs, from_nothing=True),
        "kneser_ney": KneserNeyMixture(corpus),
        "ppmd": Ppmd(corpus),
        "trial": Ours(base, trial_epochs, settings=trial_settings or {}, mixed_in=mixed_in),
        "stock_keras": StockKeras(lstm, tutorial_epochs),
    }


def fingerprint(persona: Persona) -> str:
    """Returns what tells these posts, so cut, from others."""
    text = json.dumps([persona.train, persona.validation, persona.test])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
