"""ZIPs of accounts for the tests: those of alice, changed, and imported."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from botfactory.accounts import services as accounts
from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.your_data import exporting, importing
from models_app.bots.rows import TrainedModel
from tests.your_data.test_export import files_of
from tweets.models import Corpus

Files = dict[str, bytes]


@pytest.fixture
def files(alice: User, bot: TrainedModel) -> Files:
    """The files in the ZIP of alice, whose account is deleted then."""
    found = files_of(b"".join(exporting.pieces_of(alice)))
    accounts.delete_account(alice)
    return found


def zipped(files: Files, *, sums: bool = True, method: int = ZIP_DEFLATED) -> io.BytesIO:
    """Return the ZIP of the files, with a manifest that fits unless `sums` is False."""
    manifest = json.loads(files["manifest.json"])
    if sums:
        manifest["files"] = [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
            if name != "manifest.json"
        ]
    out = io.BytesIO()
    with ZipFile(out, "w", method) as archive:
        for name, data in (files | {"manifest.json": json.dumps(manifest).encode()}).items():
            archive.writestr(name, data)
    out.seek(0)
    return out


def imported(owner: User, file: io.BytesIO) -> Job:
    job = worker.run_claimed(importing.submit(owner=owner, file=file, run_here=True))
    job.refresh_from_db()
    return job


def named(files: Files, end: str) -> str:
    return next(name for name in files if name.endswith(end))


def changed(files: Files, end: str, **values: Any) -> Files:
    """Return the files with other values in the description that ends with this."""
    name = named(files, end)
    return files | {name: json.dumps(json.loads(files[name]) | values).encode()}


def nothing_is_here(owner: User) -> bool:
    rows = (Corpus.objects.filter(owner=owner), TrainedModel.objects.filter(owner=owner))
    return not any(found.exists() for found in rows)
