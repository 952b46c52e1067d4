"""Benchmark apps, written only against the public API that both frameworks share.

FRAMEWORK picks the import ("lightning" here, "lightning_app" for the reference);
CASE picks the app; figures go, a JSON object a line, to the file BENCH_OUT.
"""

import importlib
import json
import os
import time

L = importlib.import_module(os.environ.get("FRAMEWORK", "lightning"))
CASE = os.environ["CASE"]
N = int(os.environ.get("N", "10"))
OUT = os.environ["BENCH_OUT"]


def emit(**figures):
    with open(OUT, "a") as f:
        f.write(json.dumps({"case": CASE, "n": N, "t": time.time(), **figures}) + "\n")


def pct(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


class Start(L.LightningFlow):
    """Seconds from the command line to the first run() of the root flow."""

    def run(self):
        emit(first_run_s=time.time() - float(os.environ["BENCH_T0"]))
        self.stop()


class Once(L.LightningWork):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.began = 0.0
        self.done = False

    def run(self, i=0):
        self.began = time.time()
        self.done = True


class WorkStart(L.LightningFlow):
    """Seconds from work.run() in the flow to run() in the work, and to the flow seeing it finished."""

    def __init__(self):
        super().__init__()
        self.w = Once(start_with_flow=False)
        self.called = 0.0

    def run(self):
        if not self.called:
            self.called = time.time()
        self.w.run()
        if self.w.has_succeeded:
            emit(start_s=self.w.began - self.called, finish_seen_s=time.time() - self.called)
            self.stop()


class WarmCalls(L.LightningFlow):
    """Seconds per call of one already started work with N different arguments, one after another."""

    def __init__(self):
        super().__init__()
        self.w = Once()
        self.t0 = 0.0

    def run(self):
        for i in range(N):
            self.w.run(i)
            if i == 0 and self.w.has_succeeded and not self.t0:
                self.t0 = time.time()
        if self.w.has_succeeded:
            emit(per_call_s=(time.time() - self.t0) / max(1, N - 1))
            self.stop()


class Calls(L.LightningFlow):
    """Blocking calls a second of one started work, each with other arguments, over N seconds after the first 20."""

    def __init__(self):
        super().__init__()
        self.w = Once()
        self.made, self.t0 = 0, 0.0

    def run(self):
        self.w.run(self.made)
        self.made += 1
        now = time.time()
        if self.made == 20:
            self.t0 = now
        elif self.t0 and now - self.t0 > N:
            emit(calls_per_s=(self.made - 20) / (now - self.t0))
            self.stop()


class Ticker(L.LightningWork):
    def __init__(self, pause):
        super().__init__(parallel=True)
        self.pause = pause
        self.stamp = [0, 0.0]

    def run(self):
        for i in range(1, N + 1):
            self.stamp = [i, time.time()]
            time.sleep(self.pause)


class Propagation(L.LightningFlow):
    """Latency from an assignment in the work to the flow's run() reading it, with a calm writer."""

    def __init__(self):
        super().__init__()
        self.w = Ticker(0.02)
        self._seen = {}

    def run(self):
        self.w.run()
        i, t = self.w.stamp
        if i and i not in self._seen:
            self._seen[i] = time.time() - t
        if i >= N:
            v = list(self._seen.values())
            emit(p50_ms=1e3 * pct(v, 0.5), p99_ms=1e3 * pct(v, 0.99), seen=len(v))
            self.stop()


class BusyTicker(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.stamp = [0, 0.0]

    def run(self):
        for i in range(1, N + 1):
            self.stamp = [i, time.time()]
            end = time.time() + 0.02
            while time.time() < end:  # computes on, in pure Python, without ever giving way
                sum(range(500))


class Busy(L.LightningFlow):
    """The latency of `propagation` when the work goes on computing after its assignment."""

    def __init__(self):
        super().__init__()
        self.w = BusyTicker()
        self._seen = {}

    def run(self):
        self.w.run()
        i, t = self.w.stamp
        if i and i not in self._seen:
            self._seen[i] = time.time() - t
        if i >= N:
            v = list(self._seen.values())
            emit(p50_ms=1e3 * pct(v, 0.5), p99_ms=1e3 * pct(v, 0.99), seen=len(v))
            self.stop()


class Appender(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.items = []
        self.t0 = 0.0

    def run(self):
        self.t0 = time.time()
        for i in range(N):
            self.items.append(i)


class Appends(L.LightningFlow):
    """Appends a second to one growing list, until the flow holds them all."""

    def __init__(self):
        super().__init__()
        self.w = Appender()

    def run(self):
        self.w.run()
        if len(self.w.items) >= N:
            emit(appends_per_s=N / (time.time() - self.w.t0))
            self.stop()


class Counter(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.count = 0
        self.t0 = 0.0

    def run(self):
        self.t0 = time.time()
        for _ in range(N):
            self.count += 1


class Throughput(L.LightningFlow):
    """Assignments a second that reach the flow from one work writing as fast as it can."""

    def __init__(self):
        super().__init__()
        self.w = Counter()

    def run(self):
        self.w.run()
        if self.w.count >= N:
            emit(updates_per_s=N / (time.time() - self.w.t0))
            self.stop()


class Ponger(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.ping = 0
        self.pong = 0

    def run(self):
        while self.pong < N:
            if self.ping > self.pong:
                self.pong = self.ping
            else:
                time.sleep(0.0001)


class PingPong(L.LightningFlow):
    """Round trip flow -> work -> flow by state alone."""

    def __init__(self):
        super().__init__()
        self.w = Ponger()
        self._t0 = 0.0
        self._laps = []

    def run(self):
        self.w.run()
        if self.w.status.stage != "running" and not self.w.pong:
            return
        if self.w.pong == self.w.ping:
            now = time.time()
            if self._t0:
                self._laps.append(now - self._t0)
            if self.w.pong >= N:
                emit(p50_ms=1e3 * pct(self._laps, 0.5), p99_ms=1e3 * pct(self._laps, 0.99))
                self.stop()
            self._t0 = now
            self.w.ping += 1


class BigState(L.LightningFlow):
    """Propagation latency while the flow holds a state of N kilobytes."""

    def __init__(self):
        super().__init__()
        self.blob = {f"k{i}": ["x" * 50] * 18 for i in range(N)}
        self.w = Ticker20()
        self._seen = {}

    def run(self):
        self.w.run()
        i, t = self.w.stamp
        if i and i not in self._seen:
            self._seen[i] = time.time() - t
        if i >= 20:
            v = list(self._seen.values())
            emit(p50_ms=1e3 * pct(v, 0.5), max_ms=1e3 * max(v), seen=len(v))
            self.stop()


class Ticker20(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.stamp = [0, 0.0]

    def run(self):
        for i in range(1, 21):
            self.stamp = [i, time.time()]
            time.sleep(0.2)


class FanOut(L.LightningFlow):
    """N parallel works, each run once; seconds until the flow has seen them all succeed."""

    def __init__(self):
        super().__init__()
        for i in range(N):
            setattr(self, f"w{i}", Once(parallel=True))
        self.called = 0.0

    def run(self):
        if not self.called:
            self.called = time.time()
        works = self.works()
        for w in works:
            w.run()
        if all(w.has_succeeded for w in works):
            emit(all_done_s=time.time() - self.called)
            self.stop()


class Sleeper(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.up = 0

    def run(self):
        self.up = 1
        time.sleep(3600)


class Idle(L.LightningFlow):
    """N works that do nothing: the driver reads the processes' CPU and memory from outside."""

    def __init__(self):
        super().__init__()
        for i in range(N):
            setattr(self, f"w{i}", Sleeper())
        self._told = False

    def run(self):
        for w in self.works():
            w.run()
        if not self._told and all(w.up for w in self.works()):
            self._told = True
            emit(all_up=True)


CASES = {
    "start": Start,
    "work_start": WorkStart,
    "warm_calls": WarmCalls,
    "calls": Calls,
    "propagation": Propagation,
    "busy": Busy,
    "appends": Appends,
    "throughput": Throughput,
    "pingpong": PingPong,
    "big_state": BigState,
    "fan_out": FanOut,
    "idle": Idle,
}
app = L.LightningApp(CASES[CASE]())
