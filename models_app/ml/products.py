"""Matrix products in the type that this machine multiplies fastest. Imports TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import tensorflow as tf

Tensor = Any
PRODUCTS_VARIABLE = "BOTFACTORY_ML_PRODUCTS"


def product_type(choice: str | None = None) -> str:
    """Returns the type of matrix products: "bfloat16" where the processor multiplies it natively, else "float32".

    `choice` or the environment variable BOTFACTORY_ML_PRODUCTS ("auto", "bfloat16", "float32") decides otherwise.
    """
    wanted = choice or os.environ.get(PRODUCTS_VARIABLE) or "auto"
    if wanted in ("bfloat16", "float32"):
        return wanted
    if wanted != "auto":
        raise ValueError(f"{PRODUCTS_VARIABLE} must be auto, bfloat16 or float32, not {wanted!r}.")
    if tf.config.list_physical_devices("GPU"):
        return "float32"
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "float32"
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def product(kind: Any, left: Tensor, right: Tensor) -> Tensor:
    """Returns left (N, A) @ right (A, B) in float32, multiplied in the type `kind`, as are both gradients.

    The float32 operands are cast once each: those for the gradients are the ones that were cast for the product.
    """
    if kind == tf.float32:
        return tf.matmul(left, right)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(left: Tensor, right: Tensor) -> Any:
        small_left, small_right = tf.cast(left, kind), tf.cast(right, kind)

        def gradient(upstream: Tensor) -> Any:
            small = tf.cast(upstream, kind)
            to_left = tf.matmul(small, small_right, transpose_b=True)
            to_right = tf.matmul(small_left, small, transpose_a=True)
            return tf.cast(to_left, tf.float32), tf.cast(to_right, tf.float32)

        return tf.cast(tf.matmul(small_left, small_right), tf.float32), gradient

    return run(left, right)
