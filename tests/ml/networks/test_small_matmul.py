from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models_app.ml.networks import small_matmul
from models_app.ml.networks.small_matmul import product


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("shape", [(512, 1536), (144, 512), (5, 3), (300, 1003)])
@pytest.mark.parametrize("in_parts", [True, False])
def test_the_product_is_that_of_numpy(
    rows: int, shape: tuple[int, int], in_parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_matmul, "IN_PARTS", in_parts)
    rng = np.random.default_rng(rows)
    left, matrix = rng.standard_normal((rows, shape[0]), np.float32), rng.standard_normal(shape, np.float32)
    found = product(left, matrix)
    assert found.shape == (rows, shape[1]) and found.dtype == np.float32
    np.testing.assert_allclose(found, left.astype(np.float64) @ matrix, atol=2e-4)


@pytest.mark.parametrize(("rows", "parts"), [(1, 1), (2, 2), (4, 4), (8, 7), (9, 1), (64, 1)])
def test_few_rows_are_multiplied_in_parts_that_openblas_does_not_copy(
    rows: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []
    matmul = np.matmul

    def noted(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
        widths.append(right.shape[1])
        matmul(left, right, out=out)

    monkeypatch.setattr(np, "matmul", noted)
    monkeypatch.setattr(small_matmul, "IN_PARTS", True)
    product(np.ones((rows, 512), np.float32), np.ones((512, 1536), np.float32))
    assert sum(widths) == (1536 if parts > 1 else 0) and len(widths) == (parts if parts > 1 else 0)
    assert all(rows * 512 * width <= small_matmul.SMALL for width in widths)


def test_where_openblas_copies_all_the_same_there_are_no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_matmul, "IN_PARTS", False)
    monkeypatch.delattr(np, "matmul")
    assert product(np.ones((4, 512), np.float32), np.ones((512, 1536), np.float32)).shape == (4, 1536)


@pytest.mark.parametrize(
    ("told", "has"),
    [
        ({}, False),
        ({"SIMD Extensions": {"baseline": ["NEON"]}}, False),
        ({"SIMD Extensions": {"found": ["SSSE3", "AVX2", "AVX512F"]}}, False),
        ({"SIMD Extensions": {"found": ["AVX2", "AVX512F", "AVX512_SKX"]}}, True),
        ({"SIMD Extensions": {"found": ["X86_V3", "X86_V4"]}}, True),
    ],
)
def test_avx_512_is_read_off_what_numpy_tells(told: Any, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "show_config", lambda mode: told)
    assert small_matmul._has_avx_512() is has


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="Linux alone has it")
def test_avx_512_is_found_where_the_kernel_tells_of_it() -> None:
    flags = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    assert ({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"} <= flags) == small_matmul.IN_PARTS
