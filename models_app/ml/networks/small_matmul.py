"""Products of a few rows with a large matrix, as needed when sampling a few posts in parallel. NumPy only.

OpenBLAS repacks the matrix for each product, which takes longer than the product itself if there are only a few rows.
On CPUs with AVX-512, it has kernels without repacking for up to a million multiplications
(kernel/x86_64/sgemm_small_kernel_permit_skylakex.c in its source). On these CPUs, a wide matrix is multiplied in parts
of that size. On others, parts would only be repacked one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: The most multiplications (rows x columns x inner dimension) that OpenBLAS does without repacking.
SMALL: Final = 10**6
#: A single row never needs repacking; with more rows than the maximum, repacking pays off.
MIN_ROWS, MAX_ROWS = 2, 8
_VECTOR: Final = 16  # floats in an AVX-512 vector
_AVX_512: Final = frozenset({"AVX512_SKX", "X86_V4"})  # NumPy's names for it, before 2.4 and since


def _has_avx_512() -> bool:
    """Return whether NumPy has found AVX-512 in this machine's CPU."""
    # NumPy omits empty entries, so "found" is missing on a CPU with the baseline features only.
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return not _AVX_512.isdisjoint(found)


#: Whether multiplying in parts is faster on this CPU.
IN_PARTS: Final = _has_avx_512()


def product(rows: Floats, matrix: Floats, sizes: Sequence[int] = ()) -> Floats:
    """Return rows (B, A) @ matrix (A, N); with `sizes` as `by_batch` does."""
    if len(sizes) > 1:
        return by_batch(product, rows, matrix, sizes)
    width = SMALL // rows.size // _VECTOR * _VECTOR
    columns = matrix.shape[1]
    if not IN_PARTS or not MIN_ROWS <= len(rows) <= MAX_ROWS or not 0 < width < columns:
        return rows @ matrix
    out: Floats = np.empty((len(rows), columns), np.float32)
    for begin in range(0, columns, width):
        part = slice(begin, begin + width)
        np.matmul(rows, matrix[:, part], out=out[:, part])
    return out


def by_batch(
    multiply: Callable[[Floats, Floats], Floats], rows: Floats, matrix: Floats, sizes: Sequence[int]
) -> Floats:
    """Return rows (B, A) @ matrix (A, N), multiplied in batches of these sizes.

    Each row's result is exactly that of its batch alone: kernels for another number of rows round differently. The
    matrix is read from memory once, and from the cache for the other batches.
    """
    if len(sizes) < 2:
        return multiply(rows, matrix)
    begins = accumulate(sizes, initial=0)
    return np.concatenate(
        [multiply(rows[begin : begin + size], matrix) for begin, size in zip(begins, sizes, strict=False)]
    )
