"""Cells of CSV files that no spreadsheet takes for a formula."""

from __future__ import annotations

import re
from typing import Final

#: Spreadsheets run a cell that begins like this as a formula; the last ones are the wide forms of the first.
_FORMULA: Final = re.compile(r"^(?=[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
#: The same where a spreadsheet that separates by other characters would begin a cell.
_INNER_FORMULA: Final = re.compile(r"(?<=[;\t\r\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def safe(cell: str) -> str:
    """Return the text of a cell with an apostrophe before what would be a formula."""
    return _FORMULA.sub("'", cell)


def safe_throughout(cell: str) -> str:
    """Return the text of a cell that stays safe where another separator than the comma splits it."""
    return _INNER_FORMULA.sub("'", safe(cell))
