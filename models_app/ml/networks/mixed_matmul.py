"""Matrix products in the type that this machine multiplies fastest. Imports TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import tensorflow as tf

Tensor = Any
PRODUCTS_VARIABLE = "BOTFACTORY_ML_PRODUCTS"


def product_type(choice: str | None = None) -> str:
    """Return the type of matrix products: "bfloat16" where the processor multiplies it faster, else "float32".

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
        described = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "float32"
    return "bfloat16" if has_fast_bfloat16(described) else "float32"


def has_fast_bfloat16(described: str) -> bool:
    """Return whether a processor, in the words of /proc/cpuinfo, multiplies bfloat16 faster than float32.

    With AMX each does. Of those that have AVX512_BF16 alone, as an Intel whose AMX a virtual machine hides, AMD's take
    two thirds of the time of float32 and Intel's nearly twice that time (docs/benchmarks.md).
    """
    flags = frozenset(described.split())
    return "amx_bf16" in flags or ("avx512_bf16" in flags and "GenuineIntel" not in flags)


def product(kind: Any, left: Tensor, right: Tensor) -> Tensor:
    """Return left (N, A) @ right (A, B) in float32, multiplied in the type `kind`, as are both gradients.

    The float32 operands are cast once each: those for the gradients are the ones that were cast for the product.
    """

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


def affine_parts(kind: Any, left: Tensor, right: Tensor, bias: Tensor, parts: int) -> list[Tensor]:
    """Return left (N, A) @ right (A, parts * B) + bias as that many arrays (N, B) in float32, multiplied as `product`.

    As products of their own they need not be cut out of one array; the gradients are one product. That of the bias is
    a product as well, with a row of ones: it takes a third of what adding up row by row takes.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(left: Tensor, right: Tensor, bias: Tensor) -> Any:
        small_left, small_right = tf.cast(left, kind), tf.cast(right, kind)

        def gradient(*upstream: Tensor) -> Any:
            small = tf.concat([tf.cast(part, kind) for part in upstream], axis=1)
            to_left = tf.matmul(small, small_right, transpose_b=True)
            to_right = tf.matmul(small_left, small, transpose_a=True)
            to_bias = tf.matmul(tf.ones((1, tf.shape(small)[0]), kind), small)[0]
            return tuple(tf.cast(each, tf.float32) for each in (to_left, to_right, to_bias))

        kernels, biases = tf.split(small_right, parts, axis=1), tf.split(bias, parts)
        made = [tf.matmul(small_left, kernel) for kernel in kernels]
        return [tf.cast(part, tf.float32) + each for part, each in zip(made, biases, strict=True)], gradient

    return run(left, right, bias)  # type: ignore[no-any-return]
