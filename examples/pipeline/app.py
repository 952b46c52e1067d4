"""Works one after the other: each call waits for its work, and returns what the work's `run` returned."""

import random

import lightning as L


class Prepare(L.LightningWork):
    def run(self, count):
        rng = random.Random(0)
        rows = [(x / count, 2 * x / count + 1 + rng.gauss(0, 0.1)) for x in range(count)]
        print(f"prepared {len(rows)} rows")
        return rows


class Train(L.LightningWork):
    def run(self, rows):
        n = len(rows)
        mean_x, mean_y = sum(x for x, _ in rows) / n, sum(y for _, y in rows) / n
        slope = sum((x - mean_x) * (y - mean_y) for x, y in rows) / sum((x - mean_x) ** 2 for x, _ in rows)
        print("trained")
        return {"slope": slope, "offset": mean_y - slope * mean_x}


class Evaluate(L.LightningWork):
    def run(self, model, rows):
        print("evaluated")
        return sum((model["slope"] * x + model["offset"] - y) ** 2 for x, y in rows) / len(rows)


class Pipeline(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.prepare = Prepare()
        self.train = Train()
        self.evaluate = Evaluate()

    def run(self):
        # A call whose work is not done ends this turn.  The work's success starts the next turn, and there the call
        # falls through with the recorded value: so these lines run in order, though `run` is called several times.
        rows = self.prepare.run(count=200)
        model = self.train.run(rows)
        error = self.evaluate.run(model, rows)
        print(f"y = {model['slope']:.1f} x + {model['offset']:.1f}, mean squared error {error:.3f}")
        self.stop("The pipeline is done.")


app = L.LightningApp(Pipeline())
