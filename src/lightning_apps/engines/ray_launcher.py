"""Minders on a Ray cluster, for the host: orders go to a broker, a process of its own that speaks with Ray.  Knows nothing of Ray's API.

Ray places, nothing else: retries and restarts are ours, since Ray does not fence, and what it says of a node that it does not hear is not
taken for the end of what runs there.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from typing import BinaryIO

import msgspec

from ..base.errors import EngineError, MissingExtra
from ..base.log import Log
from ..base.settings import Settings, environ
from ..ports import Placement
from . import process_tree, ray_fit, ray_words
from .desk_at import DeskAt
from .gangs import Group, Where
from .local import LocalEngine
from .minding import tidying
from .minding.minder import Assignment, encode_assignment
from .ray_broker import Ordered
from .remote import RemoteEngine

HEAD_LIMIT = 60.0  # seconds until a cluster of our own has to be there
TRIES = 20  # brokers in a row that end
PAUSE = 1.0  # seconds before another one
GOODBYE = 5.0  # seconds for a broker to do what it was told last
NEEDED = 'The engine "ray" needs Ray, which is not installed here: pip install "lightning-apps[ray]".'


class RayLauncher:
    """See `remote.Launcher`.

    Args:
        settings: `address` is "host:port" of a cluster, "auto" for the one that runs here; None: one of our own (see `start_head`).
        folder: of the run.
        run: id of the run; Ray's namespace.
    """

    name = "ray"

    def __init__(self, settings: Settings, log: Log, folder: str, run: str) -> None:
        self._settings, self._log, self._folder, self._run = settings, log, folder, run
        self._table = ray_fit.table_of(settings.ray_resources)
        self._orders: list[ray_words.ToBroker] = []  # what a broker that comes later has to be told
        self._broker: subprocess.Popen[bytes] | None = None
        self._asked = False  # whether a broker was ever told anything
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def open(self, engine: RemoteEngine) -> None:
        """Start the broker; it takes a second to connect, five for a cluster of our own."""
        if importlib.util.find_spec("ray") is None:
            raise MissingExtra(NEEDED)
        self._engine = engine
        threading.Thread(target=self._live, name="ray", daemon=True).start()

    def _live(self) -> None:
        for _ in range(TRIES):
            try:
                reports = self._start()
            except (OSError, EngineError) as error:
                self._log.error(f"There is no connection with Ray: {error}")
                self._engine.cannot_launch(str(error))
                return
            while (report := ray_words.read_report(reports)) is not None:
                self._hear(report)
            if self._closed.wait(PAUSE):
                return
        self._log.error("The connection with Ray has ended again and again; works that run go on, no other is started.")

    def _start(self) -> BinaryIO:
        address = self._settings.address or own_address(self._folder)
        extra = {} if self._settings.address else own_environment(self._folder)
        own_ip = (self._settings.advertise_host or "") if self._settings.address else "127.0.0.1"
        ordered = Ordered(address, self._run, own_ip, self._table)
        with open(os.path.join(self._folder, "ray-broker.log"), "ab", opener=_private) as log:
            broker = subprocess.Popen(
                [sys.executable, "-m", "lightning_apps.engines.ray_broker", msgspec.json.encode(ordered).decode()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**environ(), **extra},
                start_new_session=True,
            )
        assert broker.stdin is not None and broker.stdout is not None
        with self._lock:
            self._broker = broker
            for order in self._orders:
                self._write(order)
        return broker.stdout  # type: ignore[return-value]

    def _hear(self, report: ray_words.FromBroker) -> None:
        engine = self._engine
        if isinstance(report, ray_words.Trouble):
            self._log.warning(report.message)
        elif isinstance(report, ray_words.Waits):
            engine.waits(report.place, report.reason)
        else:
            self._forget(report.place)
            if isinstance(report, ray_words.Refused):
                engine.refused(report.place, report.reason)
            elif isinstance(report, ray_words.NeverBegan):
                engine.never_began(report.place, report.reason, report.again)
            else:
                engine.over(report.place, report.lost)

    # -- what the engine asks for ---------------------------------------------------------------------------------

    def form(self, group: Group, avoid: frozenset[str]) -> None:
        """Have a placement group for it."""
        self._tell(ray_words.Form(group, tuple(sorted(avoid))), keep=True)

    def disband(self, group: str) -> None:
        """Remove its placement group."""
        with self._lock:
            self._orders = [
                each for each in self._orders if not (isinstance(each, ray_words.Form) and each.group.id == group)
            ]
        self._tell(ray_words.Disband(group))

    def launch(self, order: Placement, assignment: Assignment, avoid: frozenset[str], where: Where) -> None:
        """Start an actor for it."""
        words = ray_words.Launch(order, encode_assignment(assignment), assignment.mark, tuple(sorted(avoid)), where)
        self._tell(words, keep=True)

    def kill(self, place: str) -> None:
        """End its actor, and with it the minder."""
        self._tell(ray_words.Kill(place))

    def find(self, place: str, mark: str, node: str) -> None:
        """Take over the actor of an earlier host."""
        self._tell(ray_words.Find(place, mark, node), keep=True)

    def began(self, place: str, mark: str, node: str) -> None:
        """Its minder has come: a later broker only has to find it."""
        self._forget(place)
        with self._lock:
            self._orders.append(ray_words.Find(place, mark, node))
        self._tell(ray_words.Began(place, node))

    def _tell(self, order: ray_words.ToBroker, keep: bool = False) -> None:
        with self._lock:
            self._asked = True
            if keep:
                self._orders.append(order)
            self._write(order)

    def _write(self, order: ray_words.ToBroker) -> None:
        broker = self._broker
        if broker is not None and broker.stdin is not None:
            with contextlib.suppress(
                OSError, ValueError
            ):  # it has ended, or was closed; the next one is told what matters
                ray_words.write(broker.stdin, order)  # type: ignore[arg-type]

    def _forget(self, place: str) -> None:
        with self._lock:
            self._orders = [order for order in self._orders if _place_of(order) != place]

    def close(self) -> None:
        """Disconnect; actors live on."""
        self._closed.set()
        broker = self._broker
        if broker is None:
            return
        with contextlib.suppress(OSError):
            broker.stdin.close()  # type: ignore[union-attr]
        try:
            broker.wait(GOODBYE if self._asked else 0.0)
        except subprocess.TimeoutExpired:  # it connects, for whom nobody has asked, or the cluster does not answer
            broker.kill()
            broker.wait()


def make(
    settings: Settings, near: LocalEngine, log: Log, at: DeskAt, folder: str, run: str, secret: bytes
) -> RemoteEngine:
    """The engine "ray"."""
    return RemoteEngine(RayLauncher(settings, log, folder, run), near, settings, log, at, folder, secret)


def _place_of(order: ray_words.ToBroker) -> str:
    if isinstance(order, (ray_words.Form, ray_words.Disband)):
        return ""
    return order.order.place if isinstance(order, ray_words.Launch) else order.place


# a cluster of our own ------------------------------------------------------------------------------------------------


def start_head(folder: str, *more: str, tied: bool = True) -> subprocess.Popen[bytes]:
    """Start a cluster on this machine that only its owner can use; it ends with this process and those that are forked from it.

    Args:
        more: options of `ray start`.
        tied: else it outlives them, and somebody has to end it.

    Raises:
        MissingExtra: Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingExtra(NEEDED)
    clear()
    lifeline, ours = os.pipe()  # the other end stays open, here or there
    with contextlib.suppress(FileExistsError), open(_token(folder), "x", opener=_private) as file:
        file.write(os.urandom(32).hex())
    with open(os.path.join(folder, "ray.log"), "ab", opener=_private) as log:
        head = subprocess.Popen(
            [*head_command(folder), *more],
            stdin=lifeline,
            stdout=log,
            stderr=log,
            env={**environ(), **own_environment(folder)},
            start_new_session=True,
            pass_fds=() if tied else (ours,),
        )
    os.close(lifeline)
    return head


def clear() -> None:
    """Remove what is left of clusters that such heads had."""
    folder, prefix = tempfile.gettempdir(), f"ray-{os.getuid()}-"
    for name in os.listdir(folder):
        if name.startswith(prefix) and os.path.exists(os.path.join(folder, f"{name}.use")):
            tidying.remove(folder, name)


def own_environment(folder: str) -> dict[str, str]:
    """Variables for everybody who speaks to a cluster of our own."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": _token(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux too: everything stays on loopback
    }


def head_command(folder: str) -> list[str]:
    """`ray start` in the foreground."""
    return [sys.executable, "-m", "lightning_apps.engines.ray_head", _sessions(folder), "start",
            "--head", "--block", "--port=0", "--node-ip-address=127.0.0.1",
            "--include-dashboard=false", "--include-log-monitor=false", "--disable-usage-stats",
            f"--temp-dir={_sessions(folder)}"]  # fmt: skip


def own_address(folder: str) -> str:
    """The address of a cluster of our own, as soon as it is there.

    Raises:
        EngineError: it does not come up.
    """
    path = os.path.join(_sessions(folder), "ray_current_cluster")

    def there() -> bool:
        return os.path.exists(path) and os.path.getsize(path) > 0

    if not process_tree.wait_until(there, HEAD_LIMIT):
        raise EngineError(f"it did not start within {HEAD_LIMIT:g} s; {os.path.join(folder, 'ray.log')} says why")
    with open(path) as file:
        return file.read().strip()


def _sessions(folder: str) -> str:
    """Ray's own folder for this run; its sockets need a short path."""
    return os.path.join(tempfile.gettempdir(), f"ray-{os.getuid()}-{os.path.basename(folder)}"[:48])


def _token(folder: str) -> str:
    return os.path.join(folder, "ray.token")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
