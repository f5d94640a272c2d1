from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from models_app.ml.training.event_log import EventLog


def events(directory: Path) -> list[Any]:
    """Return what TensorBoard would read: the events of all files in the order of their names."""
    kind: Any = tf.compat.v1.Event
    files = sorted(directory.glob("events.out.tfevents.*"))
    return [
        kind.FromString(record) for file in files for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    ]


def test_scalars_are_read_back_with_their_steps(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events") as log:
        log.scalars(10, {"loss/train": 1.5, "loss/validation": 1.75})
        log.scalars(20, {"loss/train": 1.25})
    first, begun, *rest = events(tmp_path / "events")
    assert first.file_version == "brain.Event:2"
    assert begun.HasField("session_log")
    read = [(event.step, {value.tag: value.simple_value for value in event.summary.value}) for event in rest]
    assert read == [(10, {"loss/train": 1.5, "loss/validation": 1.75}), (20, {"loss/train": 1.25})]


def test_what_is_written_is_there_at_once_and_a_resumed_log_says_from_where(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.scalars(10, {"loss": 1.5})
    assert events(tmp_path)[-1].step == 10
    log.close()
    with EventLog(tmp_path, step=7) as again:
        again.scalars(8, {"loss": 1.0})
    assert [event.step for event in events(tmp_path) if event.HasField("session_log")] == [0, 7]


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        EventLog(tmp_path / "file" / "events")
