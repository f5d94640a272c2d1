"""Losses for TensorBoard: an events file, written without the tensorboard package. Imports TensorFlow."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf

_Event: Any = tf.compat.v1.Event
_Summary: Any = tf.compat.v1.Summary
_SessionLog: Any = tf.compat.v1.SessionLog


class EventLog:
    """Appends scalars to a new events file in `directory`; view it with `tensorboard --logdir DIRECTORY`.

    `step` is the step that training resumes from: TensorBoard drops what earlier files have from that step on.
    """

    def __init__(self, directory: Path, *, step: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 1000:017d}.{os.getpid()}"
        self._writer = tf.io.TFRecordWriter(str(directory / name))
        self._write(_Event(wall_time=time.time(), file_version="brain.Event:2"))
        start = _SessionLog(status=_SessionLog.START)
        self._write(_Event(wall_time=time.time(), step=step, session_log=start))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values of this step to the file."""
        summary = _Summary(value=[_Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        self._write(_Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, event: Any) -> None:
        self._writer.write(event.SerializeToString())
        self._writer.flush()
