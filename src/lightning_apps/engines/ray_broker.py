"""`python -m lightning_apps.engines.ray_broker`: speaks with Ray for a host, in a process of its own.

Ray's driver takes half a second to import, prints what it likes, and ends its process when it has not found the head for a minute: none of
that may happen to the flow.  The host starts another broker when this one ends; actors are found again by name.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, BinaryIO, NoReturn

import msgspec

from ..base.errors import EngineError
from ..base.settings import environ
from . import process_tree, ray_fit, ray_gangs, ray_words
from .gangs import Where
from .minding import surroundings
from .minding.minder import Assignment, Started, start_minder
from .ray_words import FromBroker, NeverBegan, Over, Refused, Trouble, Waits

PATIENT = 1.0  # seconds without a minder after which a person is told what is waited for
LAST_LOOK = 3.0  # seconds, at the end, for those that were killed to be gone
UNWANTED = 20.0  # seconds an actor stays when its minder has ended; who waits for it ends it at once
DIAL = 10.0  # seconds to reach the head
AGAIN = 2.0  # seconds between looks at what is waited for
NEEDLESS = ("pyarrow", "pydantic", "starlette")  # Ray imports them, half a second, to be able to send what is theirs


class Ordered(msgspec.Struct, frozen=True):
    """How to connect: the broker's only argument, as JSON.

    Attributes:
        address: of the head.
        namespace: id of the run.
        own_ip: address of this machine; "": Ray finds it out by asking for a way to a public one.
        table: what names of CloudCompute stand for; see `ray_fit`.
    """

    address: str
    namespace: str
    own_ip: str
    table: dict[str, dict[str, Any]]


class Attendant:
    """The actor: starts a minder on its node, and says when it has ended.  With it goes all that it has started."""

    def __init__(self, assignment: bytes, works: tuple[str, ...] = ()) -> None:
        decoded = msgspec.msgpack.decode(assignment, type=Assignment)
        node = _ray().get_runtime_context().get_node_id()
        self._assignment = msgspec.structs.replace(decoded, node=node)
        self._minder: Started = start_minder(self._assignment)
        self._works, self._group = works, ray_gangs.current() if works else None
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """When all is over and nobody comes for it, as no host is there any more, give back what this holds."""
        self._minder.wait()
        undertake(self._assignment.mark)
        self._over.set()
        time.sleep(min(UNWANTED, self._assignment.orphan_limit))
        if self._group is not None:
            ray_gangs.leave(self._assignment.place, self._works, self._group)
        os._exit(0)

    def wait(self) -> None:
        """Return when the minder has ended, and nothing of its worker is left."""
        self._over.wait()

    def rest(self) -> None:
        """Never return: whoever waits for this hears of the end of the actor itself."""
        threading.Event().wait()


def undertake(mark: str) -> None:
    """End whatever carries this mark on this machine."""
    while left := marked(mark):
        for pid in left:
            process_tree.send_signal(pid, 9)
        process_tree.wait_until(lambda: not marked(mark), 5.0, 0.02)
    surroundings.remove(surroundings.files_of(mark))


def marked(mark: str) -> set[int]:
    """Processes of this machine that carry it."""
    found = (process for process in process_tree.table().values() if not process.zombie)
    return {process.pid for process in found if process_tree.mark(process.pid) == mark}


class Known(msgspec.Struct):
    """One place, as the broker sees it.

    Attributes:
        actor: its handle.
        mark: of its processes.
        order: while its minder has not come.
        node: where it is, once its minder has come.
        where: the place in a gang that it is for, or the node.
        beside: it is not in its gang's bundle.
        avoid: nodes that it must not come to.
    """

    actor: Any
    mark: str
    order: Any = None
    node: str = ""
    asked: float = 0.0
    where: Where = Where()
    beside: bool = False
    avoid: tuple[str, ...] = ()


class Broker:
    """One connection with a cluster.

    Args:
        ordered: how.
        reports: where the host reads.
    """

    def __init__(self, ordered: Ordered, reports: BinaryIO) -> None:
        self._ordered, self._reports = ordered, reports
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._known: dict[str, Known] = {}
        self._dying: list[futures.Future[Any]] = []  # of actors that were killed
        self._failed = ""
        self._lock = threading.Lock()

    def run(self, orders: BinaryIO) -> None:
        """Until the host is gone."""
        threading.Thread(target=self._listen, args=(orders,), daemon=True).start()
        try:
            self._connect()
        except Exception as error:
            self._failed = str(error)
        while True:
            waiting = any(known.order is not None for known in self._known.values())
            try:
                act = self._todo.get(timeout=AGAIN if waiting else None)
            except queue.Empty:
                act = self._look
            if act is None:
                futures.wait(self._dying, LAST_LOOK)
                return
            try:
                act()
            except Exception as error:
                self._say(Trouble(f"Ray could not do what it was asked for: {brief(error)}"))

    def _listen(self, orders: BinaryIO) -> None:
        while (order := ray_words.read_order(orders)) is not None:
            self._todo.put(lambda order=order: self._do(order))  # type: ignore[misc]
        self._todo.put(None)

    def _do(self, order: ray_words.ToBroker) -> None:
        if isinstance(order, ray_words.Launch):
            self._launch(order)
        elif isinstance(order, ray_words.Kill):
            self._kill(order.place)
        elif isinstance(order, ray_words.Find):
            self._find(order)
        elif isinstance(order, ray_words.Form):
            if not self._failed:
                self._gangs.form(order.group, order.avoid, ray_fit.nodes(self._ray.nodes()))
        elif isinstance(order, ray_words.Disband):
            if not self._failed:
                self._gangs.disband(order.group)
        elif (known := self._known.get(order.place)) is not None:
            known.order, known.node = None, order.node

    def _say(self, report: FromBroker) -> None:
        with self._lock:
            ray_words.write(self._reports, report)

    def _connect(self) -> None:
        self._ray = connect(self._ordered.address, self._ordered.namespace, self._ordered.own_ip)
        self._gangs = ray_gangs.RayGangs(self._ray, self._ordered.table)

    # -- what the host asks for -----------------------------------------------------------------------------------

    def _launch(self, wanted: ray_words.Launch) -> None:
        order, place = wanted.order, wanted.order.place
        if self._failed:
            self._say(Refused(place, self._failed))
            return
        living = ray_fit.nodes(self._ray.nodes())
        need = ray_fit.without_wish(order, ray_fit.need_of(order, self._ordered.table), living)
        where = wanted.where
        if reason := self._gangs.refusal(where) or self._never(order, need, living, where.node):
            self._say(Refused(place, reason))
            return
        known = Known(None, wanted.mark, order, asked=time.monotonic(), where=where, avoid=wanted.avoid)
        options = {**self._there(known, need, living), "name": place, "lifetime": "detached", "get_if_exists": True}
        arguments = (wanted.assignment, self._gangs.works(where)) if where.group else (wanted.assignment,)
        known.actor = self._ray.remote(Attendant).options(max_restarts=0, **options).remote(*arguments)
        self._known[place] = known
        self._watch(place, known.actor)

    def _never(self, order: Any, need: ray_fit.Need, living: list[ray_fit.Node], node: str) -> str:
        """Why it can never be, anywhere or on the one node that it is to be on."""
        reason = ray_fit.never(order.work, need, [each for each in living if not node or each.id == node])
        shared = (
            f" It is to share the machine of works with colocation_group_id={order.near!r}." if reason and node else ""
        )
        return reason + shared

    def _there(self, known: Known, need: ray_fit.Need, living: list[ray_fit.Node]) -> dict[str, Any]:
        """What it needs, and where: in its gang's bundle, on one node, or on none of those to be avoided."""
        where, order = known.where, known.order
        bundle = self._gangs.bundle(where, known.avoid) if where.group else None
        if bundle is not None:
            self._clear(order)
            return {**ray_fit.options(msgspec.structs.replace(need, labels=()), ()), "scheduling_strategy": bundle}
        known.beside = bool(where.group)
        others = self._gangs.apart_from(where) if where.group else ()
        avoid = ray_fit.avoidable(order.work, need, living, [*known.avoid, *others])
        return ray_fit.options(need, avoid, where.node)

    def _clear(self, order: Any) -> None:
        """Its bundle may still have an actor of the same work in it whose minder has ended, and that nobody came for."""
        for name in self._ray.util.list_named_actors():
            if name.rpartition("@")[0] == order.work and name != order.place:
                with contextlib.suppress(ValueError):
                    self._ray.kill(self._ray.get_actor(name))

    def _watch(self, place: str, actor: Any) -> None:
        actor.wait.remote().future().add_done_callback(lambda done: self._todo.put(lambda: self._ended(place, done)))

    def _ended(self, place: str, done: Any) -> None:
        known = self._known.get(place)
        if known is None:
            return
        error = done.exception()
        if error is None:
            self._bury(place, lost=False)
        elif not known.node:
            del self._known[place]
            reason, again = why_not(error)
            self._say(NeverBegan(place, reason, again))
        elif any(node["NodeID"] == known.node and node["Alive"] for node in self._ray.nodes()):
            self._undertake(place, known)

    def _undertake(self, place: str, known: Known) -> None:
        """The actor is gone and its node is not: see on the spot that nothing is left."""
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        there = strategies.NodeAffinitySchedulingStrategy(known.node, soft=False)
        task = self._ray.remote(undertake).options(num_cpus=0, max_retries=0, scheduling_strategy=there)

        def told(done: Any) -> None:
            if done.exception() is None:
                self._todo.put(lambda: self._bury(place, lost=True))

        task.remote(known.mark).future().add_done_callback(told)

    def _bury(self, place: str, lost: bool) -> None:
        """An actor that has nothing to wait for any more gives back what it holds."""
        known = self._known.pop(place, None)
        if known is not None and known.actor is not None:
            with contextlib.suppress(Exception):
                self._end(known.actor)
        self._say(Over(place, lost))

    def _kill(self, place: str) -> None:
        known = self._known.get(place)
        if known is not None and known.actor is not None:
            self._end(known.actor)
            known.order = None
        elif known is None:  # an earlier broker's, if anybody's
            with contextlib.suppress(ValueError):
                self._end(self._ray.get_actor(place))

    def _end(self, actor: Any) -> None:
        """Ray only takes note of this: whoever ends before it was passed on leaves an actor that holds what others wait for."""
        self._ray.kill(actor)
        self._dying = [each for each in self._dying if not each.done()]
        self._dying.append(actor.rest.remote().future())

    def _find(self, wanted: ray_words.Find) -> None:
        if self._failed:
            return
        self._known[wanted.place] = known = Known(None, wanted.mark, None, wanted.node)
        try:
            known.actor = self._ray.get_actor(wanted.place)
        except ValueError:
            self._undertake(wanted.place, known)
            return
        self._watch(wanted.place, known.actor)

    def _look(self) -> None:
        """Say what is waited for."""
        state = importlib.import_module("ray._private.state")
        free, living = state.available_resources_per_node(), ray_fit.nodes(self._ray.nodes())
        for place, known in self._known.items():
            if known.order is not None and time.monotonic() - known.asked > PATIENT:
                if known.beside and self._gangs.bundle(known.where, known.avoid) is not None:
                    self._ray.kill(known.actor)  # its bundle has moved to where it can be: it is launched again
                    continue
                need = ray_fit.need_of(known.order, self._ordered.table)
                nodes = [each for each in living if not known.where.node or each.id == known.where.node]
                reason = "" if known.beside else self._gangs.waits(known.where, living, free)
                self._say(Waits(place, reason or ray_fit.waiting(known.order.work, need, nodes, free)))


def connect(address: str, namespace: str, own_ip: str) -> Any:
    """The module `ray`, as a driver of the cluster at this address.

    Args:
        address: "host:port", or "auto" for the one that runs on this machine.
        own_ip: address of this machine; "": Ray finds it out by asking for a way to a public one.

    Raises:
        EngineError: why there is no connection, in a sentence; at once where Ray itself would try for minutes.
    """
    ray, options = _ray(), {"_node_ip_address": own_ip} if own_ip else {}
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    try:
        if address == "auto":
            address = importlib.import_module("ray._private.services").get_ray_address_from_environment("auto", None)
        _knock(ray, address)
        ray.init(
            address=address,
            namespace=namespace,
            log_to_driver=False,
            logging_level="critical",
            configure_logging=False,
            **options,
        )
    except Exception as error:
        raise EngineError(sentence(address, error)) from error
    return ray


def _knock(ray: Any, address: str) -> None:
    """Whether somebody listens there, and lets us in."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        raise ValueError("give HOST:PORT, such as 10.0.0.5:6379, or auto")
    socket.create_connection((host.rpartition("/")[2].strip("[]"), int(port)), DIAL).close()
    if _has_no_token(environ()):
        raise ray.exceptions.AuthenticationError("no token")  # Ray would end this process
    try:
        importlib.import_module("ray._raylet").GcsClient(address=address.rpartition("/")[2])
    except ray.exceptions.AuthenticationError:
        raise
    except Exception:
        """Ray says more when it is asked to connect."""


def _has_no_token(variables: Mapping[str, str]) -> bool:
    """Whether a token is to be shown, and there is none."""
    path = variables.get("RAY_AUTH_TOKEN_PATH") or os.path.expanduser("~/.ray/auth_token")
    wanted = variables.get("RAY_AUTH_MODE") == "token" and not variables.get("RAY_AUTH_TOKEN")
    return wanted and not os.path.isfile(path)


def sentence(address: str, error: Exception) -> str:
    """Why there is no connection."""
    text, whole = brief(error), _whole(error)
    if "ersion mismatch" in whole:
        return f"The Ray cluster at {address} runs another version of Ray or Python than this machine: {text}"
    if "uthentication" in whole:
        return (
            f"The Ray cluster at {address} does not let us in: set RAY_AUTH_MODE=token, "
            "and RAY_AUTH_TOKEN_PATH to the file with its token."
        )
    if address == "auto":
        return "There is no Ray cluster on this machine: start one, or name another with --address HOST:PORT."
    return f"There is no Ray cluster at {address}, or it does not answer: {text}"


def _whole(error: BaseException) -> str:
    """What it says, and what was behind it: Ray puts the reason there."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(parts) < 8:
        parts.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__ or cause.__context__
    return "\n".join(parts)


def why_not(error: BaseException) -> tuple[str, bool]:
    """Why an actor did not start, and whether another time it may."""
    text = str(error)
    if "ModuleNotFoundError" in text or "ImportError" in text:
        return (
            f"the cluster's nodes cannot import what is needed: install lightning-apps on them ({brief(error)})",
            False,
        )
    return f"Ray could not start it: {brief(error)}", True


def brief(error: BaseException) -> str:
    """The last line of what Ray has to say."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


def _ray() -> Any:
    return importlib.import_module("ray")


def main() -> NoReturn:
    """Be the broker of whoever is at the other end of the standard streams."""
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever Ray prints goes to the log
    for name in NEEDLESS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # as if it were not installed; Ray can do without
    ordered = msgspec.json.decode(sys.argv[1], type=Ordered)
    Broker(ordered, reports).run(sys.stdin.buffer)
    os._exit(0)  # actors live on; Ray's own goodbye takes a second and changes nothing


if __name__ == "__main__":
    main()
