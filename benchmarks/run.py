#!/usr/bin/env python3
"""Runs the benchmark apps under one or two installations and prints their figures side by side.

Each figure is the median over --repeat runs, the two sides in turn; "failed" holds the end of the log of a
run that gave none.

usage: benchmarks/run.py [--ours BIN] [--peer BIN] [--cases a,b:10,c] [--repeat 3]
BIN is a virtual environment's bin folder; ours is called as `lightning`, the reference as `lightning_app`.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = [
    "import:1",
    "start:1",
    "work_start:1",
    "warm_calls:5",
    "calls:3",
    "propagation:100",
    "busy:100",
    "throughput:2000",
    "throughput:200000",
    "appends:20000",
    "pingpong:30",
    "big_state:100",
    "big_state:1000",
    "big_state:100000",
    "fan_out:4",
    "fan_out:16",
    "fan_out:200",
    "idle:4",
    "idle:100",
]


def marked(out):
    """Every living process of this run, whatever its session or parent: they all inherit BENCH_OUT."""
    mark, found = f"BENCH_OUT={out}\0".encode(), []
    for q in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark in Path(f"/proc/{q}/environ").read_bytes():
                found.append(int(q))
        except OSError:
            pass
    return found


def cpu_mem(pids):
    """Seconds on a CPU (all threads, in nanoseconds as the kernel counts them) and MiB (proportional set size)."""
    ns = pss = 0
    for p in pids:
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                ns += int(Path(f"/proc/{p}/task/{t}/schedstat").read_text().split()[0])
            for line in Path(f"/proc/{p}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    pss += int(line.split()[1])
        except OSError:
            pass
    return ns / 1e9, pss / 1024


def compiled(bin_dir, framework):
    """Every module as bytecode, as it is where the framework was installed and not just checked out."""
    python = os.path.join(bin_dir, "python")
    where = f"import importlib.util as u; print(u.find_spec({framework!r}).origin)"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    folder = found.partition("/lightning_apps/")[0] if "/lightning_apps/" in found else os.path.dirname(found)
    subprocess.run([python, "-m", "compileall", "-q", folder], env=ENVIRONMENT, check=False)


def import_time(bin_dir, framework):
    t = time.time()
    p = subprocess.run(
        [os.path.join(bin_dir, "python"), "-c", f"import {framework} as L; L.LightningFlow"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    t_import = time.time() - t
    t = time.time()
    subprocess.run([os.path.join(bin_dir, "python"), "-c", "pass"], check=False, env=ENVIRONMENT)
    return {"failed": p.stderr[-300:]} if p.returncode else {"import_s": t_import - (time.time() - t)}


def run(bin_dir, framework, case, n, limit):
    if case == "import":
        return import_time(bin_dir, framework)
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, "out.jsonl")
        Path(out).touch()
        env = dict(
            ENVIRONMENT,
            FRAMEWORK=framework,
            CASE=case,
            N=str(n),
            BENCH_OUT=out,
            BENCH_T0=str(time.time()),
            PATH=bin_dir + ":" + os.environ["PATH"],
            HOME=d,
            LIGHTNING_HOME=d,
        )
        cmd = [os.path.join(bin_dir, framework), "run", "app", os.path.join(HERE, "apps.py"), "--open-ui=false"]
        with Path(d, "log").open("w") as log:
            p = subprocess.Popen(cmd, env=env, cwd=d, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        t0, figures = time.time(), None
        while time.time() - t0 < limit:
            lines = [json.loads(x) for x in Path(out).read_text().splitlines()]
            if lines:
                figures = {k: v for k, v in lines[-1].items() if k not in ("case", "n", "t")}
                break
            if p.poll() is not None:
                break
            time.sleep(0.05)
        if figures and case == "idle":
            time.sleep(2)
            pids = marked(out)
            c0, _ = cpu_mem(pids)
            time.sleep(20)
            c1, m = cpu_mem(pids)
            figures = {"cpu_pct": 5 * (c1 - c0), "pss_mib": m, "processes": len(pids), "pss_mib_per_work": m / n}
        t1 = time.time()
        if case == "idle" and p.poll() is None:
            p.send_signal(signal.SIGINT)
        try:
            p.wait(20)
            stop_s = time.time() - t1
        except subprocess.TimeoutExpired:
            stop_s = None
        time.sleep(1)  # what is still there a second later was left behind
        left = marked(out)
        for q in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(q, signal.SIGKILL)
        if figures is None:
            return {"failed": Path(d, "log").read_text()[-300:]}
        return {**figures, "stop_s": stop_s, "left_processes": len(left)}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--ours")
    ap.add_argument("--peer")
    ap.add_argument("--cases")
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--limit", type=float, default=120)
    a = ap.parse_args()
    sides = [
        (n, os.path.abspath(b), f)
        for n, b, f in (("ours", a.ours, "lightning"), ("peer", a.peer, "lightning_app"))
        if b
    ]
    for _, b, f in sides:
        compiled(b, f)
    for spec in a.cases.split(",") if a.cases else DEFAULT:
        case, _, n = spec.partition(":")
        n = int(n or 10)
        got = {s[0]: [] for s in sides}
        for _ in range(a.repeat):
            for name, b, f in sides:
                got[name].append(run(b, f, case, n, a.limit))
        for name, rows in got.items():
            keys = sorted({k for r in rows for k in r})
            med = {}
            for k in keys:
                v = [r[k] for r in rows if isinstance(r.get(k), (int, float)) and not isinstance(r.get(k), bool)]
                med[k] = round(sorted(v)[len(v) // 2], 4) if v else [r.get(k) for r in rows]
            print(json.dumps({"case": case, "n": n, "side": name, **med}), flush=True)


if __name__ == "__main__":
    main()
