"""LightningApp: a root and options.  It has no behaviour of its own; who runs it is handed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..base.errors import ComponentError, RunMissing, WrongPlace
from ..base.status import AppStage, AppStatus
from .component import Component
from .compute import CloudCompute
from .containers import Structure
from .flow import LightningFlow
from .work import LightningWork


class AppFound(BaseException):
    """`app.run()` was reached while a file was being loaded: here is the app, the rest of the file is not executed."""

    def __init__(self, app: LightningApp) -> None:
        super().__init__()
        self.app = app


class RootFlow(LightningFlow):
    """Around a work that is the root: runs it, and ends the app when it has succeeded."""

    def __init__(self, work: LightningWork) -> None:
        super().__init__()
        self.work = work

    def run(self, *args: Any, **kwargs: Any) -> None:
        if not self.work.has_succeeded:
            self.work.run()
        if self.work.has_succeeded:
            self.stop()

    @property  # type: ignore[misc]
    def ready(self) -> bool:
        return bool(getattr(self.work, "ready", self.work.url != ""))

    def configure_layout(self) -> Any:
        if type(self.work).configure_layout is not LightningWork.configure_layout:
            return [{"name": "Main", "content": self.work}]
        return []


class LightningApp:
    """One app: a root component and how to run it.

    Args:
        root: a LightningFlow with a `run`, or a LightningWork (the app then ends when it has succeeded).
        flow_cloud_compute: hardware of the flow's process on a cluster.
        log_level: "info" or "debug".
        info: title and icon of its page.
        root_path: prefix when the app sits behind a proxy.
        tick: seconds; wake the flow this often even if nothing changed.

    Raises:
        RunMissing: (TypeError) the root flow has no `run`.

    Example:
        app = LightningApp(Root())
    """

    current: ClassVar[LightningApp | None] = None
    loading: ClassVar[bool] = False
    runner: ClassVar[Callable[..., int] | None] = None
    longest_wait: ClassVar[float | None] = None  # seconds after which `run_once` comes back even if nothing happened

    def __init__(
        self,
        root: LightningFlow | LightningWork,
        flow_cloud_compute: CloudCompute | None = None,
        log_level: str = "info",
        info: Any = None,
        root_path: str = "",
        *,
        tick: float | None = None,
        **older: Any,
    ) -> None:
        if log_level not in ("debug", "info"):
            raise ComponentError(f"Log Level should be in ['debug', 'info']. Found {log_level}")
        self.root = _checked_root(root)
        self.flow_cloud_compute = flow_cloud_compute or CloudCompute("flow-lite")
        self.log_level = "debug" if older.get("debug") else log_level
        self.info, self.root_path, self.tick = info, root_path, tick
        self.stage = AppStage.RUNNING
        self.exit_code: int | None = None
        self._turn: Callable[[], bool] | None = None  # given by whoever runs the app
        LightningApp.current = self

    def run(self, **options: Any) -> int:
        """Run the app from Python and return its exit code; blocks until it has ended.

        Args:
            options: settings by name, such as `engine="inline"`.
        """
        if LightningApp.loading:
            raise AppFound(self)
        if LightningApp.runner is None:
            raise WrongPlace(
                "Import the app's classes through `import lightning as L` (or lightning_apps) to run an app from Python."
            )
        return type(self).__dict__.get("runner", LightningApp.runner)(self, **options)  # type: ignore[no-any-return]

    def run_once(self) -> bool:
        """One turn: wait until something happens, take it in, run the flow.  Called again and again while the app runs.

        Override it to look on, in tests mostly; one that returns True ends the app with exit code 0.

        Returns:
            Whether the app is over.

        Raises:
            WrongPlace: (RuntimeError) the app is not being run.
        """
        if self._turn is None:
            raise WrongPlace("run_once() is called by what runs the app: use app.run(), or AppTest in a test.")
        return self._turn()

    def _ran_once(self) -> bool:
        """`run_once`, where older overrides return a tuple, or nothing."""
        done: Any = self.run_once()
        return bool(done[0] if isinstance(done, tuple) else done)

    # -- the tree ------------------------------------------------------------------------------------------

    @property
    def flows(self) -> list[LightningFlow]:
        """The root and all flows below it."""
        return [self.root, *self.root.flows.values()]

    @property
    def works(self) -> list[LightningWork]:
        """All works."""
        return self.root.works()

    @property
    def named_works(self) -> list[tuple[str, LightningWork]]:
        """(full name, work) of all works."""
        return self.root.named_works()

    def get_component_by_name(self, name: str) -> Any:
        """The component with this full name, such as "root.train" or "root.works.0".

        Raises:
            ValueError: a name that does not begin with "root".
            AttributeError: no such component.
        """
        first, *rest = name.split(".")
        if first != "root":
            raise ValueError(f"Invalid component name {name}. Name must start with 'root'")
        found: Any = self.root
        for part in rest:
            found = _child(found, part)
        return found

    # -- state ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """The state of everything, and the app's stage; a copy."""
        return {**self.root.state, "app_state": {"stage": self.stage}}

    @property
    def state_vars(self) -> dict[str, Any]:
        """As `state`, without calls and changes: what the API shows."""
        return {**self.root.state_vars, "app_state": {"stage": self.stage}}

    @property
    def state_with_changes(self) -> dict[str, Any]:
        """As `state`; kept for older code."""
        return self.state

    def set_state(self, state: dict[str, Any]) -> None:
        """Assign what `state` returned."""
        self.root.set_state(state)
        self.stage = state.get("app_state", {}).get("stage", self.stage)

    def state_dict(self) -> dict[str, Any]:
        """As `state`."""
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As `set_state`."""
        self.set_state(state)

    @property
    def ready(self) -> bool:
        """Whether the page may be shown."""
        return self.root.ready

    @property
    def status(self) -> AppStatus:
        """Readiness, and the status of every work."""
        return AppStatus(is_ui_ready=self.ready, work_statuses={name: work.status for name, work in self.named_works})

    # -- hooks for subclasses ------------------------------------------------------------------------------

    def connect(self, runtime: Any) -> None:
        """Called right before the first turn."""


def _child(parent: Any, part: str) -> Any:
    children = dict(parent._lit_items()) if isinstance(parent, Structure) else getattr(parent, "_lit_children", {})
    if part not in children:
        raise AttributeError(f"Component '{parent.name}' has no child component with name '{part}'.")
    return children[part]


def _checked_root(root: Any) -> LightningFlow:
    if isinstance(root, LightningWork):
        return RootFlow(root)
    if not isinstance(root, LightningFlow):
        kind = root.__name__ + " (a class: make an instance of it)" if isinstance(root, type) else type(root).__name__
        raise ComponentError(f"The root of a LightningApp has to be a LightningFlow or a LightningWork. Found {kind}.")
    run = type(root).run
    if run is LightningFlow.run:
        raise RunMissing(
            "The root flow passed to `LightningApp` does not override the `run()` method. "
            f"This is required. Please implement `run()` in your `{type(root).__name__}` class."
        )
    if getattr(getattr(run, "__code__", None), "co_flags", 0) & 0x280:
        raise RunMissing(
            f"The run() of {type(root).__name__} is `async`: a flow's run is a plain function that comes back within a second."
        )
    return root


__all__ = ["AppFound", "Component", "LightningApp", "RootFlow"]
