"""Errors name files. Only those who have the server learn where the files are."""

from __future__ import annotations

from pathlib import Path

import pytest

from botfactory.words.translation import restored, stored, translated
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError, Said
from models_app.ml.state_file import StateError, load_state

TEMPLATE = "It can’t go on: %(first)s; %(second)s"


def seen_by_people(error: Said) -> list[str]:
    return [str(error), translated(error), restored(str(error), stored(error))]


def test_a_path_is_a_name_for_people_and_whole_at_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(tmp_path / "nowhere")
    error = caught.value
    assert (
        seen_by_people(error) == ["There is no readable model in nowhere: No such file or directory (config.json)."] * 3
    )
    assert str(tmp_path / "nowhere") in error.in_full


def test_a_path_stays_hidden_in_the_reason_of_another_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"nothing")
    with pytest.raises(StateError) as of_state:
        load_state(tmp_path / "state")
    with pytest.raises(CheckpointError) as of_model:
        checkpoint.load(tmp_path / "nowhere")
    error = CheckpointError(TEMPLATE, first=of_state.value, second=of_model.value)
    assert not [text for text in seen_by_people(error) if str(tmp_path) in text]
    assert f"no readable model in {tmp_path / 'nowhere'}" in error.in_full
