"""Values of a file that anybody may have written: known fields of the right type, and nothing else."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

#: A NUL as JSON writes it: after no backslash, or after an even number of them.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
#: The years that the date of a file in a ZIP can have. Downloads of bots need it.
_FIRST_YEAR, _LAST_YEAR = 1980, 2107


class Facts(BaseModel):
    """An object of the file. Unknown fields are ignored, as a newer version may have more."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


def json_of(data: bytes) -> Any:
    """Return the content of the JSON. Raises ValueError for broken JSON, and for values that a database can't store."""
    try:
        content = json.loads(data, parse_constant=_no_number)
        text = json.dumps(content, allow_nan=False, ensure_ascii=False)
    except RecursionError as error:
        raise ValueError("It is nested too deeply.") from error
    text.encode()
    if _NUL.search(text):
        raise ValueError("It contains NUL characters.")
    return content


def _no_number(text: str) -> float:
    raise ValueError(text)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("This is no date in UTC.") from error


def _recent(moment: datetime) -> datetime:
    if not _FIRST_YEAR < moment.year < _LAST_YEAR:
        raise ValueError("Nothing here was made then.")
    return moment


#: A moment in UTC.
InUtc = Annotated[AwareDatetime, AfterValidator(_in_utc)]
#: When something was made in a Bot Factory.
MadeAt = Annotated[InUtc, AfterValidator(_recent)]
