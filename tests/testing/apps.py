"""Small apps for the tests of the kit."""

from __future__ import annotations

from typing import Any

import lightning as L


class Train(L.LightningWork):
    """One call, one result; hooks leave traces."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.loss = 1.0
        self.losses: Any = {}
        self.seen: Any = []

    def on_start(self) -> None:
        print("on_start ran")

    def run(self, lr: float) -> float:
        self.seen.append(lr)
        self.losses["last"] = lr / 2
        self.loss = lr / 2
        print(f"trained with {lr}")
        return lr * 10

    def on_exit(self) -> None:
        print("on_exit ran")


class Training(L.LightningFlow):
    """Trains once and stops."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.train = Train(**options)
        self.result: Any = None
        self.history: Any = []
        self.users: Any = []

    def run(self) -> None:
        if self.train.loss not in self.history:
            self.history.append(self.train.loss)
        self.result = self.train.run(lr=0.5)
        if self.result is not None:
            self.stop(f"The loss is {self.train.loss}.")

    def add_user(self, name: str, admin: bool = False) -> int:
        if not name:
            raise ValueError("a user has a name")
        self.users.append([name, admin])
        return len(self.users)


class Two(L.LightningFlow):
    """Two works beside each other; counts how often it ran."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.a = Train(parallel=True, **options)
        self.b = Train(parallel=True, **options)
        self._runs = 0

    def run(self) -> None:
        self._runs += 1
        self.a.run(1.0)
        self.b.run(2.0)
        if self.a.has_succeeded and self.b.has_succeeded:
            self.stop()


class Nightly(L.LightningFlow):
    """At three every night."""

    def __init__(self, cache_calls: bool = True) -> None:
        super().__init__()
        self.report = Train(parallel=True, cache_calls=cache_calls)
        self.nights = 0
        self.times: Any = []

    def run(self) -> None:
        if self.schedule("0 3 * * *"):
            self.nights += 1
            self.report.run(float(self.nights))
