"""Every error of the framework, in one tree.  Knows nothing of what raises them.

    LightningError                     root: catch this to catch all that is ours
    ├── UsageError                     said on the terminal in one sentence, without a traceback; `exit_code`
    │   ├── AppLoadError               the app file cannot be turned into an app (also MisconfigurationException)
    │   ├── UnknownEngine, MissingExtra
    │   ├── PortInUse
    │   └── RunError                   a run cannot be taken up
    │       ├── JournalDamaged         its journal cannot be read
    │       └── JournalFull            its journal cannot be written
    ├── ComponentError                 a component is written or used in a way that cannot work
    │   ├── AttributeNotDeclared       (AttributeError) a public attribute was not set in `__init__`
    │   ├── CannotKeep                 (AttributeError) a value that cannot be part of the state
    │   ├── InitForgotten              (AttributeError) `super().__init__()` was not called
    │   ├── RunMissing                 (TypeError) no `run` method
    │   ├── AlreadyAttached, NotAttached
    │   ├── CannotSend                 (TypeError) call arguments or a result that cannot travel
    │   └── WrongPlace                 (RuntimeError) asked for in the wrong process or thread
    ├── ScheduleError                  (ValueError) an invalid cron pattern
    ├── StateMismatch                  a saved state does not fit the components
    ├── CannotEdit                     (ValueError) a change asked for from outside that does not fit the state
    ├── OutOfDate                      it was asked for on the grounds of an older state
    ├── Unanswered                     the flow did not answer a request in time
    ├── StorageError                   (RuntimeError) a file or value could not be handed over or fetched
    │   ├── NotFound                   (FileNotFoundError) it is not there
    │   ├── AlreadyThere               (FileExistsError) something is there that was not to be replaced
    │   ├── OutsideFolder              (ValueError) a path that leads out of the folder it has to be in
    │   ├── ContentDamaged             its bytes are not those its hash says
    │   ├── ValueGone                  (AttributeError) the bytes of a value of the past are not kept any more
    │   └── Unreachable                a store, or the worker that has it, does not answer
    ├── EngineError                    an engine could not do what it was asked for
    ├── KitError                       a test of an app asks for what cannot be
    │   ├── AppWaits, AppNeverRests    it should come to its end, or to rest, and does not
    │   ├── WorkFailed                 a work ended the app without an exception of its own
    │   └── InvariantBroken            (AssertionError) what should always hold does not
    └── ProtocolError                  the other end of a link said something impossible

Control flow that user code must not swallow derives from BaseException instead: `Blocked`, `AppExit`, `WorkStopped`.
"""

from __future__ import annotations

__all__ = [
    "AlreadyAttached",
    "AlreadyThere",
    "AppExit",
    "AppLoadError",
    "AppNeverRests",
    "AppWaits",
    "AttributeNotDeclared",
    "Blocked",
    "CannotEdit",
    "CannotKeep",
    "CannotSend",
    "ComponentError",
    "ContentDamaged",
    "EngineError",
    "InitForgotten",
    "InvariantBroken",
    "JournalDamaged",
    "JournalFull",
    "KitError",
    "LightningError",
    "MissingExtra",
    "NotAttached",
    "NotFound",
    "OutOfDate",
    "OutsideFolder",
    "PortInUse",
    "ProtocolError",
    "RunError",
    "RunMissing",
    "ScheduleError",
    "StateMismatch",
    "StorageError",
    "Unanswered",
    "UnknownEngine",
    "Unreachable",
    "UsageError",
    "ValueGone",
    "WorkFailed",
    "WorkStopped",
    "WrongPlace",
]  # fmt: skip


class LightningError(Exception):
    """The root of everything this framework raises on purpose."""


class UsageError(LightningError):
    """Something to say in one sentence on the terminal; the process then ends with `exit_code`."""

    exit_code = 1


class AppLoadError(UsageError):
    """The app file cannot be turned into one app."""


class UnknownEngine(UsageError):
    """No engine has this name."""

    exit_code = 2


class MissingExtra(UsageError):
    """An optional dependency is needed; the sentence holds the pip line."""


class PortInUse(UsageError):
    """The port that was asked for is taken."""


class RunError(UsageError):
    """A run cannot be taken up: it does not exist, is somebody else's, or still lives."""


class JournalDamaged(RunError):
    """The journal of a run cannot be read."""


class JournalFull(RunError):
    """The journal of a run cannot be written, for now."""


class ComponentError(LightningError):
    """A component is written or used in a way that cannot work."""


class AttributeNotDeclared(ComponentError, AttributeError):
    """A public attribute was set that `__init__` had not set."""


class CannotKeep(ComponentError, AttributeError):
    """A value that cannot be part of the state."""


class InitForgotten(ComponentError, AttributeError):
    """`super().__init__()` was not called before state was set."""


class RunMissing(ComponentError, TypeError):
    """A work, or the root flow, without a `run` method."""


class AlreadyAttached(ComponentError, AttributeError):
    """A component that already lives elsewhere in the tree, or a place in the tree that is already taken."""


class NotAttached(ComponentError, AttributeError):
    """A component that is in no tree was asked for something that needs one."""


class CannotSend(ComponentError, TypeError):
    """Arguments or a result that cannot travel between processes."""


class WrongPlace(ComponentError, RuntimeError):
    """Something was asked for in a process, thread or moment where it cannot be had."""


class ScheduleError(LightningError, ValueError):
    """An invalid cron pattern."""


class StateMismatch(LightningError, ValueError):
    """A saved state does not fit the components."""


class CannotEdit(LightningError, ValueError):
    """A change that a program outside asked for does not fit the state."""


class OutOfDate(LightningError):
    """A change was asked for on the grounds of a state that is not there any more."""


class Unanswered(LightningError):
    """The flow did not answer a request in time, or has ended."""


class StorageError(LightningError, RuntimeError):
    """A file or value could not be handed over or fetched."""


class NotFound(StorageError, FileNotFoundError):
    """A file or value that was asked for is not there."""


class AlreadyThere(StorageError, FileExistsError):
    """Something is there already that was not to be replaced."""


class OutsideFolder(StorageError, ValueError):
    """A path that leads out of the folder it has to be in."""


class ContentDamaged(StorageError):
    """The bytes that are there are not those that were handed over."""


class ValueGone(StorageError, AttributeError):
    """The bytes of a value that the state once had are not kept any more."""


class Unreachable(StorageError):
    """A store, or the worker that has the bytes, does not answer."""


class EngineError(LightningError):
    """An engine could not do what it was asked for."""


class ProtocolError(LightningError):
    """The other end of a link said something impossible."""


class KitError(LightningError):
    """A test asks for a component that is not there, or for something that cannot happen now."""


class AppWaits(KitError):
    """The app should come to its end, and only what the test does could move it."""


class AppNeverRests(KitError):
    """The app moves on and on, and should come to rest."""


class WorkFailed(KitError):
    """The failure of a work ended the app, and there is no exception to raise: its process died, or took too long."""


class InvariantBroken(KitError, AssertionError):
    """What should hold whatever happens does not; says after what, and how to see it again.

    Attributes:
        app: the AppTest in which it was seen, as it was then.
    """

    app: object = None


class Blocked(BaseException):
    """The flow waits for a work.  Not an Exception, so that an app's own `except Exception` lets it through."""


class AppExit(BaseException):
    """`flow.stop()` (`failed=False`) or `flow.fail()` (`failed=True`): the app ends after this turn."""

    def __init__(self, message: str = "", *, failed: bool = False) -> None:
        super().__init__(message)
        self.failed = failed


class WorkStopped(BaseException):
    """The work was stopped while its `run` was under way; raised inside `run` so that `finally` blocks run."""
