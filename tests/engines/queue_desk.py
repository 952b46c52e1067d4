"""What a stand-in host's text works with where the engine reports from other threads."""

from __future__ import annotations

import queue
from typing import Any

from host.stand_in import Desk


class QueueDesk(Desk):
    """Hears through a queue, as no descriptor becomes readable."""

    def __init__(self, *about: Any) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()
        super().__init__(*about)

    def heard(self, event: Any) -> None:
        self.queue.put(event)

    def hear(self, seconds: float | None = None) -> None:
        try:
            self.events.append(self.queue.get(timeout=seconds))
        except queue.Empty:
            return
