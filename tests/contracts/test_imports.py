"""The structure that people find their way by: contracts without exceptions, and rooms instead of loose modules."""

from __future__ import annotations

import tomllib

import pytest

from tests.product import ROOT

#: The most modules of an app that are in no room.
LOOSE = 8


def test_no_import_is_an_exception_from_its_contract() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert {"Rooms of models_app", "Rooms of publishing", "Rooms of tweets"} <= {
        contract["name"] for contract in linter["contracts"]
    }
    assert [contract["name"] for contract in linter["contracts"] if "ignore_imports" in contract] == []


@pytest.mark.parametrize("app", ["botfactory", "models_app", "publishing", "tweets"])
def test_each_module_is_in_a_room(app: str) -> None:
    loose = [path.name for path in (ROOT / app).glob("*.py") if path.name != "__init__.py"]
    assert len(loose) <= LOOSE, sorted(loose)
