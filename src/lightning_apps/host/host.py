"""The flow's process: an inbox, a loop, and one line per kind of effect.  Everything it decides, the coordinator decides."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from ..base import messages as m
from ..base.log import Log
from ..base.messages import Event, Outcome
from ..base.settings import Settings, as_prefix, colour_wanted, export, withdraw
from ..base.status import AppStage
from ..core.coordinator import Coordinator, Options
from ..engines.inline import InlineEngine
from ..model.app import LightningApp
from ..model.binding import UNBOUND, free_port
from ..model.work import LightningWork
from ..ports import Clock, Engine, Journal, Placement
from ..wire.pump import Pump
from ..worker.packing import packed, why_not_packed
from ..worker.process import Threaded
from . import first_state, signals
from .clock import SystemClock
from .control import Control
from .heartbeat import Heartbeat
from .keeping import Keeping
from .listening import hub_of
from .main_file import app_file, surroundings
from .offers import offered
from .placing import order_for
from .provenance import Provenance
from .run_folder import RunFolder
from .sharing import Sharing
from .showing import Showing, Surroundings
from .slow import SlowTurns
from .web import Web

PLENTY = 8 << 20  # bytes of unread words after which works have to wait
LAST_LOOKS, LAST_PAUSE = 100, 0.02  # for the last words of a worker on another machine, seconds between looks
UNISOLATED = 0.5  # seconds that works which cannot be killed have at the end
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}


class Host:
    """Runs one app to its end.

    Args:
        app: its root is bound to a coordinator while it runs.
        settings: how.
        engine: where works are placed.
        folder: the run's folder.
    """

    def __init__(
        self,
        app: LightningApp,
        settings: Settings,
        engine: Engine,
        folder: RunFolder,
        *,
        journal: Journal | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.app, self.settings, self.engine, self.folder = app, settings, engine, folder
        self.clock = clock or SystemClock()
        folder.lock()
        self.sharing = Sharing(settings, folder)
        level = "debug" if app.log_level == "debug" else settings.log_level
        self.log = Log(level, settings.log_format, colour_wanted(_is_terminal(sys.stderr)))
        self.keeping = Keeping(settings, engine, folder, self.log, self.clock, self._rest, journal)
        self.slow = SlowTurns(threading.get_ident(), settings.slow_turn)
        self.pump = Pump(self.slow.look, self._plenty)
        self.hub = hub_of(settings, folder, self.pump, self._report, self.keeping.generation)
        self.control = Control(settings, folder, self.pump, self._report, self._is_work, self._how_it_is, self._abandon)
        self.heartbeat = Heartbeat(folder.path, self.pump.alarm)
        self.provenance: Provenance | None = None
        self.web: Web | None = None
        self.showing: Showing | None = None
        self.exit_code: int | None = None
        self.signal = ""
        self._unread = 0
        self._told_idle = False
        self._ports: set[int] = set()
        self._started = self.clock.monotonic()

    # -- the loop ----------------------------------------------------------------------------------------

    def run(self) -> int:
        """The exit code, when the app has ended and nothing of it is left."""
        self._listen()
        restore = signals.install(self._on_signal)
        UNBOUND.app_runs = True
        try:
            if self.web is not None:
                export(self._own_app(""))
            self.coordinator = Coordinator(self.app.root, self._options())
            self._open_doors()
            if isinstance(self.engine, InlineEngine):
                self.engine.use(self._thread_for)
            self.engine.open(self._report, self.pump)
            self._live()
        except KeyboardInterrupt:
            self._interrupted()
        finally:
            try:
                self._end()
            finally:
                UNBOUND.app_runs, self.app._turn = False, None
                restore()
        return self.exit_code or 0

    def _open_doors(self) -> None:
        settings, tree, after, file = self.settings, self.coordinator.tree, self.pump.alarm, app_file()
        self.showing = Showing(
            settings, self.folder, self.log, self.engine, tree, self.pump.put, after,
            Surroundings(
                root_path=as_prefix(settings.root_path or self.app.root_path),
                variables=lambda flow: {**surroundings(file), **self._own_app(flow), "LIGHTNING_FLOW_NAME": flow},
                log_files=self.folder.log_files,
                app_file=file,
                argv=tuple(settings.argv),
            ),
            self.keeping.generation,
        )  # fmt: skip
        if self.web is not None:
            self.web.extra["doors"] = self.showing.doors

    def _listen(self) -> None:
        """Whatever is wrong with how the app is to be served is said before anything starts."""
        if not self.settings.with_server:
            return
        try:
            self.web = Web(self.app, self.settings, self.folder, self.log, self.keeping.generation, self.pump.put)
        except BaseException:
            self._let_go()
            raise

    def _options(self) -> Options:
        settings = self.settings
        return Options(
            tick=settings.tick or self.app.tick,
            pace_after=settings.pace_after,
            pace_fastest=settings.pace_fastest,
            pace_slowest=settings.pace_slowest,
            history=settings.call_history,
            lost_limit=settings.lost_limit,
            strict=settings.strict,
            free_port=self._hand_out_port,
            thread=threading.get_ident,
            finish=_finished,
        )

    def _live(self) -> None:
        self.heartbeat.begin()
        self.app.stage = AppStage.RUNNING
        if self.settings.blocking and not self._was_let_go():
            self.coordinator.held, self.app.stage = True, AppStage.BLOCKING
        self.app.connect(self)
        if self.web is not None:
            self.web.extra["offer"] = offered(self.app.root)
        self._commit(self._begin(), [])
        self.keeping.complete = self.coordinator.turn
        self.hub.complete = True
        first_state.keep(self.folder, self.coordinator)
        self.provenance = Provenance(self.folder, self.keeping.generation)
        if self.web is not None and self.exit_code is None:
            self.web.open(self.coordinator.show_all(), self.coordinator.layouts.show_more(self.app.flows))
        self.app._turn = self._once
        while self.exit_code is None:
            if self.app._ran_once() and self.exit_code is None:
                self._exit(m.Exit(0, ""))

    def _once(self) -> bool:
        self.turn()
        return self.exit_code is not None

    def _was_let_go(self) -> bool:
        """Whether a flow that was held back at the start has begun, in an earlier host of this run."""
        return self.keeping.noted("begun") == "1"

    def _let_begin(self) -> None:
        self.app.stage = AppStage.RUNNING
        self.keeping.note("begun", "1")

    def _begin(self) -> Outcome:
        """The first turn, of a new run or of one that is taken up."""
        resumed = self.keeping.begin(self.coordinator)
        if resumed.ended is not None:
            self._exit(m.Exit(*resumed.ended))
        if resumed.survey is not None:
            if self.showing is not None:
                self.showing.leave_over(resumed.survey.living)
            for place in self.coordinator.crew.places:
                self.hub.expect(place)
            for event in resumed.survey.ended:
                self._report(event)
        return resumed.outcome

    def turn(self) -> None:
        """Take events, step, write, act."""
        events = self.pump.take(self._patience())
        self._unread = 0
        if self.signal:
            self._absorb(events)
            return self._interrupted()
        if self.keeping.recorder.overdue:
            self.keeping.catch_up()
            self._acknowledge()
            if not events and self._too_early():
                return None
        began = self.clock.monotonic()
        try:
            outcome = self.coordinator.step(events, self.clock.wall())
        except KeyboardInterrupt:
            self._commit(_told(self.coordinator.cut_short()), events)
            self.keeping.complete = self.coordinator.turn
            raise
        self._commit(outcome, events)
        self.keeping.complete = self.coordinator.turn
        self.keeping.snapshot(self.coordinator, self.sharing.turned(began))
        self._notice(self.clock.monotonic() - began)
        if self.signal:
            self._interrupted()
        return None

    def _patience(self) -> float | None:
        """Seconds until something is to be done even if nothing happens."""
        patience = self._until_awake()
        if self.keeping.recorder.due is None:
            return patience
        left = max(0.0, self.keeping.recorder.due - self.clock.monotonic())
        return left if patience is None else min(left, patience)

    def _too_early(self) -> bool:
        """Whether there is no reason for a turn yet."""
        wake_at = self.coordinator.wake_at
        return wake_at is None or wake_at > self.clock.wall()

    def _until_awake(self) -> float | None:
        wake_at, longest = self.coordinator.wake_at, self.app.longest_wait
        if wake_at is not None:
            left = max(0.0, wake_at - self.clock.wall())
            return left if longest is None else min(left, longest)
        if not self._told_idle and not self.coordinator.crew.places:
            self._tell_idle()
        return longest

    def _tell_idle(self) -> None:
        """On a terminal only: an app that has nothing to do looks as if it hung."""
        self._told_idle = True
        if _is_terminal(sys.stderr) and not self.coordinator.done:
            self.log.info("The app has nothing to do and waits for changes. Ctrl-C ends it.")

    def _notice(self, elapsed: float) -> None:
        if elapsed > self.settings.slow_turn and (verdict := self.slow.verdict(elapsed)):
            self.log.once("warning", verdict)

    def _commit(self, outcome: Outcome, events: list[Event]) -> None:
        written = self.keeping.take(outcome, events)  # write before act
        if self.app.stage == AppStage.BLOCKING and not self.coordinator.held:
            self._let_begin()
        for effect in outcome.effects:
            PERFORM[type(effect)](self, effect)
        if self.showing is not None:
            self.showing.turned(events)
        if self.web is not None:
            self.web.publish(outcome.published, self.app.stage)  # to look at, so not worth waiting for the disk
            if self.showing is not None:
                self.showing.show(self.coordinator.layouts.frontends)
        if written:
            self._acknowledge()

    def _acknowledge(self) -> None:
        """Everything up to here is written: whoever waits for that is told."""
        for outcome, events in self.keeping.recorder.take_written():
            if not (self.keeping.progressed or outcome.record.empty):
                self.keeping.progressed = True
                self.engine.progressed()
            for event in events:
                if isinstance(event, m.Said):
                    self.hub.recorded(event)

    def _rest(self, seconds: float) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.pump.rest(seconds)

    def _report(self, event: m.Report) -> None:
        """From engines and the hub; a death comes behind the last byte of its link."""
        if isinstance(event, m.Transferred):
            if self.web is not None:
                self.web.tell(event)
            return
        if self.showing is not None and self.showing.concerns(event):
            self.showing.heard(event)
            return
        if isinstance(event, m.Exited):
            self.pump.alarm(f"exited {event.place}", 0.0, lambda: self._gone(event))
            return
        if isinstance(event, m.Said):
            self._unread += len(event.raw)
        self.pump.put(event)

    def _gone(self, event: m.Exited, looks: int = LAST_LOOKS) -> None:
        """Its last words come before its end; between machines they may still be on their way."""
        if looks and not event.lost and self.hub.may_still_hear(event.place):
            self.pump.alarm(f"exited {event.place}", LAST_PAUSE, lambda: self._gone(event, looks - 1))
            return
        self.hub.finish(event.place)
        self.sharing.ended(event.place)
        self.pump.put(event)

    def _plenty(self) -> bool:
        return self._unread > PLENTY

    # -- effects -----------------------------------------------------------------------------------------

    def _place(self, effect: m.Place) -> None:
        work = self.coordinator.tree[effect.work]
        assert isinstance(work, LightningWork)
        pickled = packed(work)
        if pickled is None and "isolation" in self.engine.promises and self.coordinator.lineage.is_new(work):
            self._report(m.Refused(effect.place, why_not_packed(work)))
            return
        hub, told = (self.hub.address, self.hub.expect(effect.place)), self._own_app(effect.work, placed=True)
        shared, again = self.sharing.told(effect.place), self.coordinator.crew.lives[effect.work].calls.begun
        self.sharing.carries(effect.place, pickled)
        self.engine.place(order_for(work, effect.place, pickled, self.settings, self.folder, hub, told, shared, again))

    def _own_app(self, component: str, placed: bool = False) -> dict[str, str]:
        """What tells a component's process where its app is."""
        return self.web.surroundings(component, placed) if self.web is not None else {}

    def _send(self, effect: m.Send) -> None:
        self.hub.send(effect.place, effect.message)

    def _stop(self, effect: m.Stop) -> None:
        self.engine.stop(effect.place, self.settings.grace)
        if effect.delete:
            self.sharing.forget(effect.place.rpartition("@")[0])

    def _reply(self, effect: m.Reply) -> None:
        if self.web is None or not self.web.answer(effect):
            self.control.answer(effect.id, effect.error)

    def _is_work(self, name: str) -> bool:
        return name in self.coordinator.crew.lives

    def _how_it_is(self) -> dict[str, Any]:
        """For another terminal; on the polling thread, so it looks at single values only."""
        return {
            "pid": os.getpid(),
            "generation": self.keeping.generation,
            "turn": self.coordinator.turn,
            "stage": self.app.stage,
        }

    def _abandon(self, name: str) -> str:
        """A person says that the process of a work is no more: why that cannot be believed, or ""."""
        place = self.coordinator.crew.lives[name].place
        state = self.engine.observe(place).state if place else ""
        if not place:
            return f"{name} has no process now, so there is none to abandon."
        if state != "unknown":
            return f"The process of {name} is {state}, and its engine would see its end: only one that is out of sight can be abandoned."
        self.engine.abandon(place)
        return ""

    def _say(self, effect: m.Say) -> None:
        if effect.once:
            self.log.once(effect.level, effect.message)
        elif effect.level == "error":
            self._plainly(effect.message)
        else:
            self.log.say(effect.level, effect.message)

    def _plainly(self, message: str) -> None:
        """Text that is the user's own, or about it: without a label before it."""
        if self.settings.log_format == "json":
            self.log.error(message)
        else:
            sys.stderr.write(f"{message}\n")
            sys.stderr.flush()

    def _exit(self, effect: m.Exit) -> None:
        if self.exit_code is None:
            self.exit_code = effect.code
            self.keeping.note("ended", str(effect.code))
            self.app.stage = AppStage.FAILED if effect.code else AppStage.STOPPING
        if effect.message:
            self._plainly(effect.message)

    def _hand_out_port(self) -> int:
        """One that is free, and that no other work of this app was given."""
        while (port := free_port()) in self._ports:
            """The kernel gives another."""
        self._ports.add(port)
        return port

    def _thread_for(self, order: Placement) -> Threaded:
        """A worker in a thread; its work is another object than the flow's."""
        work = self.coordinator.tree[order.work]
        assert isinstance(work, LightningWork)
        return Threaded(order, work)

    # -- signals and the end -----------------------------------------------------------------------------

    def _on_signal(self, name: str) -> None:
        """In the signal's handler, in the flow's thread."""
        if self.signal:
            self.engine.close(0.0)
            return
        self.signal = name
        self.pump.put(m.Detached(""))
        coordinator = getattr(self, "coordinator", None)
        if coordinator is not None:
            coordinator.interrupt()

    def _interrupted(self) -> None:
        if self.exit_code is None:
            self.exit_code = CODES.get(self.signal or "SIGINT", 1)
            self.app.stage = AppStage.STOPPING

    def _end(self) -> None:
        """Works get SIGTERM, what they still say is heard, and nothing is left."""
        if self.web is not None:
            self.web.ending(self.app.stage)
        if self.showing is not None:
            self.showing.stop()
        try:
            waits = None if "isolation" in self.engine.promises else self.clock.monotonic() + UNISOLATED
            self.engine.close(self.settings.grace)
            while not self.engine.closed:
                left = None if waits is None else waits - self.clock.monotonic()
                if left is not None and left <= 0:
                    break
                self._absorb(self.pump.take(left))
            self._absorb(self.pump.take(0))
        finally:
            self._let_go()

    def _absorb(self, events: list[Event]) -> None:
        coordinator = getattr(self, "coordinator", None)
        if coordinator is not None:
            code = "an error" if self.exit_code is None else f"exit code {self.exit_code}"
            outcome = coordinator.absorb(events, self.clock.wall(), self.signal or code)
            if not self.keeping.last_words(outcome):
                return
            if self.web is not None:
                self.web.publish(outcome.published, self.app.stage)
            for effect in outcome.effects:
                if isinstance(effect, m.Send):
                    self._send(effect)

    def _let_go(self) -> None:
        if self.web is not None:
            withdraw(*self._own_app(""))
            self.web.close()
        if self.showing is not None:
            self.showing.close()
        self.hub.close()
        self.control.close()
        self.engine.let_go()
        if self.provenance is not None:
            self.provenance.finish()
        self.heartbeat.end()
        self.pump.close()
        coordinator = getattr(self, "coordinator", None)
        if coordinator is not None:
            self.keeping.last_snapshot(coordinator, self.sharing.has_content)
        self.keeping.journal.close()
        self.app.exit_code = self.exit_code if self.exit_code is not None else 1
        if coordinator is not None:
            coordinator.finish(self.clock.wall())
        self.sharing.close()


PERFORM: dict[type, Callable[[Host, Any], None]] = {
    m.Place: Host._place,
    m.Send: Host._send,
    m.Stop: Host._stop,
    m.Reply: Host._reply,
    m.Exit: Host._exit,
    m.Say: Host._say,
}


def _told(outcome: Outcome) -> Outcome:
    """Without what only makes sense in an app that goes on."""
    return Outcome(outcome.record, [effect for effect in outcome.effects if isinstance(effect, (m.Say, m.Reply))])


def _finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What an `async` handler answered; the turn lasts until it has."""
    import asyncio

    return asyncio.run(coroutine)


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


__all__ = ["Host", "SystemClock"]
