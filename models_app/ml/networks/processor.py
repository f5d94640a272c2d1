"""How this process multiplies matrices, and on how many cores: all that can be said without TensorFlow."""

from __future__ import annotations

import os

from models_app.ml.errors import LearningError, mark

PRODUCTS_VARIABLE = "BOTFACTORY_ML_PRODUCTS"


def wanted_products(choice: str | None = None) -> str:
    """Return the wanted dtype of matrix products: "auto", "bfloat16" or "float32".

    `choice` overrides the environment variable BOTFACTORY_ML_PRODUCTS. Raises LearningError for any other value.
    """
    wanted = (choice or os.environ.get(PRODUCTS_VARIABLE, "")).strip().lower() or "auto"
    if wanted not in ("auto", "bfloat16", "float32"):
        raise LearningError(
            mark("%(name)s must be %(choices)s, not %(value)s."),
            name=PRODUCTS_VARIABLE,
            choices="auto, bfloat16 or float32",
            value=repr(wanted),
        )
    return wanted


def available() -> int:
    """Return the number of cores that this process can use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
