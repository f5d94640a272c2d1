"""The machine's memory and disk space, and its GPU memory if nvidia-smi is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

GPU_SECONDS = 5.0
#: Bytes. Below TOO_LITTLE a training or an import soon runs out of space; below LITTLE it's time to make room.
TOO_LITTLE = 500_000_000
LITTLE = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the product with its size, and its disk's size and free space, in bytes."""

    name: str
    path: Path
    used: int
    free: int
    total: int

    @property
    def percent_free(self) -> int:
        return round(100 * self.free / self.total) if self.total else 0


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU with its memory in MiB."""

    name: str
    used: int
    total: int


def folders() -> list[Folder]:
    named = {_("State"): settings.BOTFACTORY_HOME, _("Checkpoints"): settings.CHECKPOINTS_DIR}
    return [folder_of(name, Path(path)) for name, path in named.items() if Path(path).is_dir()]


def folder_of(name: str, path: Path) -> Folder:
    disk = shutil.disk_usage(path)
    return Folder(name, path, size_of(path), disk.free, disk.total)


def size_of(path: Path) -> int:
    """Return the size of all files below `path`. A file that vanishes meanwhile counts as 0."""
    total, waiting = 0, [str(path)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def memory(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Return how many bytes of memory this process can have: the machine's, or less where a control group says so.

    None if that is unknown.
    """
    known = list(_memory_limits(cgroups, own))
    with suppress(OSError, ValueError, AttributeError):
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(known, default=None)


def _memory_limits(cgroups: Path, own: Path) -> Iterator[int]:
    """Yield the limits of the control groups that this process is in, from its own up to the root."""
    paths = [cgroups / "memory/memory.limit_in_bytes"]
    with suppress(OSError):
        for line in own.read_text().splitlines():
            if line.startswith("0::"):
                group = cgroups / line[3:].strip("/")
                paths += [folder / "memory.max" for folder in (group, *group.parents) if folder.is_relative_to(cgroups)]
    for path in paths:
        # "max" means none.
        with suppress(OSError, ValueError):
            yield int(path.read_text())


def has_nvidia_smi() -> bool:
    return shutil.which("nvidia-smi") is not None


def gpus() -> list[Gpu]:
    """Return the GPUs of this machine, or none if nvidia-smi is missing or doesn't answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name,memory.used,memory.total", "--format=csv,noheader,nounits"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=GPU_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [gpu for line in result.stdout.splitlines() if (gpu := _gpu(line))]


def _gpu(line: str) -> Gpu | None:
    parts = [part.strip() for part in line.rsplit(",", 2)]
    # "[N/A]" if the GPU shares the processor's memory.
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
        return None
    return Gpu(parts[0], int(parts[1]), int(parts[2]))
