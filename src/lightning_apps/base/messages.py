"""The vocabulary: everything that enters or leaves the coordinator, or travels on a link, is one of these frozen values.

worker → host   Hello, Changed, Moved, Ready, Checkpoint, Received, Transfer           (numbered by an offset; `Said` in the host)
host → worker   Welcome, Changes, Run, Whole, Acknowledged, Rejected
engine → host   Started, Waiting, Silent, Refused, Exited, EngineClosed
hub → host      Attached, Detached, Said, Got, Transferred
web → host      Asked, Edited
coordinator →   Place, Send, Stop, Reply, Exit, Say                 (effects), and one Record a turn
"""

from __future__ import annotations

from typing import Any, Union

import msgspec

PROTOCOL = 2  # raised whenever a message changes its shape, or a kind comes that former hosts cannot read
OLDEST = 1  # of what workers may speak that outlived an older host: they say less, and understand what is said to them

SET, DELETE, SPLICE, UPDATE = 0, 1, 2, 3


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One path took one value.

    Attributes:
        path: attribute name, then keys of dictionaries or indices of lists.
        op: SET (value), DELETE, SPLICE of a list (value = [index, removed, [inserted …]]), UPDATE of a set
            (value = [[added …], [removed …]]).
    """

    path: tuple[Any, ...]
    op: int
    value: Any = None


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """What went wrong in a call: a sentence, the user's part of the traceback, the class of the exception."""

    reason: str
    message: str
    kind: str = ""
    exit_code: int | None = None


# worker → host ------------------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """First words of a worker: who it is, and how far it has got.

    Attributes:
        generation: the highest of any host it has served; a host with a lower one is not obeyed.
        received: the highest version of its state that it was told; 0: it was welcomed by nobody yet.
        attempt: the last attempt it was given; 0: none yet.
    """

    place: str
    token: str
    pid: int
    generation: int = 0
    received: int = 0
    attempt: int = 0
    protocol: int = PROTOCOL


class Changed(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """State moved in the work, which had seen the host's changes up to version `seen`."""

    seen: int
    changes: tuple[Change, ...]


class Moved(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A call reached a stage (running, succeeded, failed, stopped) at wall time `at`."""

    ordinal: int
    attempt: int
    stage: str
    at: float
    value: Any = None
    failure: Failure | None = None


class Received(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Everything up to this version has arrived; not numbered, and lost without harm."""

    version: int


class Ready(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """`on_start` has run; the worker takes calls."""

    at: float
    failure: Failure | None = None


class Checkpoint(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """What the next attempt of this call may begin from."""

    ordinal: int
    attempt: int
    values: dict[str, Any]


class Transfer(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """How far a transfer of over a second is; not numbered, and lost without harm.

    Attributes:
        doing: "fetching" or "handing over".
        what: the file, folder or object.
        done: bytes.
        size: bytes in all; 0 if that is not known.
        seconds: since it began.
        over: whether it is.
    """

    doing: str
    what: str
    done: int
    size: int
    seconds: float
    over: bool = False


FromWorker = Union[Hello, Changed, Moved, Ready, Checkpoint, Received, Transfer]

# host → worker ------------------------------------------------------------------------------------------


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The answer to Hello: up to which offset the host has heard it, and the whole state of the work at `version`.

    A worker that comes `again`, to a new host, keeps the state it has: it is told only what it has missed.
    """

    generation: int
    version: int
    state: dict[str, Any]
    heard: int = 0
    port: int = 0
    again: bool = False


class Changes(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The flow changed the work's state; the host had heard the worker up to offset `heard` when it did."""

    version: int
    heard: int
    changes: tuple[Change, ...]


class Run(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Run this call now.  `arguments` is a pickle of (args, kwargs); `checkpoint` what an earlier attempt left."""

    ordinal: int
    attempt: int
    arguments: bytes
    checkpoint: dict[str, Any] | None = None


class Whole(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A splice could not be applied: say the whole value at `path` again."""

    version: int
    path: tuple[Any, ...]


class Acknowledged(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Everything up to this offset is recorded and may be forgotten."""

    offset: int


class Rejected(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """This worker is not wanted (any more): it ends itself."""

    reason: str


ToWorker = Union[Welcome, Changes, Run, Whole, Acknowledged, Rejected]

# events: what happened ------------------------------------------------------------------------------------


class Said(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A worker said something: its `offset`-th message, as received (`raw`) and as understood."""

    place: str
    offset: int
    message: Changed | Moved | Ready | Checkpoint
    raw: bytes = b""


class Attached(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A worker dialled in and was admitted; what it has got is in its `Hello`."""

    place: str
    pid: int
    received: int = 0
    attempt: int = 0


class Detached(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The link of a worker is gone.  That is not its death."""

    place: str


class Got(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """A worker has received everything up to this version of its state."""

    place: str
    version: int


class Transferred(msgspec.Struct, frozen=True):
    """How far a transfer of the worker there is: to be shown, and no part of the story."""

    place: str
    message: Transfer


class Started(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The engine has started the process; `began` tells it from a later one of the same number."""

    place: str
    pid: int
    began: str = ""


class Waiting(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The engine cannot place it yet: why, and which places hold what it needs."""

    place: str
    reason: str
    holders: tuple[str, ...] = ()


class Silent(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """The engine does not hear of the process any more, which is not its end: why, and what follows; "": it hears of it again."""

    place: str
    reason: str


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """The engine can never place it."""

    place: str
    reason: str


class Exited(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """The process is gone for certain: its exit code or the signal that ended it; `lost` with its machine."""

    place: str
    code: int | None = None
    signal: int | None = None
    lost: bool = False


class EngineClosed(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """The engine was told to end everything, and nothing is left."""


class Asked(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """An HTTP route or a command asks for a method of a flow."""

    id: str
    component: str
    method: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


class Edit(msgspec.Struct, frozen=True, array_like=True):
    """One change, in JSON's words.

    Attributes:
        component: its full name.
        path: attribute, then keys and indices as texts or numbers; "-" is behind the last of a list.
        op: "add", "replace", "remove", "test", "copy", "move" (RFC 6902), or "put": add or replace.
        value: for "copy" and "move" the source, [component, path].
    """

    component: str
    path: tuple[Any, ...]
    op: str
    value: Any = None


class Edited(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """A program outside asks for changes: all of them or none.

    Attributes:
        seen: the turn whose state the program had before it: refused if a component concerned has changed since.
        stage: "running" lets a flow that was held back at the start begin.
    """

    id: str
    edits: tuple[Edit, ...]
    seen: int | None = None
    stage: str = ""


Event = Union[Said, Attached, Detached, Started, Waiting, Silent, Refused, Exited, EngineClosed, Got, Asked, Edited]
Report = Union[Event, Transferred]  # what the host hears; the latter does not reach the coordinator

# effects: what to do --------------------------------------------------------------------------------------


class Place(msgspec.Struct, frozen=True):
    """Have the engine place a worker for this work."""

    work: str
    place: str


class Send(msgspec.Struct, frozen=True):
    """Say something to the worker at this place."""

    place: str
    message: ToWorker


class Stop(msgspec.Struct, frozen=True):
    """End the worker at this place; `delete`: and remove its files."""

    place: str
    delete: bool = False


class Reply(msgspec.Struct, frozen=True):
    """The answer to an `Asked`."""

    id: str
    value: Any = None
    error: BaseException | None = None


class Exit(msgspec.Struct, frozen=True):
    """The app ends: `code` is the exit code, `message` goes to stderr.

    Attributes:
        error: what the flow raised, where that ended it.
        work: the work whose failure ended it.
    """

    code: int
    message: str = ""
    error: BaseException | None = None
    work: str = ""


class Say(msgspec.Struct, frozen=True):
    """Tell the person at the terminal something; `once`: only the first time."""

    level: str
    message: str
    once: bool = False


Effect = Union[Place, Send, Stop, Reply, Exit, Say]


class Heard(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """What a record keeps of a `Said`: the bytes as they were received."""

    place: str
    offset: int
    raw: bytes


Taken = Union[Heard, Attached, Detached, Started, Waiting, Silent, Refused, Exited, EngineClosed, Got]


class Record(msgspec.Struct, array_like=True):
    """What one turn took in and what the flow did in it, in order: enough to go through it again without the flow's code.

    Attributes:
        turn: number of the turn.
        at: wall time in seconds.
        taken: what came in, in order.
        done: what the flow's side did, in order: ["set", component, encoded Change], ["opened", work, key, arguments, policy],
            ["latest", work, key], ["start", work], ["stop", work, delete], ["made", …], ["gone", component],
            ["structure", flow, attribute, "List", "Dict" or ""], ["ended", code];
            alone and first: ["resumed", places that were gone], ["ending", why]: what works said after the end of the app.
        story: what followed for calls, for people to read: [what, work, ordinal, stage or attempt, …].
        timers: schedules that were asked, key to the time after which due times count.
    """

    turn: int
    at: float
    taken: list[Taken] = []
    done: list[Any] = []
    story: list[Any] = []
    timers: dict[str, float] = {}

    @property
    def ending(self) -> str:
        """Why the app ended, if this holds what its works said after that; else empty."""
        return str(self.done[0][1]) if self.done and self.done[0][0] == "ending" else ""

    @property
    def empty(self) -> bool:
        """Whether the turn changed nothing at all."""
        return not (self.taken or self.done or self.story or self.timers)


class Outcome(msgspec.Struct):
    """What a turn leads to: write the record first, then perform the effects in order, then tell readers (a `Published`)."""

    record: Record
    effects: list[Effect]
    published: Any = None
