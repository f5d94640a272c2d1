"""Matrix products in the dtype that this machine multiplies fastest. Imports TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from .processor import wanted_products

Tensor = Any


def product_type(choice: str | None = None) -> str:
    """Return the dtype of matrix products: "bfloat16" if this CPU multiplies it faster, else "float32".

    `choice` and BOTFACTORY_ML_PRODUCTS override this (`wanted_products`). Raises LearningError for a wrong one.
    """
    wanted = wanted_products(choice)
    if wanted != "auto":
        return wanted
    if has_gpu():
        return "float32"
    try:
        cpu_info = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "float32"
    return "bfloat16" if has_fast_bfloat16(cpu_info) else "float32"


def has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def has_fast_bfloat16(cpu_info: str) -> bool:
    """Return whether the CPU with this /proc/cpuinfo text multiplies bfloat16 faster than float32.

    All CPUs with AMX do. With AVX512_BF16 alone (for example, if a virtual machine hides an Intel's AMX), AMD CPUs take
    two thirds of the time of float32, and Intel CPUs nearly twice the time of float32 (docs/benchmarks.md).
    """
    flags = frozenset(cpu_info.split())
    return "amx_bf16" in flags or ("avx512_bf16" in flags and "GenuineIntel" not in flags)


def product(kind: Any, left: Tensor, right: Tensor) -> Tensor:
    """Return left (N, A) @ right (A, B) as float32, multiplied in the dtype `kind`. So are both gradients.

    Each float32 operand is cast only once: the gradients reuse the casts of the forward product.
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
    """Return left (N, A) @ right (A, parts * B) + bias as `parts` float32 arrays (N, B), multiplied as in `product`.

    Separate products avoid cutting the parts out of one array; the gradients use one product. The gradient of the bias
    is a product with a row of ones, which takes a third of the time of summing the rows.
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
