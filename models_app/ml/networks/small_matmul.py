"""Products of a few rows with a large matrix, as posts that are written side by side ask for. NumPy alone.

OpenBLAS copies the matrix into an order of its own at each product, which for a few rows takes longer than the product
itself. On processors with AVX-512 it has kernels for up to a million multiplications that read the matrix where it lies
(its kernel/x86_64/sgemm_small_kernel_permit_skylakex.c), so there a wide matrix is multiplied in parts that are as
small. Elsewhere parts would only be copied one by one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: Of rows, columns and what is summed up: the most that OpenBLAS multiplies without copying.
SMALL: Final = 10**6
#: Of one row the product is made without copying anyhow; beyond so many rows copying pays.
MIN_ROWS, MAX_ROWS = 2, 8
_VECTOR: Final = 16  # floats of a vector of AVX-512
_AVX_512: Final = frozenset({"AVX512_SKX", "X86_V4"})  # in the words of NumPy, those of before 2.4 and since


def _has_avx_512() -> bool:
    """Return whether NumPy has found it in this machine's processor."""
    # What is empty is left out there, as "found" is where the processor has nothing beyond the least.
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return not _AVX_512.isdisjoint(found)


#: Whether parts are worth it here.
IN_PARTS: Final = _has_avx_512()


def product(rows: Floats, matrix: Floats) -> Floats:
    """Return rows (B, A) @ matrix (A, N)."""
    width = SMALL // rows.size // _VECTOR * _VECTOR
    columns = matrix.shape[1]
    if not IN_PARTS or not MIN_ROWS <= len(rows) <= MAX_ROWS or not 0 < width < columns:
        return rows @ matrix
    made: Floats = np.empty((len(rows), columns), np.float32)
    for begin in range(0, columns, width):
        part = slice(begin, begin + width)
        np.matmul(rows, matrix[:, part], out=made[:, part])
    return made
