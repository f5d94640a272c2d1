from __future__ import annotations

import signal
import sys
from typing import Any

from botfactory.ops.commands import ProductCommand
from botfactory.scheduler import Scheduler


class Command(ProductCommand):
    help = "Look after jobs, and call workers for what waits. `run` starts a scheduler. A second one does no harm."

    # They load every page, which takes 27 MB. `run` and the doctor do them.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        # The first process of a container ends only by signals that it handles.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        Scheduler().run()
