"""Three works race to learn a curve, each in a process of its own; the flow watches, cuts one short, keeps the best."""

import math
import random

import lightning as L

EPOCHS = 8000
MILESTONES = (500, 1000, 2000, 4000, 8000)
POINTS = [(i / 40, math.sin(math.tau * i / 40)) for i in range(41)]


class Network:
    """x → tanh layer → y, trained by gradient descent in plain Python."""

    def __init__(self, hidden, seed):
        rng = random.Random(seed)
        self.weights = [[rng.uniform(-6, 6), rng.uniform(-3, 3), rng.uniform(-0.5, 0.5)] for _ in range(hidden)]

    def __call__(self, x):
        return sum(c * math.tanh(a * x + b) for a, b, c in self.weights)

    def epoch(self, rate):
        """One step for each point; returns the mean squared error before it."""
        total = 0.0
        for x, y in POINTS:
            error = self(x) - y
            total += error * error
            for neuron in self.weights:
                a, b, c = neuron
                h = math.tanh(a * x + b)
                slope = error * c * (1 - h * h)
                neuron[0] -= rate * slope * x
                neuron[1] -= rate * slope
                neuron[2] -= rate * error * h
        return total / len(POINTS)


class Trainer(L.LightningWork):
    """Long-running code belongs in a work: it has a process of its own, and its attributes are shared with the flow."""

    def __init__(self, rate):
        super().__init__(parallel=True)
        self.rate = rate
        self.losses = {}  # the work fills it in, the flow reads it while the work goes on
        self.last_epoch = EPOCHS  # the flow lowers it, the work sees that within milliseconds

    def run(self, hidden):
        network = Network(hidden, seed=1)
        epoch = 0
        while epoch < self.last_epoch:
            epoch += 1
            loss = network.epoch(self.rate)
            if epoch in MILESTONES:
                self.losses[epoch] = loss
        print(f"rate {self.rate}: {'done' if epoch == EPOCHS else 'gave up'} after {epoch} epochs")
        return [[round(value, 4) for value in neuron] for neuron in network.weights]


class Race(L.LightningFlow):
    """Quick logic belongs in a flow: `run` is called again whenever something has changed."""

    def __init__(self):
        super().__init__()
        self.trainers = L.structures.List(*(Trainer(rate) for rate in (0.0005, 0.002, 0.02)))
        self.reported = 0

    def run(self):
        results = [trainer.run(hidden=16) for trainer in self.trainers]  # parallel: starts them, and returns at once
        self.report()
        self.cut_the_slowest()
        if all(trainer.has_succeeded for trainer in self.trainers):
            best = min(range(len(results)), key=lambda i: self.trainers[i].losses[max(self.trainers[i].losses)])
            self.show(self.trainers[best].rate, results[best])
            self.stop("The race is over.")

    def report(self):
        """One line for each milestone that all who are still in the race have passed."""
        racing = [trainer for trainer in self.trainers if trainer.last_epoch == EPOCHS]
        while self.reported < len(MILESTONES) and all(MILESTONES[self.reported] in t.losses for t in racing):
            milestone = MILESTONES[self.reported]
            losses = "   ".join(f"rate {t.rate}: {t.losses[milestone]:.5f}" for t in racing)
            print(f"epoch {milestone:4}: mean error by {losses}")
            self.reported += 1

    def cut_the_slowest(self):
        if self.reported == 1 and all(trainer.last_epoch == EPOCHS for trainer in self.trainers):
            slowest = max(self.trainers, key=lambda trainer: trainer.losses[MILESTONES[0]])
            slowest.last_epoch = MILESTONES[0]
            print(f"the flow tells rate {slowest.rate} to give up")

    def show(self, rate, weights):
        network = Network(0, seed=0)
        network.weights = weights
        error = max(abs(network(x) - y) for x, y in POINTS)
        print(f"the best is rate {rate}; its curve is never further than {error:.2f} from the sine:")
        for row in range(4, -5, -1):
            print("   " + "".join("●" if round(4 * network(i / 60)) == row else " " for i in range(61)).rstrip())


if __name__ == "__main__":
    app = L.LightningApp(Race())
