"""All data of a person as one ZIP, written while it is sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from typing import IO, Any, Final

from django.utils import timezone

from botfactory import __version__
from botfactory.accounts.models import User
from botfactory.files.chunks import stream
from botfactory.words.translation import translated
from botfactory.your_data import facts, form
from botfactory.your_data.form import LeftOut, Manifest, place_of
from botfactory.your_data.packing import Packer
from models_app.bots.rows import TrainedModel
from models_app.ml.errors import CheckpointError
from models_app.moving import bots, written
from publishing import moving as publishing
from tweets.corpora import audit, export, moving
from tweets.models import AuditEntry, Corpus

CONTENT_TYPE: Final = "application/zip"
_CHUNK: Final = 1 << 18


def file_name(user: User) -> str:
    """Return the name of the ZIP."""
    return f"bot-factory-{user.get_username()}-{timezone.now():%Y-%m-%d}.zip"


def begin(user: User) -> AsyncIterator[bytes]:
    """Log the export and return the ZIP in pieces, which are made on demand."""
    audit.record(AuditEntry.Action.EXPORT, by=user, about=f"account {user.get_username()}")
    return stream(pieces_of(user))


def pieces_of(user: User) -> Iterator[bytes]:
    """Yield the ZIP. What can't be read is left out, and the manifest says so."""
    packer = Packer(timezone.now())
    left_out: list[LeftOut] = []
    yield from packer.add(form.ACCOUNT, _json(facts.account(user)))
    yield from packer.add(form.SETTINGS, _json(facts.settings(user)))
    yield from packer.add(form.JOBS, facts.jobs(user))
    for corpus in _each(Corpus.objects.filter(owner=user)):
        yield from _corpus(packer, corpus)
    for model in _each(TrainedModel.objects.filter(owner=user).select_related("owner", "corpus", "parent")):
        yield from _bot(packer, model, left_out)
    yield from packer.add(form.GENERATIONS, written.generations(user))
    yield from packer.add(form.KEPT, written.kept(user))
    yield from packer.add(form.GAMES, written.games(user))
    yield from packer.add(form.SEARCHES, written.searches(user))
    yield from packer.add(form.REPORTS, written.reports(user))
    yield from packer.add(form.PROPOSALS, publishing.proposals(user))
    manifest = Manifest(
        format=form.FORMAT,
        version=form.VERSION,
        product=__version__,
        created_at=timezone.now(),
        username=user.get_username(),
        files=tuple(packer.files),
        left_out=tuple(left_out),
    )
    yield from packer.add(form.MANIFEST, _json(manifest.model_dump(mode="json")))
    yield from packer.close()


def _each(rows: Any) -> list[Any]:
    """Return the rows, oldest first. A limit keeps them few."""
    return list(rows.order_by("created_at", "pk"))


def _corpus(packer: Packer, corpus: Corpus) -> Iterator[bytes]:
    yield from packer.add(place_of(form.CORPORA, corpus.pk, form.CORPUS), _json(moving.describe(corpus)))
    yield from packer.add(place_of(form.CORPORA, corpus.pk, form.POSTS), export.pieces_of(corpus))


def _bot(packer: Packer, model: TrainedModel, left_out: list[LeftOut]) -> Iterator[bytes]:
    yield from packer.add(place_of(form.BOTS, model.pk, form.BOT), _json(bots.describe(model)))
    name = place_of(form.BOTS, model.pk, form.MODEL)
    try:
        file = bots.packed(model)
    except CheckpointError as error:
        left_out.append(LeftOut(name=name, why=translated(error)))
        return
    with file:
        yield from packer.add(name, _blocks(file), is_packed=True)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(file.read, _CHUNK), b"")


def _json(values: Any) -> Iterable[bytes]:
    return [json.dumps(values, ensure_ascii=False, indent=2).encode() + b"\n"]
