"""Pages answer 404 for a thing that doesn't exist, also if it is deleted between its look-up and a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404


@contextmanager
def missing_is_404(missing: type[ObjectDoesNotExist]) -> Iterator[None]:
    """Turn this error into Http404, in a block or, as `@missing_is_404(Search.DoesNotExist)`, in a view."""
    try:
        yield
    except missing:
        raise Http404("This doesn't exist, or it was deleted meanwhile.") from None
