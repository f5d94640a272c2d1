"""What the style guide shows: one of each part, with values that look like real ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from botfactory.jobs.states import State


def context() -> dict[str, Any]:
    """Return the context of the style guide's template."""
    return {
        "colours": _tokens_that_hold_colours(),
        "spaces": (1, 2, 3, 4, 5, 6, 8, 10, 16),
        "icons": re.findall(r'<symbol id="(\w+)"', _text_of("img/icons.svg")),
        "states": [state.value for state in State],
        "names": ("Ada", "The Kettle", "Night bus", "Pigeon", "Orla", "Quince", "Harbour", "Tin Man"),
        "posts": [
            _("The kettle is a small religion, and I am its only priest."),
            _("Went outside. The weather was mostly opinions."),
        ],
        "history": [
            {"epoch": 1, "train_loss": 1.62, "validation_loss": 1.58, "bits_per_character": 2.28, "seconds": 41},
            {"epoch": 2, "train_loss": 1.41, "validation_loss": 1.46, "bits_per_character": 2.11, "seconds": 40},
            {"epoch": 3, "train_loss": 1.33, "validation_loss": 1.44, "bits_per_character": 2.08, "seconds": 40},
            {"epoch": 4, "train_loss": 1.27, "validation_loss": 1.46, "bits_per_character": 2.11, "seconds": 42},
        ],
    }


def _tokens_that_hold_colours() -> list[str]:
    """Return the names of the colours in tokens.css, without the dashes."""
    return re.findall(r"--([a-z-]+): light-dark\(#", _text_of("css/base/tokens.css"))


def _text_of(name: str) -> str:
    return (Path(settings.BASE_DIR) / "static" / name).read_text(encoding="utf-8")
