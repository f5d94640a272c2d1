"""The model card: what a model is, in Markdown. It's in every download."""

from __future__ import annotations

from typing import Any, Final

from django.utils import translation

from botfactory.words.plurals import counted
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import traits_of
from models_app.training.instant import is_instant

CARD: Final = "README.md"
_MADE_AT_ONCE: Final = (
    "It's an instant bot: its weights are those of its base model, and before it writes, it reads the person's newest "
    "posts. Without these posts, it writes like the base model."
)


def card_of(model: TrainedModel) -> str:
    """Return the model card in English, as Markdown: the model's origin, settings and report card."""
    with translation.override("en"):
        return _card_of(model)


def label_of(model: TrainedModel) -> str:
    """Return in English the label to show wherever somebody shows what the model writes."""
    with translation.override("en"):
        return model.parody_label


def _card_of(model: TrainedModel) -> str:
    network, training = model.network, model.training
    instant = is_instant(model)
    facts = [
        (
            "reads before it writes" if instant else "learned from",
            f"{counted(model.posts, 'post')} ({counted(model.characters, 'character')}) of {model.corpus_name}",
        ),
        ("started from", model.parent_name),
        ("made on" if instant else "trained on", f"{model.created_at:%Y-%m-%d}"),
        ("kept epoch", _kept(model) if model.kept_epoch else ""),
        ("bits per character", "" if model.bits_per_character is None else f"{model.bits_per_character:.3f}"),
        ("sha256 of the weights", model.sha256),
    ]
    parts = [
        f"# {_line(model.name)}",
        f"> {_line(model.parody_label)} Say so wherever you show what it writes.",
        f"{_kind(model)} {_MADE_AT_ONCE if instant else 'The posts that it learned from are not in this file.'}",
        _table("", [(name, value) for name, value in facts if value]),
        _table("## Network", network.items()),
        _table("## Made with" if instant else "## Trained with", training.items()),
    ]
    if model.report:
        parts.append(f"## Report card\n\n{_report(model)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _kept(model: TrainedModel) -> str:
    way = "" if model.percent_of_way == 100 else f", {model.percent_of_way}% of the way there"
    return f"{model.kept_epoch} of {len(model.history)}{way}"


def _kind(model: TrainedModel) -> str:
    if model.tier == Tier.FLUENT:
        return (
            "An adapter (LoRA) of Bot Factory for a pretrained Llama, which isn't in this file: the one whose "
            f"publisher's file has the sha256 {model.network.get('pretrained')}."
        )
    reads = "tokens (frequent runs of bytes)" if traits_of(model.network)["tokens"] else "bytes"
    return f"A small network of Bot Factory that reads {reads}."


def _report(model: TrainedModel) -> str:
    """Return the report card as on the model's page, but without the copies, which are learned posts."""

    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.0%}"

    bits = (
        f"{model.report['bits_per_character']:.3f} bits per character; the base model has "
        f"{model.report['base_bits_per_character']:.3f}. Lower is better."
    )
    rows = [
        f"| {row['name']} | {share(row['bot'])} | {share(row['held_out'])} | {share(row['base'])} |"
        for row in model.report_rows
    ]
    return "\n".join(
        [bits, "", "| share of | this model | real posts | base model |", "| --- | --- | --- | --- |", *rows]
    )


def _table(title: str, rows: Any) -> str:
    lines = [f"| {_line(name)} | {_line(value)} |" for name, value in rows]
    return "\n".join([*([title, ""] if title else []), "| | |", "| --- | --- |", *lines]) if lines else ""


def _line(value: object) -> str:
    """Return the value on one line, without Markdown syntax."""
    return " ".join(str(value).split()).replace("|", "\\|")
