"""Why a preparation can't begin or go on, in sentences for the operator."""

from __future__ import annotations


class PreparationError(Exception):
    """The message says what is wrong, where, and what to do."""

    code = "preparation"
