"""What bots wrote for a person, and the person's games and searches, as lines of JSON in the person's ZIP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils import translation

from botfactory.accounts.models import User
from botfactory.files.chunks import chunks_of, line_of
from models_app.bots.rows import TrainedModel
from models_app.search.rows import Search, Trial
from models_app.writing.keeping.rows import KeptPost, PostReport
from models_app.writing.playing.rows import Game
from models_app.writing.rows import Generation


def _name(model: TrainedModel, user: User) -> str:
    """Return the full name of the person's own bot, and only the name of others': guests don't learn the owner."""
    return model.full_name if model.owner_id in (None, user.pk) else model.name


def generations(user: User) -> Iterator[bytes]:
    """Yield a line for each generation of the person, whoever owns the bot."""
    for rows in chunks_of(Generation.objects.filter(owner=user).select_related("model__owner")):
        yield "".join(line_of(_generation(row, user)) for row in rows).encode()


def _generation(row: Generation, user: User) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "model": str(row.model_id),
        "model_sha256": row.model.sha256,
        "model_pretrained": row.model.network.get("pretrained", ""),
        "bot": _name(row.model, user),
        "sampling": row.sampling,
        "posts": row.posts,
        "refused": row.refused,
        "seconds": row.seconds,
        "created_at": row.created_at.isoformat(),
    }


def kept(user: User) -> Iterator[bytes]:
    """Yield a line for each post that the person has kept."""
    rows_of = KeptPost.objects.filter(owner=user).select_related("model__owner", "model__corpus")
    for rows in chunks_of(rows_of):
        # The file is the same in every language.
        with translation.override("en"):
            lines = [line_of(_kept(row, user)) for row in rows]
        yield "".join(lines).encode()


def _kept(row: KeptPost, user: User) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "model": str(row.model_id),
        "model_sha256": row.model.sha256,
        "model_pretrained": row.model.network.get("pretrained", ""),
        "bot": _name(row.model, user),
        "label": row.model.parody_label,
        "text": row.text,
        "edited": row.is_edited,
        "generation": str(row.generation_id) if row.generation_id else None,
        "post": row.number,
        "created_at": row.created_at.isoformat(),
    }


def games(user: User) -> Iterator[bytes]:
    """Yield a line for each game that the person has played. The posts of a game aren't in it."""
    for rows in chunks_of(Game.objects.filter(player=user).select_related("model__owner")):
        lines = [
            {
                "model": str(row.model_id),
                "bot": _name(row.model, user),
                "posts": len(row.items),
                "answers": row.answers,
                "right": row.right,
                "created_at": row.created_at.isoformat(),
            }
            for row in rows
        ]
        yield "".join(map(line_of, lines)).encode()


def reports(user: User) -> Iterator[bytes]:
    """Yield a line for each post that the person has reported."""
    for rows in chunks_of(PostReport.objects.filter(reporter=user).select_related("model__owner")):
        lines = [
            {
                "model": str(row.model_id),
                "bot": _name(row.model, user),
                "text": row.text,
                "reason": row.reason,
                "note": row.note,
                "created_at": row.created_at.isoformat(),
                "closed_at": row.closed_at.isoformat() if row.closed_at else None,
            }
            for row in rows
        ]
        yield "".join(map(line_of, lines)).encode()


def searches(user: User) -> Iterator[bytes]:
    """Yield a line for each search of the person, with its trials."""
    for rows in chunks_of(Search.objects.filter(owner=user).prefetch_related("trials")):
        yield "".join(line_of(_told(row)) for row in rows).encode()


def _told(row: Search) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "corpus": str(row.corpus_id) if row.corpus_id else None,
        "start": str(row.start_id) if row.start_id else None,
        "start_name": row.start_name,
        "settings": row.settings,
        "space": row.space,
        "sampler": row.sampler,
        "pruner": row.pruner,
        "trials_wanted": row.wanted,
        "at_once": row.at_once,
        "seed": row.seed,
        "importance": row.importance,
        "created_at": row.created_at.isoformat(),
        "trials": [_told_trial(trial) for trial in row.trials.all()],
    }


def _told_trial(row: Trial) -> dict[str, Any]:
    same = ("number", "state", "parameters", "bits_per_character", "points", "seconds", "weights", "why")
    return {
        **{name: getattr(row, name) for name in same},
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
    }
