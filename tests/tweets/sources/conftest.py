from __future__ import annotations

from hypothesis import settings

# On a busy machine an example may take long; what hangs is found by the tests that say so.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
