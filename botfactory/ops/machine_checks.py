"""Checks of the machine for `doctor`: disk space, GPUs and open files."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from botfactory.edge.connections import MOST
from botfactory.ops import machine, open_files
from botfactory.ops.checks import Report


def disk(report: Report) -> None:
    for name in ("BOTFACTORY_HOME", "CHECKPOINTS_DIR"):
        path = Path(getattr(settings, name))
        if not path.is_dir():
            report.problem(f"{name} doesn't exist: {path}", f"start the product once, or set {name}")
            continue
        folder = machine.folder_of(name, path)
        what = f"{name} takes {size(folder.used)}; its disk has {size(folder.free)} free ({folder.percent_free}%)"
        advice = f"delete what you no longer need, or move {name} to a larger disk"
        if folder.free < machine.TOO_LITTLE:
            report.problem(what, advice)
        elif folder.free < machine.LITTLE:
            report.warning(what, advice)
        else:
            report.ok(what)


def gpus(report: Report) -> None:
    for gpu in machine.gpus():
        report.ok(f"{gpu.name}: {gpu.used:,} of {gpu.total:,} MiB in use")


def connections(report: Report) -> None:
    if shortage := open_files.shortage():
        report.warning(shortage.what, shortage.advice)
    else:
        report.ok(f"the pages can open enough files for {MOST:,} connections at once")


def size(number: int) -> str:
    return filesizeformat(number).replace("\xa0", " ")
