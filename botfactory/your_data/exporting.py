"""All data of a person as one ZIP, written while it is sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Final

from django.utils import timezone

from botfactory import __version__
from botfactory.accounts.models import User
from botfactory.files.chunks import stream
from botfactory.words.translation import translated
from botfactory.your_data import facts, form, parts
from botfactory.your_data.form import LeftOut, Manifest, place_of
from botfactory.your_data.packing import Packer

CONTENT_TYPE: Final = "application/zip"


def file_name(user: User) -> str:
    """Return the name of the ZIP."""
    return f"bot-factory-{user.get_username()}-{timezone.now():%Y-%m-%d}.zip"


def begin(user: User) -> AsyncIterator[bytes]:
    """Log the export and return the ZIP in pieces, which are made on demand."""
    for things in parts.THINGS:
        if things.exported is not None:
            things.exported(user)
    return stream(pieces_of(user))


def pieces_of(user: User) -> Iterator[bytes]:
    """Yield the ZIP. What can't be read is left out, and the manifest says so."""
    packer = Packer(timezone.now())
    left_out: list[LeftOut] = []
    yield from packer.add(form.ACCOUNT, _json(facts.account(user)))
    yield from packer.add(form.SETTINGS, _json(facts.settings(user)))
    yield from packer.add(form.JOBS, facts.jobs(user))
    for things in parts.THINGS:
        for row in things.rows(user).order_by("created_at", "pk"):
            yield from _thing(packer, things, row, left_out)
    for rows in parts.ROWS:
        yield from packer.add(rows.file, rows.lines(user))
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


def _thing(packer: Packer, things: parts.Things, row: Any, left_out: list[LeftOut]) -> Iterator[bytes]:
    description = place_of(things.folder, row.pk, things.description)
    yield from packer.add(description, _json(things.describe(row)))
    name = place_of(things.folder, row.pk, things.content)
    try:
        content = things.pieces(row)
    except parts.CantMove as error:
        left_out.append(LeftOut(name=name, why=translated(error.why)))
        return
    yield from packer.add(name, content, is_packed=things.is_packed)


def _json(values: Any) -> Iterable[bytes]:
    return [json.dumps(values, ensure_ascii=False, indent=2).encode() + b"\n"]
