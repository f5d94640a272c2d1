"""Find tests that can pass without asserting anything.

A test is sound if it asserts on every path, if no assertion is under an `if` or `except`, and if it skips, if at all,
before it has done anything. An assertion is an `assert`, `pytest.raises` and similar, Playwright's `expect`, a call of
anything named `assert_...`, and a call of a test function that always asserts. A loop counts if its items are written
out, or come from a generator that always yields, so that it can't be empty.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)
ASSERTING = {"raises", "warns", "fail", "expect"}
SAME_LENGTH = {"enumerate", "sorted", "reversed", "list", "tuple", "set", "items", "keys", "values"}


@dataclass
class Module:
    """A file of tests.

    imported: names from other test files. filled: names of written-out values that aren't empty, and of generators that
    always yield. asserting: names of functions that always assert.
    """

    tree: ast.Module
    functions: dict[str, Function] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    asserting: set[str] = field(default_factory=set)


def read(source: str) -> Module:
    """Return the module whose text this is."""
    module = Module(ast.parse(source))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
            module.imported |= {alias.asname or alias.name: (str(node.module), alias.name) for alias in node.names}
    functions = [node for node in module.tree.body if isinstance(node, FUNCTIONS)]
    module.functions = {function.name: function for function in functions if not function.name.startswith("test_")}
    for node in module.tree.body:
        _note_filled(node, module.filled)
    return module


def modules(root: Path) -> dict[str, Module]:
    """Return all modules in the folder `root` by their dotted names, with what each knows about the others."""
    found = {
        ".".join(path.relative_to(root.parent).with_suffix("").parts): read(path.read_text(encoding="utf-8"))
        for path in sorted(root.rglob("*.py"))
    }
    known = -1
    while known < (known := sum(len(module.asserting) + len(module.filled) for module in found.values())):
        for module in found.values():
            for name, function in module.functions.items():
                if name not in module.asserting and Way(module).block(function.body):
                    module.asserting.add(name)
                if name not in module.filled and Way(module, to_yield=True).block(function.body):
                    module.filled.add(name)
            for name, (origin, there) in module.imported.items():
                if origin in found:
                    module.asserting |= {name} if there in found[origin].asserting else set()
                    module.filled |= {name} if there in found[origin].filled else set()
    return found


def complaints(module: Module) -> Iterator[tuple[int, str]]:
    """Yield the line of each unsound test in the module, and what is wrong with it."""
    for test in ast.walk(module.tree):
        if isinstance(test, FUNCTIONS) and test.name.startswith("test_"):
            if not Way(module).block(test.body):
                yield test.lineno, f"{test.name} can pass without asserting anything"
            for line in _under_if(test.body):
                yield line, f"{test.name} asserts under a condition"
            for line in _late_skips(test.body):
                yield line, f"{test.name} skips after it has begun"


class Way:
    """One path through a function to its first assertion (or yield, with `to_yield`), with the names known along it."""

    def __init__(self, module: Module, *, to_yield: bool = False) -> None:
        self.to_yield = to_yield
        self.asserting = set() if to_yield else ASSERTING | module.asserting
        self.filled = set(module.filled)

    def block(self, body: list[ast.stmt]) -> bool:
        """Whether these statements reach an assertion on every path."""
        for statement in body:
            if isinstance(statement, FUNCTIONS):
                if self.block(statement.body):
                    self.asserting = self.asserting | {statement.name}
                continue
            if self.statement(statement):
                return True
            if _leaves(statement):
                return False
            _note_filled(statement, self.filled)
        return False

    def statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Assert():
                return not self.to_yield
            case ast.With() | ast.AsyncWith():
                return any(self.expression(item.context_expr) for item in node.items) or self.block(node.body)
            case ast.If():
                return self.expression(node.test) or (self.block(node.body) and self.block(node.orelse))
            case ast.For() | ast.AsyncFor():
                return self.expression(node.iter) or (_is_filled(node.iter, self.filled) and self.block(node.body))
            case ast.While():
                return self.expression(node.test)
            case ast.Try():
                handled = all(self.block(handler.body) for handler in node.handlers)
                return self.block(node.finalbody) or (handled and self.block(node.body + node.orelse))
            case ast.ClassDef() | ast.Match():
                return False
            case _:
                return self.expression(node)

    def expression(self, node: ast.AST) -> bool:
        """Whether a call in it asserts, or gets a function that does; with `to_yield`, whether it yields."""
        if self.to_yield:
            return any(isinstance(each, ast.Yield) for each in ast.walk(node))
        for call in ast.walk(node):
            if isinstance(call, ast.Call):
                name = _name(call.func)
                known = name if isinstance(call.func, ast.Name) or name in ASSERTING else ""
                given = {argument.id for argument in call.args if isinstance(argument, ast.Name)}
                if name.startswith("assert_") or known in self.asserting or given & self.asserting:
                    return True
        return False


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _note_filled(node: ast.stmt, filled: set[str]) -> None:
    """Add to `filled` the names of written-out values that aren't empty."""
    match node:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=value)
        ):
            (filled.add if value and _is_filled(value, filled) else filled.discard)(name)
        case _:
            pass


def _is_filled(node: ast.expr, filled: set[str]) -> bool:
    match node:
        case ast.Tuple(elts=within) | ast.List(elts=within) | ast.Set(elts=within):
            return any(not isinstance(each, ast.Starred) or _is_filled(each.value, filled) for each in within)
        case ast.Dict(keys=keys):
            return any(key is not None for key in keys)
        case ast.Constant(value=str() | int() as value):
            return bool(value)
        case ast.ListComp(generators=[ast.comprehension(iter=within, ifs=[])]):
            return _is_filled(within, filled)
        case ast.Name(id=name):
            return name in filled
        case ast.IfExp(body=one, orelse=other):
            return _is_filled(one, filled) and _is_filled(other, filled)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_filled(left, filled) or _is_filled(right, filled)
        case ast.Call(func=ast.Name(id="range"), args=[end]):
            return _is_filled(end, filled)
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(), ast.Constant(), *_]):
            return True
        case ast.Call(func=ast.Name(id="zip"), args=args, keywords=keywords):
            return (any if keywords else all)(_is_filled(each, filled) for each in args)
        case ast.Call(func=ast.Attribute(attr="product"), args=args):
            return all(_is_filled(each, filled) for each in args)
        case ast.Call(func=ast.Name(id=name), args=[within, *_]) if name in SAME_LENGTH:
            return _is_filled(within, filled)
        case ast.Call(func=ast.Attribute(attr=name, value=within), args=[]) if name in SAME_LENGTH:
            return _is_filled(within, filled)
        case ast.Call(func=ast.Name(id=name)):
            return name in filled
    return False


def _leaves(node: ast.AST) -> bool:
    """Whether the function may end in this statement."""
    return isinstance(node, ast.Return) or (
        not isinstance(node, SCOPES) and any(_leaves(child) for child in ast.iter_child_nodes(node))
    )


def _under_if(body: list[ast.stmt], inside: bool = False) -> Iterator[int]:
    for node in body:
        if inside and isinstance(node, ast.Assert):
            yield node.lineno
        if not isinstance(node, SCOPES):
            for part in ("body", "orelse", "finalbody"):
                yield from _under_if(getattr(node, part, []), inside or isinstance(node, ast.If))
            for part in ("handlers", "cases"):
                for each in getattr(node, part, []):
                    yield from _under_if(each.body, True)


def _late_skips(body: list[ast.stmt]) -> Iterator[int]:
    for node in body[1:]:
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and _name(call.func) == "skip":
                yield call.lineno
