"""A bot to share, with many things that no guest may see."""

from __future__ import annotations

from models_app.bots import loading, registry
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.training import planning
from tweets.corpora import learning
from tweets.models import Corpus

SAMPLE = "@somebody a sample of the best epoch"
SECRET = "the-name-of-the-corpus"


def make_bot(
    corpus: Corpus, base: TrainedModel, name: str = "Crier", parent: TrainedModel | None = None
) -> TrainedModel:
    """Make a bot with the weights of the base model. Its quality doesn't matter here."""
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=1, name=name, run_here=True)
    share = {"bot": 0.9, "held_out": 0.8, "base": 0.1}
    return registry.register(
        job=job,
        name=name,
        corpus=corpus,
        parent=parent or base,
        parent_name=(parent or base).full_name,
        trained=loading.load(base),
        guard=CopyGuard.of(learning.training_posts(corpus)),
        meta={},
        values={
            "history": [{"epoch": 1, "samples": [SAMPLE]}, {"epoch": 2, "samples": ["of another epoch"]}],
            "kept_epoch": 1,
            "report": {
                "bits_per_character": 2.125,
                "base_bits_per_character": 2.625,
                "novelty": share,
                "voice": share,
                "real_words": share,
                "told_apart": {"share": 0.676, "error": 0.033, "posts": 100},
                "copies": [{"post": 1, "share": 0.9, "run": 5}],
            },
        },
    )


def place_of(model: TrainedModel, *, by_link: bool) -> str:
    """Return the address under which others find it, or would find it: its link, or its page in the gallery."""
    return f"/shared/{model.link or 'x' * 43}" if by_link else f"/gallery/{model.pk}"
