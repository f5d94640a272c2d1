#!/usr/bin/env python
from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "botfactory.settings")
    if sys.argv[1:2] in (["run"], ["writer"]):
        # Before NumPy is loaded: a writer has threads of its own, and those of OpenBLAS would wait for each other.
        # `run` must have no other threads, because it forks.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            "Django is not installed for this Python. Run `make setup` once, then `.venv/bin/python manage.py ...`."
        ) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
