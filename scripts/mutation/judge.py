"""A pytest plugin: collects the tests once, then each mistake is made in a fork, which runs the tests of its function."""

from __future__ import annotations

import fnmatch
import gc
import hashlib
import json
import os
import pickle
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import hypothesis
import pytest
from _pytest.tmpdir import tmppath_result_key
from mistakes import PACKAGE, Mistake, all_mistakes, find

CORE = Path("src") / PACKAGE.replace(".", "/")
PROCESSES = {"command_line", "terminal", "pytester"}  # fixtures of tests whose app runs in other processes
MEMORY = 4 << 30
EXAMPLES = 40

hypothesis.settings.register_profile(
    "mutation",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
hypothesis.settings.load_profile("mutation")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mutation")
    group.addoption("--verdicts", default=".mutation/verdicts.jsonl", help="where verdicts are kept, a line each")
    group.addoption("--mistakes", default="*", help="which, as in 'cron.*' or 'crew.Crew.start:3'")
    group.addoption("--children", type=int, default=os.cpu_count(), help="how many are judged at once")
    group.addoption("--longest", type=float, default=2.0, help="leave out tests that take longer, in seconds")
    group.addoption("--only", default="", help="judge again what has this verdict, and nothing else")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if not PROCESSES & set(getattr(item, "fixturenames", ()))]
    for item in items:
        _draw_less(getattr(item, "obj", None), "_hypothesis_internal_use_settings")
        _draw_less(getattr(item, "cls", None), "settings")  # a state machine's


def mistakes_of(core: Path, beside: Path) -> list[Mistake]:
    """All there are; kept, since making them takes a minute."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(core.glob("*.py")))).hexdigest()[:12]
    kept = beside.with_suffix(f".mistakes-{digest}")
    if not kept.exists():
        kept.write_bytes(pickle.dumps(list(all_mistakes(core))))
    return list(pickle.loads(kept.read_bytes()))


def _draw_less(test: Any, name: str) -> None:
    """Fewer examples than the test asks for, and the same ones each time."""
    if isinstance(own := getattr(test, name, None), hypothesis.settings):
        setattr(test, name, hypothesis.settings(own, max_examples=min(own.max_examples, EXAMPLES), derandomize=True))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    mistakes = mistakes_of(CORE, Path(session.config.option.verdicts))
    gc.collect()
    gc.freeze()
    Trial(session, mistakes).run()
    return True


def passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    """Run a test as pytest would, without all that it has for reports: formatting a failure takes longer than most tests."""
    stack = item.session._setupstate
    item.stash[tmppath_result_key] = {"call": True}  # asked for when a temporary folder is done with
    try:
        stack.setup(item)
        item.runtest()
        stack.teardown_exact(following)
    except pytest.skip.Exception:
        stack.teardown_exact(following)
    except BaseException:
        return False
    return True


@dataclass
class Running:
    """A fork that judges one mistake."""

    mistake: Mistake
    number: int  # of the process
    pipe: int
    folder: str
    begun: float = field(default_factory=time.monotonic)


class Trial:
    """All mistakes, the tests that touch each of their functions, and what is known already."""

    def __init__(self, session: pytest.Session, mistakes: list[Mistake]) -> None:
        option = session.config.option
        self.session, self.mistakes, self.children = session, mistakes, option.children
        self.path, self.pattern, self.longest, self.only = option.verdicts, option.mistakes, option.longest, option.only
        self.useful: dict[str, Counter[int]] = defaultdict(Counter)  # which tests found mistakes in a function

    def run(self) -> None:
        self.touching, self.seconds = self._look_at_tests()
        known = {name: verdict for name, verdict in self._known().items() if verdict["verdict"] != "killed"}
        done = {name for name, verdict in self._known().items() if verdict["verdict"] in ("killed", "endless")}
        if self.only:
            todo = [it for it in self.mistakes if known.get(it.name, {}).get("verdict") == self.only]
        else:
            todo = [it for it in self.mistakes if it.name not in done]
            random.Random(0).shuffle(todo)  # so that what is judged by then stands for all, should this be ended
            todo.sort(key=lambda it: it.name in known)  # what was never judged first
        todo = [it for it in todo if fnmatch.fnmatchcase(it.name, self.pattern)]
        seconds = sum(it for it in self.seconds if it <= self.longest)
        print(f"{len(todo)} of {len(self.mistakes)} to judge, tests of {seconds:.0f} s", flush=True)
        self._judge_all(todo)

    def _known(self) -> dict[str, dict[str, Any]]:
        """The last verdict of each mistake whose function is as it was then."""
        hashes = {mistake.name: mistake.hash for mistake in self.mistakes}
        found = {}
        if Path(self.path).exists():
            for line in Path(self.path).read_text().splitlines():
                verdict = json.loads(line)
                if hashes.get(verdict["name"]) == verdict["hash"]:
                    found[verdict["name"]] = verdict
        return found

    def _judge_all(self, todo: list[Mistake]) -> None:
        running: list[Running] = []
        counts: Counter[str] = Counter()
        begun = time.monotonic()
        waiting = iter(todo)
        with Path(self.path).open("a") as out:
            while True:
                while len(running) < self.children and (mistake := next(waiting, None)) is not None:
                    running.append(self._start(mistake))
                if not running:
                    break
                for one in self._ended(running):
                    running.remove(one)
                    verdict = self._verdict(one)
                    out.write(json.dumps(verdict) + "\n")
                    out.flush()
                    counts[verdict["verdict"]] += 1
                    if sum(counts.values()) % 100 == 0:
                        print(dict(counts), f"{time.monotonic() - begun:.0f} s", flush=True)
        print(dict(counts), f"{time.monotonic() - begun:.0f} s", flush=True)

    def _ended(self, running: list[Running]) -> Iterator[Running]:
        ready, _, _ = select.select([one.pipe for one in running], [], [], 5.0)
        for one in list(running):
            if one.pipe in ready:
                yield one
            elif time.monotonic() - one.begun > 300 + 20 * sum(self.seconds):
                os.kill(one.number, signal.SIGKILL)

    def _start(self, mistake: Mistake) -> Running:
        mine, theirs = os.pipe()
        folder = tempfile.mkdtemp(prefix="mutation-")
        if number := os.fork():
            os.close(theirs)
            return Running(mistake, number, mine, folder)
        os.close(mine)
        self._quiet(folder)
        gc.disable()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        try:
            mistake.make()
            by = self._run_tests(self._order(mistake))
            os.write(theirs, json.dumps(by).encode())
        finally:
            os._exit(0)

    def _order(self, mistake: Mistake) -> list[int]:
        """The tests of the function: those that found others of its mistakes first, then the quickest."""
        function = f"{mistake.module}.{mistake.function}"
        useful = self.useful[function]
        return sorted(
            self.touching.get(function, ()), key=lambda i: (self.seconds[i] > 0.5, -useful[i], self.seconds[i])
        )

    def _run_tests(self, order: list[int]) -> int | None:
        """Run them until one fails, and return it; a test that takes many times as long as it did ends the process."""
        items = [self.session.items[i] for i in order]
        for i, item, following in zip(order, items, [*items[1:], None], strict=True):
            signal.setitimer(signal.ITIMER_PROF, 3 + 10 * self.seconds[i])
            signal.setitimer(signal.ITIMER_REAL, 120 + 100 * self.seconds[i])
            if not passes(item, following):
                return i
        return None

    def _verdict(self, one: Running) -> dict[str, Any]:
        said = os.read(one.pipe, 100)
        os.close(one.pipe)
        _, status = os.waitpid(one.number, 0)
        shutil.rmtree(one.folder, ignore_errors=True)
        mistake, by = one.mistake, json.loads(said) if said else None
        function = f"{mistake.module}.{mistake.function}"
        if not said:
            verdict = "endless" if os.WIFSIGNALED(status) else "killed"
        elif by is not None:
            verdict = "killed"
            self.useful[function][by] += 1
        else:
            verdict = "survived" if self.touching.get(function) else "untouched"
        test = self.session.items[by].nodeid if by is not None else None
        seconds = round(time.monotonic() - one.begun, 2)
        return {"name": mistake.name, "hash": mistake.hash, "verdict": verdict, "by": test, "seconds": seconds}

    # What tests touch

    def _look_at_tests(self) -> tuple[dict[str, list[int]], list[float]]:
        """Which tests call which functions, and how long each takes; kept until a test or the code is another."""
        kept = Path(self.path).with_suffix(f".{self._signature()}")
        if not kept.exists():
            kept.write_text(self._looked_at_in_a_fork())
        calls, seconds, failed = json.loads(kept.read_text())
        if failed:
            kept.unlink()
            sys.exit("these fail without any mistake: " + ", ".join(self.session.items[i].nodeid for i in failed))
        touching: dict[str, list[int]] = {}
        for i, functions in enumerate(calls):
            for function in functions if seconds[i] <= self.longest else ():
                touching.setdefault(function, []).append(i)
        return touching, seconds

    def _signature(self) -> str:
        files = (
            {Path(str(item.path)) for item in self.session.items} | set(CORE.parent.rglob("*.py")) | {Path(__file__)}
        )
        digest = hashlib.sha256("\n".join(item.nodeid for item in self.session.items).encode())
        for path in sorted(files):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]

    def _looked_at_in_a_fork(self) -> str:
        """This process stays as it is: what comes later begins without anything that tests left behind."""
        mine, theirs = os.pipe()
        number = os.fork()
        if not number:
            try:
                self._quiet(tempfile.mkdtemp(prefix="mutation-"))
                with os.fdopen(theirs, "w") as out:
                    json.dump(self._watched(), out)
            finally:
                os._exit(0)
        os.close(theirs)
        with os.fdopen(mine) as said:
            found = said.read()
        os.waitpid(number, 0)
        return found

    def _watched(self) -> tuple[list[list[str]], list[float], list[int]]:
        codes = {}
        for mistake in self.mistakes:
            function = find(sys.modules[f"{PACKAGE}.{mistake.module}"], mistake.function)
            codes[function.__code__] = f"{mistake.module}.{mistake.function}"
        calls, seconds, failing = [], [], []
        for i, item in enumerate(self.session.items):
            following = self.session.items[i + 1] if i + 1 < len(self.session.items) else None
            begun = time.process_time()
            with Watch(codes) as watch:
                passed = passes(item, following)
            calls.append(sorted(watch.seen))
            seconds.append(time.process_time() - begun)
            if not passed:
                failing.append(i)
        return calls, seconds, failing

    @staticmethod
    def _quiet(folder: str) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder  # where pytest makes its temporary folders


class Watch:
    """Which of some functions are called meanwhile."""

    def __init__(self, codes: dict[CodeType, str]) -> None:
        self.codes, self.seen = codes, set[str]()

    def __enter__(self) -> Watch:
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (name := self.codes.get(frame.f_code)):
            self.seen.add(name)
