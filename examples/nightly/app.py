"""A model is trained every night at two, and used from then on if it is better.  `docs/testing.md` tests it step by step."""

import random

import lightning as L

HOUR = 3600


class Train(L.LightningWork):
    """Fits a line through the points of one night."""

    def __init__(self):
        super().__init__(parallel=True, raise_exception=False, retries=2, backoff=60, timeout=HOUR / 2)
        self.epoch = 0

    def run(self, night):
        draw = random.Random(night)
        points = [(x / 50, 2 * x / 50 + draw.gauss(0, 0.1)) for x in range(50)]
        slope = 0.0
        for self.epoch in range(1, 21):
            slope -= 0.5 * sum(2 * x * (slope * x - y) for x, y in points) / len(points)
        return sum((slope * x - y) ** 2 for x, y in points) / len(points)


class Nightly(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.train = Train()
        self.night = 0
        self.used = 0  # the night whose model is in use, 0 before the first
        self.error = None  # of that model
        self.judged = 0  # the last night whose model was looked at
        self.missed = []  # nights that left no model

    def run(self):
        if self.schedule("0 2 * * *"):  # true at once the first time, then once for each due time
            self.night += 1
        error = self.train.run(self.night)
        if self.train.has_failed and self.night not in self.missed:
            self.missed.append(self.night)
        if error is not None and self.judged < self.night:
            self.judged = self.night
            if self.error is None or error < self.error:
                self.error, self.used = error, self.night
                print(f"night {self.night}: using a model with error {error:.4f}")

    def forget(self):
        """Use no model until the next night's; for a route or a command."""
        self.error, self.used = None, 0


if __name__ == "__main__":
    app = L.LightningApp(Nightly())
