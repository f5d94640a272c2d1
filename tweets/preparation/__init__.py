"""Prepare a corpus for a base model from files of any size: part 1 of the tutorial. Pure."""

from __future__ import annotations

from tweets.preparation.errors import PreparationError
from tweets.preparation.preparing import Progress, prepare
from tweets.preparation.reading.inputs import Format
from tweets.preparation.recipe import Packing, Recipe
from tweets.preparation.report import Report

__all__ = ["Format", "Packing", "PreparationError", "Progress", "Recipe", "Report", "prepare"]
