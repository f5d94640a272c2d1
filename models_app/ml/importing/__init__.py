"""Networks that others trained, taken over from files of other libraries. Nothing in these files is trusted."""

from __future__ import annotations
