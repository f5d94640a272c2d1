#!/usr/bin/env python
from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "botfactory.settings")
    if sys.argv[1:2] in (["run"], ["web"], ["writer"]):
        # Before NumPy is loaded: a writer has threads of its own, and those of OpenBLAS would wait for each other.
        # `run` must have no other threads, because it forks, and `web` multiplies nothing.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            "Django is not installed for this Python. Run `make setup` once, then `.venv/bin/python manage.py ...`."
        ) from error
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if settings.configured:
            raise
        # They couldn't be read, and the message names the wrong one.
        raise SystemExit(f"A setting is wrong: {error} See docs/configuration.md.") from None


if __name__ == "__main__":
    main()
