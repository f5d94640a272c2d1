"""The import contracts of pyproject.toml have no exceptions: who breaks one changes the contract or the code."""

from __future__ import annotations

import tomllib

from tests.product import ROOT


def test_no_import_is_an_exception_from_its_contract() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert len(linter["contracts"]) > 10
    assert [contract["name"] for contract in linter["contracts"] if "ignore_imports" in contract] == []
