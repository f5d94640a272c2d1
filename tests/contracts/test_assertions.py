"""Each test asserts on every path."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest
from django.conf import settings

from tests.contracts.assertions import Module, complaints, modules, read

TESTS = Path(settings.BASE_DIR) / "tests"
SILENT = "can pass without asserting anything"
CONDITIONAL = "asserts under a condition"


def said(body: str, before: str = "") -> set[str]:
    module = read(f"{before}\ndef test_it(x):\n{indent(body, '    ')}\n")
    return {sentence.removeprefix("test_it ") for _, sentence in complaints(module)}


def test_no_test_asserts_only_under_a_condition() -> None:
    found = modules(TESTS)
    assert len(found) > 150
    assert [
        f"{name.replace('.', '/')}.py:{line}: {sentence}"
        for name, module in found.items()
        for line, sentence in complaints(module)
    ] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("f(x)", {SILENT}),
        ("if x:\n    assert f(x)", {SILENT, CONDITIONAL}),
        ("if x:\n    assert f(x)\nelse:\n    assert g(x)", {CONDITIONAL}),
        ("assert f(x)\nif x:\n    assert g(x)", {CONDITIONAL}),
        ("for each in f(x):\n    assert each", {SILENT}),
        ("for each in [*x]:\n    assert each", {SILENT}),
        ("for each in range(x):\n    assert each", {SILENT}),
        ("for each in [y for y in (1, 2) if y in x]:\n    assert each", {SILENT}),
        ("these = (1, 2)\nthese = x\nfor each in these:\n    assert each", {SILENT}),
        ("while x:\n    assert f(x)", {SILENT}),
        ("if x:\n    return\nassert f(x)", {SILENT}),
        ("try:\n    f(x)\nexcept ValueError as error:\n    assert str(error)", {SILENT, CONDITIONAL}),
        ("try:\n    assert f(x)\nexcept ValueError:\n    pass", {SILENT}),
        ("try:\n    f(x)\nexcept ValueError:\n    return\nassert x", {SILENT}),
        ("match x:\n    case 1:\n        assert f(x)", {SILENT, CONDITIONAL}),
        ("def within():\n    assert f(x)", {SILENT}),
        ("y = f(x)\nif y:\n    pytest.skip('not here')\nassert y", {"skips after it has begun"}),
    ],
)
def test_it_finds_what_can_pass_in_silence(body: str, expected: set[str]) -> None:
    assert said(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "f(x)\nassert g(x)",
        "with pytest.raises(ValueError):\n    f(x)",
        "expect(x.locator('p')).to_be_visible()",
        "np.testing.assert_allclose(x, 1)",
        "for each in (1, 2):\n    assert f(each)",
        "for each in THESE.items():\n    assert f(each)",
        "for one, other in zip(THESE, x, strict=True):\n    assert one == other",
        "for each in [f(y) for y in range(3)]:\n    assert each",
        "with f(x) as y:\n    assert y",
        "try:\n    f(x)\nfinally:\n    assert x",
        "def within():\n    assert f(x)\nall_at_once(within)",
        "if x:\n    y = 1\nelse:\n    y = 2\nassert f(y)",
        "if x:\n    pytest.skip('not here')\nassert f(x)",
        "checked(x)",
    ],
)
def test_it_leaves_alone_what_always_asserts(body: str) -> None:
    module = read(f"THESE = {{1: 2}}\ndef checked(x):\n    assert x\ndef test_it(x):\n{indent(body, '    ')}\n")
    assert list(complaints(_known(module))) == []


def test_it_knows_the_functions_of_other_files(tmp_path: Path) -> None:
    root = tmp_path / "tests"
    root.mkdir()
    (root / "helpers.py").write_text(
        "TIMES = 3\n"
        "def sure(x):\n    assert x\n"
        "def unsure(x):\n    if x:\n        assert x\n"
        "def some():\n    for each in range(TIMES):\n        yield each\n"
        "def maybe(x):\n    for each in x:\n        yield each\n"
    )
    (root / "test_it.py").write_text(
        "from tests.helpers import maybe, some, sure, unsure\n"
        "def test_one():\n    sure(1)\n"
        "def test_two():\n    unsure(1)\n"
        "def test_three():\n    for each in some():\n        assert each\n"
        "def test_four():\n    for each in maybe([]):\n        assert each\n"
    )
    found = modules(root)
    assert [sentence for _, sentence in complaints(found["tests.test_it"])] == [
        f"test_two {SILENT}",
        f"test_four {SILENT}",
    ]


def _known(module: Module) -> Module:
    module.asserting.add("checked")
    return module
