"""How a search goes about: how many trials, how they're chosen and ended, how many at once."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from django.utils.translation import gettext as _

from botfactory.words.translation import grouped
from models_app.bots.errors import ModelError
from models_app.search.rows import Search

MAX_TRIALS, DEFAULT_TRIALS = 500, 20
#: The most trials that run at once.
MAX_AT_ONCE: Final = 8


class SearchError(ModelError):
    """A search can't do this. The message says why."""

    code = "search_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What all searches can choose. `seed`: None to draw one. Raises SearchError."""

    trials: int = DEFAULT_TRIALS
    sampler: str = Search.Sampler.TPE
    pruner: str = Search.Pruner.MEDIAN
    at_once: int = 1
    seed: int | None = None

    def __post_init__(self) -> None:
        require_trials(self.trials)
        if not 1 <= self.at_once <= MAX_AT_ONCE:
            message = _("Let 1 to %(most)s trials run at once, not %(count)s.")
            raise SearchError(message % {"most": MAX_AT_ONCE, "count": self.at_once})
        if self.sampler not in Search.Sampler.values:
            message = _("There is no sampler %(name)s. Choose one of: %(names)s.")
            raise SearchError(message % {"name": self.sampler, "names": ", ".join(Search.Sampler.values)})
        if self.pruner not in Search.Pruner.values:
            message = _("There is no pruner %(name)s. Choose one of: %(names)s.")
            raise SearchError(message % {"name": self.pruner, "names": ", ".join(Search.Pruner.values)})
        if self.seed is not None and not 0 <= self.seed < 2**31:
            raise SearchError(_("Choose a seed from 0 to %(most)s.") % {"most": grouped(2**31 - 1)})

    def columns(self) -> dict[str, Any]:
        """Return these values as columns of a Search."""
        settled = replace(self, seed=secrets.randbelow(2**31)) if self.seed is None else self
        values = asdict(settled)
        return {"wanted": values.pop("trials"), **values}


def require_trials(count: int) -> None:
    """Raise SearchError for a number of trials that nobody can want."""
    if not 1 <= count <= MAX_TRIALS:
        message = _("Choose 1 to %(most)s trials, not %(count)s.")
        raise SearchError(message % {"most": MAX_TRIALS, "count": grouped(count)})
