"""`python -m tests.tour`, for `make screenshots`."""

from __future__ import annotations

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "botfactory.settings")
    django.setup()
    from tests.tour.making import make

    make()


if __name__ == "__main__":
    main()
