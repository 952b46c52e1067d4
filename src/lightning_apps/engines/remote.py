"""Workers on other machines, for every engine that has a launcher: who is placed, seen, silent, ended.  Knows nothing of works and calls.

A launcher (Ray, Slurm …) only puts a minder somewhere and says, if it can, that it is gone.  What is believed comes from minders: that a
worker runs, that it has ended.  A place whose minder is not heard is *unknown*, which is not dead: it is over when its
minder or its launcher says so, when its lease has run out for certain, or when somebody abandons it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable
from typing import Protocol

import msgspec

from .. import __version__
from ..base.errors import EngineError, UsageError
from ..base.log import Log
from ..base.messages import EngineClosed, Event, Exited, Refused, Silent, Started, Waiting
from ..base.settings import Settings
from ..ports import Observed, Placement, Report, Survey, Watch
from . import process_tree
from .desk_at import DeskAt
from .gangs import Gangs, Group, Slot, Where
from .kept_places import Kept, KeptPlaces
from .local import LocalEngine
from .minding import words
from .minding.desk import Desk, now
from .minding.minder import Assignment
from .minding.parcel import LARGE, Parcel, pack, size_of

LOOK = 0.1  # seconds between looks at who is silent
LAUNCHES, RELAUNCH = 10, 0.5  # tries to have a minder started, and seconds between them, longer each time
SHUNNED = (
    90.0  # seconds without placements for a machine that was silent; by then its cluster knows, or it is well again
)
SHUNNED_BRIEFLY = 20.0  # and for one whose launcher went away
FAREWELL = 3.0  # seconds after the grace for a minder to say that all is over
LONG = 1e6  # seconds; a worker elsewhere leaves its end to its minder
ENTRY = ("-m", "lightning_apps.worker.spawned")


class Launcher(Protocol):
    """Puts minders on machines.  Everything returns at once; what comes of it is told to the engine, from any thread."""

    name: str

    def open(self, engine: RemoteEngine) -> None:
        """Begin to connect.

        Raises:
            EngineError: that cannot be.
        """

    def form(self, group: Group, avoid: frozenset[str]) -> None:
        """Have room for all of a gang, before any of it is launched there; idempotent on its id."""

    def disband(self, group: str) -> None:
        """Nobody of that gang is left: give its room back."""

    def launch(self, order: Placement, assignment: Assignment, avoid: frozenset[str], where: Where) -> None:
        """Start a minder on a machine that meets what `order` asks for and is none of `avoid`; idempotent on the place.

        Leads to `waits`, `refused`, and in the end to `over`."""

    def kill(self, place: str) -> None:
        """End a minder by force, if it can be reached.  Leads to `over` where that is certain."""

    def began(self, place: str, mark: str, node: str) -> None:
        """Its minder has come, from this machine."""

    def find(self, place: str, mark: str, node: str) -> None:
        """Take over a minder that an earlier host launched."""

    def close(self) -> None:
        """Let go of everything."""


class Place(msgspec.Struct):
    """A place of this host.

    Attributes:
        launched: a minder was asked for.
        ending: its end was asked for.
        told: a person was told that it is silent.
        failures: launches that came to nothing.
    """

    kept: Kept
    observed: Observed = Observed("pending")
    launched: bool = False
    ending: bool = False
    told: bool = False
    failures: int = 0


class RemoteEngine:
    """An engine over a launcher.

    Args:
        launcher: puts minders on machines.
        near: the engine of this machine, for the keeper's sake.
        desk: where minders dial in, and `address` ("host:port#fingerprint") where they find it.
        folder: of this run; `places` in it is ours.
        secret: of this run; tokens of minders are made from it.
    """

    promises = frozenset({"isolation", "signals", "devices"})

    def __init__(
        self,
        launcher: Launcher,
        near: LocalEngine,
        settings: Settings,
        log: Log,
        desk: DeskAt,
        folder: str,
        secret: bytes,
    ) -> None:
        self.name = launcher.name
        self._launcher, self._near, self._settings, self._log = launcher, near, settings, log
        self._at, self._secret = desk, secret
        self._desk = Desk(desk.context, self, self._parcel_file)
        self._kept, self._parcels = KeptPlaces(os.path.join(folder, "places")), os.path.join(folder, "parcels")
        self._places: dict[str, Place] = {}
        self._gangs = Gangs()
        self._swept = False
        self._ended: dict[str, Observed] = {}
        self._packed: dict[str, Parcel] = {}
        self._lock, self._packing = threading.RLock(), threading.Lock()
        self._report: Report = _nobody
        self._shunned: dict[
            str, float
        ] = {}  # machines where something was lost, and until when nothing is placed there
        self._closing = self._near_closed = False
        self._given_up_at = 0.0  # when those that are not heard are left to themselves, at the end

    # -- what the host says ---------------------------------------------------------------------------------------

    def open(self, report: Report, watch: Watch) -> None:
        """Listen for minders, connect to the cluster."""
        self._kept.open()
        self._report = report
        self._near.open(self._from_near, watch)
        try:
            self._desk.open(self._at.host, self._at.port)
        except OSError as error:
            raise UsageError(
                f"Workers cannot dial {self._at.host}:{self._at.port} ({error.strerror}): name an address of this machine "
                "that the others reach with --advertise-host."
            ) from None
        self._launcher.open(self)
        self._desk.soon(self._look)

    def survey(self) -> Survey:
        """Of what is near; nothing is known yet of other places of an earlier host: their minders will dial."""
        return self._near.survey()

    def adopt(self, place: str, pid: int, began: str) -> bool:
        """Whether an earlier host's place may still live: if it was ever asked for, and nobody has seen its end."""
        kept = self._kept.recall(place)
        if kept is None:
            return False
        with self._lock:
            self._places[place] = Place(kept, Observed("unknown"), launched=kept.admitted)
        self._near.follow(kept.order)
        self._desk.soon(lambda: self._expect(kept))
        self._desk.soon(lambda: self._take_up(kept))
        return True

    def _take_up(self, kept: Kept) -> None:
        group = self._kept.recall_group(kept.group) if kept.group else None
        if group is not None and self._gangs.take_up(group, kept.number, kept.order.place):
            self._launcher.form(group, self.silent_nodes())
        if kept.admitted:
            self._launcher.find(kept.order.place, self.mark_of(kept.order.place), kept.node)
        else:
            self._join(kept)

    def progressed(self) -> None:
        """For the keeper; and what an earlier host has asked for is taken over by now, or not wanted any more."""
        self._near.progressed()
        if not self._swept:
            self._swept = True
            self._desk.soon(self._sweep)

    def _sweep(self) -> None:
        places, groups = self._kept.all()
        for kept in places:
            if kept.order.place not in self._places:
                self._launcher.kill(kept.order.place)
                self._kept.forget(kept.order.place)
        for group in groups:
            if not self._gangs.has(group):
                self._launcher.disband(group)
                self._kept.forget_group(group)

    def place(self, order: Placement) -> None:
        """Have a minder started somewhere; a second time for the same place changes nothing.  Frontends stay near."""
        if order.page:
            self._near.place(order)
            return
        with self._lock:
            if order.place in self._places:
                return
            kept = Kept(order)
            self._places[order.place] = Place(kept)
            self._kept.keep(kept)
        self._near.follow(order)
        self._desk.soon(lambda: self._expect(kept))
        self._desk.soon(lambda: self._join(kept))

    # -- who is placed with whom, on the desk's thread ------------------------------------------------------------

    def _join(self, kept: Kept) -> None:
        """Alone, or with its gang as soon as all of it was asked for."""
        if kept.order.place not in self._places:
            return
        joined = self._gangs.join(kept.order)
        if isinstance(joined, Group):
            self._form(joined)
        elif isinstance(joined, Refused):
            self._over(joined)
        elif isinstance(joined, Waiting):
            self._report(joined)
        else:
            self._begin(kept, joined if isinstance(joined, Slot) else None)

    def _form(self, group: Group) -> None:
        self._kept.keep_group(bare(group))
        self._launcher.form(bare(group), self.silent_nodes())
        for number, order in enumerate(group.orders):
            self._begin(self._places[order.place].kept, Slot(group, number))

    def _begin(self, kept: Kept, slot: Slot | None = None) -> None:
        """Now, or as soon as it is known on which machine those are with which it shares one."""
        found, near = self._places[kept.order.place], kept.order.near
        if slot is not None and kept.group != slot.group.id:
            kept.group, kept.number = slot.group.id, slot.number
            self._kept.keep(kept)
        if near and not self._node_of(near) and (first := self._on_its_way(near)):
            self._report(
                Waiting(kept.order.place, f"{kept.order.work} waits for {first}, whose machine it is to share")
            )
            return
        found.launched = True
        threading.Thread(target=self._pack_and_launch, args=(kept,), daemon=True).start()

    def _on_its_way(self, near: str) -> str:
        """The work that will say on which machine its neighbours are."""
        waiting = (found for found in self._places.values() if found.launched and not found.kept.admitted)
        return next((found.kept.order.work for found in waiting if found.kept.order.near == near), "")

    def _node_of(self, near: str) -> str:
        """The machine of those with this text, if any of them is heard."""
        if not near:
            return ""
        silent, places = self.silent_nodes(), [found.kept for found in list(self._places.values())]
        nodes = (kept.node for kept in places if kept.order.near == near and kept.admitted)
        return next((node for node in nodes if node and node not in silent), "")

    def _call_neighbours(self, near: str) -> None:
        """They may know now on which machine they are to be."""
        for found in list(self._places.values()) if near else ():
            if found.kept.order.near == near and not found.launched and not found.ending:
                self._begin(found.kept)

    # -- launching ------------------------------------------------------------------------------------------------

    def _pack_and_launch(self, kept: Kept) -> None:
        try:
            if kept.order.app_file:
                self._pack(_folder_of(kept.order))
        except OSError as error:
            self.refused(kept.order.place, f"The app's folder cannot be packed: {error}")
            return
        self._launch(kept)

    def _launch(self, kept: Kept) -> None:
        order = kept.order
        assignment = Assignment(
            order.place,
            self._token(order.place),
            self._at.address,
            "",
            process_tree.mark_of(order.place, order.address),
            self._settings.remote_orphan_limit,
            ENTRY,
        )
        where = Where(kept.group, kept.number, self._node_of(order.near))
        self._launcher.launch(order, assignment, self.silent_nodes(), where)

    def stop(self, place: str, grace: float) -> None:
        """End a worker; leads to Exited when it is gone for certain."""
        if place not in self._places:
            self._near.stop(place, grace)
            return
        self._desk.soon(lambda: self._stop(place, grace))

    def observe(self, place: str) -> Observed:
        """What is known of a place now."""
        found, ended = self._places.get(place), self._ended.get(place)
        return found.observed if found is not None else ended or self._near.observe(place)

    def abandon(self, place: str) -> None:
        """A person says that it is no more: whatever it says from now on is not heard."""
        self._desk.soon(lambda: self._over(Exited(place, lost=True)))
        self._launcher.kill(place)

    def reach(self, place: str, address: str, told: Callable[[str], None]) -> None:
        """Through a port of this machine that leads to the one of the worker's machine, whatever its address was there."""

        async def open_door() -> None:
            port = await self._desk.door(place, int(address.rpartition(":")[2]))
            told(f"127.0.0.1:{port}")

        self._desk.call(open_door())

    def close(self, grace: float) -> None:
        """Begin to end every place."""
        self._closing, self._given_up_at = True, now() + grace + 2 * FAREWELL
        for place in list(self._places):
            self.stop(place, grace)
        self._near.close(grace)
        self._desk.soon(self._maybe_closed)

    @property
    def closed(self) -> bool:
        """Whether nothing is left, or nothing that can be waited for."""
        return self._near.closed and not self._places

    def let_go(self) -> None:
        """Close what is open here; workers that live go on."""
        self._launcher.close()
        self._desk.close()

    def _from_near(self, event: Event) -> None:
        if isinstance(event, EngineClosed):
            self._near_closed = True
            self._desk.soon(self._maybe_closed)
        else:
            self._report(event)

    def _maybe_closed(self) -> None:
        if self._closing and self._near_closed and not self._places:
            self._near_closed = False
            self._report(EngineClosed())

    # -- what minders say, on the desk's thread -------------------------------------------------------------------

    def here(self, place: str, word: words.Here) -> words.Begin | words.Away | None:
        """A minder dials in."""
        found = self._places[place]
        kept = found.kept
        if word.version != __version__:
            self.failed(
                place,
                f"{word.machine} has lightning-apps {word.version}, this machine {__version__}: install the same.",
            )
            return words.Away("another version")
        kept.node = word.node
        self._shunned.pop(word.node, None)
        self._launcher.began(place, self.mark_of(place), word.node)
        if word.pid or word.ended:
            found.observed = Observed("running")
            self._report(Started(place, word.pid, word.began))
            self._kept.keep(kept)
            return None
        if found.ending:
            self._over(Exited(place))
            return words.Away("it is not needed any more")
        if kept.admitted:
            return None  # its worker is being started
        kept.admitted = True
        self._kept.keep(kept)
        self._call_neighbours(kept.order.near)
        parcel = self._packed.get(_folder_of(kept.order)) if kept.order.app_file else None
        return words.Begin(
            self._distant(kept.order),
            parcel.digest if parcel is not None else "",
            kept.order.patience,
            self._settings.grace,
            kept.order.requirements,
        )

    def _distant(self, order: Placement) -> Placement:
        """The worker there lives as long as its minder lets it, in a copy of the app's folder.

        Variables and secrets of the app are added here, on their way, and written nowhere."""
        env = {**dict(self._settings.env), **dict(self._settings.secrets), **order.env}
        return msgspec.structs.replace(
            order, env=env, orphan_limit=LONG, cwd=_folder_of(order) if order.app_file else ""
        )

    def running(self, place: str, pid: int, began: str) -> None:
        """The worker was started."""
        self._places[place].observed = Observed("running")
        self._report(Started(place, pid, began))

    def ended(self, place: str, word: words.Ended) -> None:
        """The worker and all it started are gone."""
        ending = place in self._places and self._places[place].ending
        if word.lost and not ending and place in self._places:
            self._shun(self._places[place].kept.node, SHUNNED_BRIEFLY)
        self._over(Exited(place, word.code, word.signal, lost=word.lost and not ending))

    def failed(self, place: str, reason: str) -> None:
        """It cannot be started there."""
        work = self._places[place].kept.order.work
        self._over(Refused(place, f"{work} cannot be started: {reason}"))

    # -- what the launcher says, on any thread --------------------------------------------------------------------

    def waits(self, place: str, reason: str) -> None:
        """There is no room for it yet; works that have nothing to do give way, if they hold anything."""
        if place in self._places:
            others = [found.kept.order for name, found in list(self._places.items()) if name != place]
            self._report(Waiting(place, reason, tuple(order.place for order in others if holds(order))))

    def refused(self, place: str, reason: str) -> None:
        """There will never be room for it, or the cluster does not want it."""
        self._desk.soon(lambda: self._over(Refused(place, reason)))

    def over(self, place: str, lost: bool = True) -> None:
        """The minder is gone for certain, and with it all it started."""
        self._desk.soon(
            lambda: self._desk.later(0.2, lambda: self._over(Exited(place, lost=lost)))
        )  # its own word is better

    def never_began(self, place: str, reason: str, again: bool) -> None:
        """The launcher could not start a minder; `again`: another time it may.  One that comes all the same is believed."""

        def decide() -> None:
            found = self._places.get(place)
            if found is None or found.kept.admitted or found.ending:
                return
            found.failures += 1
            if again and found.failures < LAUNCHES:
                self._desk.later(found.failures * RELAUNCH, lambda: self._relaunch(place))
            else:
                self._over(Refused(place, f"{found.kept.order.work} cannot be started: {reason}"))

        self._desk.soon(decide)

    def _relaunch(self, place: str) -> None:
        found = self._places.get(place)
        if found is not None and not found.kept.admitted and not found.ending:
            self._launch(found.kept)

    def cannot_launch(self, reason: str) -> None:
        """There is no cluster."""
        for place in list(self._places):
            self.refused(place, reason)

    # -- bookkeeping, on the desk's thread ------------------------------------------------------------------------

    def _expect(self, kept: Kept) -> None:
        if kept.order.place in self._places:
            self._desk.expect(kept.order, self._token(kept.order.place), kept.order.patience)

    def _stop(self, place: str, grace: float) -> None:
        found = self._places.get(place)
        if found is None:
            return
        again, found.ending = found.ending and grace <= 0, True
        if not found.kept.admitted:
            self._over(Exited(place))  # whoever comes now is sent away before anything of the user's runs
            self._launcher.kill(place)
        elif not self._desk.tell(place, words.End(grace)) or again:
            self._launcher.kill(place)
        else:
            self._desk.later(grace + FAREWELL, lambda: self._insist(place))

    def _insist(self, place: str) -> None:
        if place in self._places:
            self._launcher.kill(place)

    def _over(self, event: Exited | Refused) -> None:
        found = self._places.get(event.place)
        if found is None:
            return
        self._desk.forget(event.place, "it has ended")
        self._kept.forget(event.place)
        self._launcher.kill(event.place)
        if (gone := self._gangs.leave(event.place)) is not None:
            self._launcher.disband(gone.id)
            self._kept.forget_group(gone.id)
        self._near.unfollow(found.kept.order)
        with self._lock:  # not before: with the last one this is closed, and nobody would be left to tell the launcher
            self._ended[event.place] = _as_observed(event)
            self._places.pop(event.place)
        self._report(event)
        self._call_neighbours(found.kept.order.near)
        self._maybe_closed()

    def _look(self) -> None:
        """Who is silent, and whose lease is over for certain."""
        moment = now()
        for place, found in list(self._places.items()):
            minded = self._desk.places.get(place)
            if minded is None or not found.kept.admitted:
                continue
            limit = minded.sight.replaceable_at()
            if limit is not None and moment >= limit:
                self._shun(found.kept.node, SHUNNED)
                self._over(Exited(place, lost=True))
            elif self._closing and moment >= self._given_up_at and minded.sight.silent(moment):
                self._leave(found.kept)
            elif minded.sight.silent(moment) != found.told:
                self._see(found)
        self._desk.later(LOOK, self._look)

    def _leave(self, kept: Kept) -> None:
        """The app ends, and this one is not heard."""
        limit = self._settings.remote_orphan_limit
        self._log.warning(
            f"The machine of {kept.order.work} is not heard, so it may go on there; it ends itself when it has not heard of "
            f"its app for {limit:g} s."
        )
        self._over(Exited(kept.order.place, lost=True))

    def _see(self, found: Place) -> None:
        """Its machine is not heard any more, or again: people are told, and nothing else follows."""
        found.told, order = not found.told, found.kept.order
        found.observed = Observed("unknown" if found.told else "running")
        what = (
            f"it is replaced when it has been silent for {order.patience:g} s"
            if order.patience is not None
            else f"it may go on there, so it is not replaced; `lightning works abandon {order.work}` says that it does not"
        )
        reason = f"The machine of {order.work} is not heard any more; {what}" if found.told else ""
        self._log.warning(f"{reason}.") if reason else self._log.info(f"The machine of {order.work} is heard again.")
        self._report(Silent(order.place, reason))

    def silent_nodes(self) -> frozenset[str]:
        """Machines that are not heard: nothing is placed there."""
        moment, found = now(), set()
        for place, minded in list(self._desk.places.items()):
            known = self._places.get(place)
            if known is not None and known.kept.node and known.kept.admitted and minded.sight.silent(moment):
                found.add(known.kept.node)
        return frozenset((found | {node for node, until in self._shunned.copy().items() if until > moment}) - {""})

    def _shun(self, node: str, seconds: float) -> None:
        """Its cluster may not know yet that something is wrong there."""
        self._shunned[node] = now() + seconds

    def mark_of(self, place: str) -> str:
        """What its processes carry."""
        found = self._places.get(place)
        return process_tree.mark_of(place, found.kept.order.address) if found is not None else ""

    def _token(self, place: str) -> str:
        return hmac.new(self._secret, f"minder of {place}".encode(), hashlib.sha256).hexdigest()

    def _pack(self, folder: str) -> None:
        with self._packing:
            if folder in self._packed:
                return
            if (size := size_of(folder)) > LARGE:
                self._log.warning(
                    f"The app's folder {folder} holds {size >> 20} MB, all of which goes to the machines of its works: "
                    "name what they do not need in .lightningignore."
                )
            self._packed[folder] = pack(folder, self._parcels)

    def _parcel_file(self, digest: str) -> str:
        return os.path.join(self._parcels, f"{digest}.zip")


def holds(order: Placement) -> bool:
    """Whether it keeps others from something as long as it is there."""
    return bool(
        order.cpus or order.memory or order.devices or order.resources or order.compute not in ("", "default", "cpu")
    )


def bare(group: Group) -> Group:
    """What a gang asks for, without what its works are made of and what nobody else need know."""
    kept = ("gang", "near", "cpus", "memory", "devices", "wish_devices", "compute", "resources")
    orders = [
        Placement(
            place=order.place, work=order.work, address="", token="", **{name: getattr(order, name) for name in kept}
        )
        for order in group.orders
    ]
    return msgspec.structs.replace(group, orders=orders, living=dict(group.living))


def _folder_of(order: Placement) -> str:
    """What is the app's folder: where the command was given, if its file is in there, else the file's own."""
    file = os.path.abspath(os.path.join(order.cwd, order.app_file))
    inside = file.startswith(os.path.join(order.cwd, ""))
    return order.cwd if inside and order.cwd not in ("/", os.path.expanduser("~")) else os.path.dirname(file)


def _as_observed(event: Exited | Refused) -> Observed:
    if isinstance(event, Refused):
        return Observed("exited")
    return Observed("lost" if event.lost else "exited", event.code, event.signal)


def _nobody(event: Event) -> None:
    raise EngineError(f"The engine has {event} to report before it was opened.")
