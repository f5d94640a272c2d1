"""Posts in Parquet files, if the extra "parquet" is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tweets.preparation.batch import Batch, batch_of
from tweets.preparation.errors import PreparationError
from tweets.preparation.reading.packed import Meter
from tweets.preparation.reading.tables import AUTHOR_NAMES
from tweets.preparation.recipe import Recipe
from tweets.sources.base import storable
from tweets.sources.reading.records import TEXT_NAMES, field_name

_BATCH: Final = 20_000
_MAGIC: Final = b"PAR1"
_TEXTS: Final = ("Utf8", "LargeUtf8", "Utf8View")


def batches(path: Path, recipe: Recipe, meter: Meter) -> Iterator[Batch]:
    """Yield the posts of the file. A missing text is an empty one."""
    reader = _opened(path)
    names = [field_name(name) for name in reader.schema.names]
    text = _text_of(reader.schema, names, recipe.text_column, path)
    author = _author_of(names, recipe.author_column, path)
    while (some := _next(reader, path)) is not None:
        texts = [storable(each or "") for each in some.column(text).to_pylist()]
        authors = None
        if author is not None:
            authors = ["" if each is None else storable(str(each)) for each in some.column(author).to_pylist()]
        yield batch_of(texts, authors)
        meter(0)
    meter(path.stat().st_size)


def _opened(path: Path) -> Any:
    try:
        from arro3.io import read_parquet
    except ImportError:
        raise PreparationError(
            f"{path} is a Parquet file. To read it, install the extra: .uv/bin/uv sync --inexact --extra parquet"
        ) from None
    with path.open("rb") as file:
        begin = file.read(len(_MAGIC))
        file.seek(-min(len(_MAGIC), path.stat().st_size), 2)
        if begin != _MAGIC or file.read() != _MAGIC:
            raise _damaged(path)
    try:
        return read_parquet(path, batch_size=_BATCH)
    except BaseException as error:
        raise _translated(error, path) from error


def _next(reader: Any, path: Path) -> Any:
    try:
        return next(reader, None)
    except BaseException as error:
        raise _translated(error, path) from error


def _translated(error: BaseException, path: Path) -> BaseException:
    # A panic of Rust is no Exception.
    is_panic = type(error).__name__ == "PanicException"
    return _damaged(path) if is_panic or isinstance(error, Exception) else error


def _damaged(path: Path) -> PreparationError:
    return PreparationError(f"{path} is no Parquet file, or damaged. Export it again.")


def _text_of(schema: Any, names: Sequence[str], wanted: str, path: Path) -> int:
    texts = [at for at in range(len(names)) if any(f"<{kind}>" in repr(schema.field(at).type) for kind in _TEXTS)]
    if wanted:
        named = [at for at in texts if names[at] == field_name(wanted)]
    else:
        named = [names.index(name) for name in TEXT_NAMES if name in names and names.index(name) in texts]
    found = named or ([] if wanted else texts if len(texts) == 1 else [])
    if not found:
        shown = ", ".join(schema.names[at] for at in texts) or "none"
        raise PreparationError(
            f"Which column of {path} has the posts? Name it with --column. Those of texts are: {shown}."
        )
    return found[0]


def _author_of(names: Sequence[str], wanted: str, path: Path) -> int | None:
    if wanted and field_name(wanted) not in names:
        raise PreparationError(f"{path} has no column {wanted!r}. It has {', '.join(names)}. Correct --author-column.")
    known = [field_name(wanted)] if wanted else AUTHOR_NAMES
    return next((names.index(name) for name in known if name in names), None)
