"""LightningWork: what runs long or needs its own hardware.  Its `run` goes through its binding, here or in a process of its own."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any

from ..base.errors import CannotKeep, ComponentError, RunMissing, WrongPlace
from ..base.settings import node_address, public_address
from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus
from ..base.values import plain
from .binding import now
from .component import Component
from .compute import BuildConfig, CloudCompute
from .containers import Structure
from .retry import Backoff, Policy, policy


class WorkRun:
    """Stands for the `run` its author wrote (`plain`): calling it on a work asks that work's binding."""

    def __init__(self, plain: Callable[..., Any]) -> None:
        self.plain = plain
        self.__doc__ = plain.__doc__
        self.__wrapped__ = plain

    def __get__(self, work: LightningWork | None, owner: type[LightningWork]) -> Any:
        return self if work is None else BoundRun(work, self.plain)

    def __call__(self, work: LightningWork, *args: Any, **kwargs: Any) -> Any:
        return work._lit_binding.call(work, self.plain, args, kwargs)


class BoundRun:
    """`work.run`: call it to ask for the work to be done with these arguments."""

    __slots__ = ("__self__", "plain")

    def __init__(self, work: LightningWork, plain: Callable[..., Any]) -> None:
        self.__self__, self.plain = work, plain

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__self__._lit_binding.call(self.__self__, self.plain, args, kwargs)

    def options(
        self, *, retries: int | None = None, backoff: float | Backoff | None = None, timeout: float | None = None
    ) -> Callable[..., Any]:
        """`run` with another policy for this call than the work's own: `work.run.options(retries=2)(lr=0.1)`.

        Raises:
            ComponentError: a value that makes no sense.
        """
        own: Policy = self.__self__._lit_options["policy"]
        chosen = policy(
            own.retries if retries is None else retries,
            own.backoff if backoff is None else backoff,
            own.timeout if timeout is None else timeout,
        )
        work, plain = self.__self__, self.plain
        return lambda *args, **kwargs: work._lit_binding.call(work, plain, args, kwargs, chosen)

    @property
    def __func__(self) -> Callable[..., Any]:
        return self.plain

    @property
    def __wrapped__(self) -> Any:
        return types.MethodType(self.plain, self.__self__)

    @property
    def __name__(self) -> str:
        return "run"

    def __repr__(self) -> str:
        return f"<run of {self.__self__._lit_describe()}>"


class _Attempt:
    """Reads the attempt's number; not a data descriptor, so that authors may have an attribute of this name."""

    def __get__(self, work: LightningWork | None, owner: type[LightningWork]) -> Any:
        return self if work is None else work._lit_binding.attempt(work)


class LightningWork(Component):
    """Runs long, serves, or needs hardware of its own: in a running app each work has a process of its own.

    Args:
        parallel: whether `run` returns at once; else the flow's turn ends there until the call has succeeded.
        cache_calls: whether equal arguments run once only; else again each time they are asked for after the last has finished.
        raise_exception: whether a failed call ends the app (exit code 1).
        host: address a server started by `run` should bind to.
        port: its port; None: a free one is handed out when `port` is first read.
        local_build_config: kept for older code.
        cloud_build_config: what a machine that is not prepared needs installed.
        cloud_compute: what hardware it asks for or would like.
        run_once: older name of `cache_calls`.
        start_with_flow: whether its process starts with the app, before the first call.
        retries: how often a call that failed is made again before it has failed.
        backoff: seconds between attempts, or a `Backoff`; by default growing from 1 s to 60 s with jitter.
        timeout: seconds one attempt may take; then its process is ended and it has failed with reason "timeout".
        start_method: "spawn" to always begin in a fresh interpreter (CUDA in the app file, threads); None: as the app is run.

    Raises:
        RunMissing: (TypeError) the class has no `run`, or it is `async`.

    Example:
        class Train(LightningWork):
            def __init__(self):
                super().__init__(parallel=True)
                self.loss = None

            def run(self, lr):
                self.loss = fit(lr)
    """

    __slots__ = ("_lit_checkpoint", "_lit_deleted", "_lit_options", "_lit_results")

    _lit_listed = frozenset(
        {
            "_host",
            "_port",
            "_url",
            "_future_url",
            "_internal_ip",
            "_public_ip",
            "_restarting",
            "_cloud_compute",
            "_display_name",
            "_paths",
        }
    )
    attempt = _Attempt()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        run = getattr(cls, "run", None)
        if run is not None and run is not LightningWork.run and not isinstance(run, WorkRun):
            cls.run = WorkRun(run)  # type: ignore[assignment]

    def _lit_prepare(self) -> None:
        super()._lit_prepare()
        self._lit_deleted = False
        self._lit_checkpoint: dict[str, Any] | None = None
        self._lit_results: dict[str, Any] = {}
        self._lit_options: dict[str, Any] = {}

    def __init__(
        self,
        parallel: bool = False,
        cache_calls: bool = True,
        raise_exception: bool = True,
        host: str = "127.0.0.1",
        port: int | None = None,
        local_build_config: BuildConfig | None = None,
        cloud_build_config: BuildConfig | None = None,
        cloud_compute: CloudCompute | None = None,
        run_once: bool | None = None,
        start_with_flow: bool = True,
        *,
        start_method: str | None = None,
        retries: int = 0,
        backoff: float | Backoff | None = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__()
        _check_run(type(self))
        if run_once is not None:
            warnings.warn(
                "The `run_once` argument to LightningWork is deprecated, use `cache_calls` instead.",
                DeprecationWarning,
                stacklevel=3,
            )
            cache_calls = run_once
        self._lit_options.update(
            parallel=parallel,
            cache_calls=cache_calls,
            raise_exception=raise_exception,
            start_with_flow=start_with_flow,
            start_method=start_method or getattr(self, "_start_method", None),
            policy=policy(retries, backoff, timeout),
            local_build_config=local_build_config,
            cloud_build_config=cloud_build_config,
        )
        self._host, self._port = host, port
        self._url = self._future_url = self._internal_ip = self._public_ip = self._display_name = ""
        self._restarting = False
        self._paths: dict[str, Any] = {}
        self._cloud_compute = cloud_compute or CloudCompute()
        for config in (cloud_build_config, local_build_config):
            if config is not None and hasattr(config, "on_work_init"):
                config.on_work_init(self, self._cloud_compute)

    # -- to override ---------------------------------------------------------------------------------------

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Override with the job.  What it returns is recorded and returned by the flow's call once it has succeeded."""
        raise RunMissing(_missing(type(self)))

    def on_start(self) -> None:
        """Called in the work's process before its first call; state set here reaches the flow."""

    def on_exit(self) -> None:
        """Called in the work's process when it is asked to end, inside the grace."""

    def on_exception(self, exception: BaseException) -> None:
        """Called in the work's process when `run` raised; by default it raises again if `raise_exception`."""
        if self._lit_options.get("raise_exception", True):
            raise exception

    def configure_layout(self) -> Any:
        """What a tab with this work as its content shows: a frontend or a URL; by default `url`."""
        return self.url

    # -- asked for by flows --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process without a call.  A flow's turn ends here until it has started, unless `parallel`."""
        self._lit_binding.start(self)

    def stop(self) -> None:
        """End the process; the status is "stopped" at once.  Equal arguments do not start it again; others, `start` and `retry` do."""
        self._lit_binding.stop(self)

    def delete(self) -> None:
        """`stop`, and remove its files; another component may then take its name."""
        self._lit_binding.stop(self, delete=True)
        self._lit_deleted = True

    def retry(self) -> None:
        """Ask again for the call that was asked for last and has failed, or was stopped."""
        self._lit_binding.retry(self)

    def checkpoint(self, **values: Any) -> None:
        """Called in `run`: keep something for the next attempt of this call, which begins without this one's other changes.

        Raises:
            CannotKeep: a value that cannot be state.
            WrongPlace: (RuntimeError) called outside of `run`.
        """
        self._lit_binding.checkpoint(self, values)

    @property
    def last_checkpoint(self) -> dict[str, Any] | None:
        """What `checkpoint` was given last for this call, by this attempt or an earlier one; None if nothing was."""
        return self._lit_binding.last_checkpoint(self)

    # -- options -------------------------------------------------------------------------------------------

    @property
    def parallel(self) -> bool:
        """Whether `run` returns at once."""
        return bool(self._lit_options["parallel"])

    @property
    def cache_calls(self) -> bool:
        """Whether equal arguments run once only."""
        return bool(self._lit_options["cache_calls"])

    @property
    def raise_exception(self) -> bool:
        """Whether a failed call ends the app."""
        return bool(self._lit_options["raise_exception"])

    @property
    def start_with_flow(self) -> bool:
        """Whether the process starts with the app."""
        return bool(self._lit_options["start_with_flow"])

    @property
    def local_build_config(self) -> BuildConfig | None:
        """Kept for older code."""
        found: BuildConfig | None = self._lit_options["local_build_config"]
        return found

    @local_build_config.setter
    def local_build_config(self, config: BuildConfig | None) -> None:
        self._lit_options["local_build_config"] = config

    @property
    def cloud_build_config(self) -> BuildConfig | None:
        """What a machine that is not prepared needs installed."""
        found: BuildConfig | None = self._lit_options["cloud_build_config"]
        return found

    @cloud_build_config.setter
    def cloud_build_config(self, config: BuildConfig | None) -> None:
        self._lit_options["cloud_build_config"] = config
        if config is not None and hasattr(config, "on_work_init"):
            config.on_work_init(self, self._cloud_compute)

    @property
    def cloud_compute(self) -> CloudCompute:
        """What hardware it asks for or would like."""
        return self._cloud_compute

    @cloud_compute.setter
    def cloud_compute(self, compute: CloudCompute) -> None:
        self._cloud_compute = compute

    @property
    def display_name(self) -> str:
        """A label for people; can be set until the work has started."""
        return self._display_name

    @display_name.setter
    def display_name(self, label: str) -> None:
        if self.has_started:
            raise WrongPlace("The display name can be set only before the work has started.")
        self._display_name = label

    # -- addresses -----------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The address a server in `run` should bind to."""
        return self._host

    @property
    def port(self) -> int:
        """The port a server in `run` should bind to; a free one is handed out at the first read."""
        if self._port is None:
            self._port = self._lit_binding.port(self)
        return int(self._port)

    @port.setter
    def port(self, port: int | None) -> None:
        self._port = port

    @property
    def internal_ip(self) -> str:
        """The address other works reach this one by; "" until its process has started."""
        return self._internal_ip

    @property
    def public_ip(self) -> str:
        """The address the world reaches it by, if there is one."""
        return self._public_ip

    @property
    def url(self) -> str:
        """Where its server answers; "" until it does.  May be assigned."""
        return self._url

    @url.setter
    def url(self, url: str) -> None:
        self._url = url

    def _lit_answers(self, url: str) -> None:
        """Called in the host: its server answers there.  What the user assigned stays."""
        if not self._url or self._url == self._future_url:
            self._url = self._future_url = url

    def _lit_settle_in(self) -> None:
        """Called in the work's process: note the addresses of the machine it is on."""
        self._internal_ip, self._public_ip = node_address(), public_address()

    # -- status --------------------------------------------------------------------------------------------

    @property
    def statuses(self) -> list[WorkStatus]:
        """The statuses of the call that was asked for last, oldest first."""
        return self._lit_binding.statuses(self)

    @property
    def status(self) -> WorkStatus:
        """The last status of the call that was asked for last."""
        found = self._lit_binding.statuses(self)
        return found[-1] if found else WorkStatus(stage=Stage.NOT_STARTED, timestamp=now())

    def _lit_stage(self) -> str:
        found = self._lit_binding.statuses(self)
        return found[-1].stage if found else Stage.NOT_STARTED

    @property
    def has_started(self) -> bool:
        """Whether its process was ever started."""
        return self._lit_stage() != Stage.NOT_STARTED

    @property
    def has_stopped(self) -> bool:
        """Whether it was stopped."""
        return self._lit_stage() == Stage.STOPPED

    @property
    def has_succeeded(self) -> bool:
        """Whether the call that was asked for last has succeeded."""
        return self._lit_stage() == Stage.SUCCEEDED

    @property
    def has_failed(self) -> bool:
        """Whether the call that was asked for last has failed."""
        return self._lit_stage() == Stage.FAILED

    @property
    def has_timeout(self) -> bool:
        """Whether it failed because it took too long."""
        status = self.status
        return status.stage == Stage.FAILED and status.reason == "timeout"

    @property
    def is_running(self) -> bool:
        """Whether the call that was asked for last is under way."""
        return self._lit_stage() == Stage.RUNNING

    @property
    def is_pending(self) -> bool:
        """Whether the call that was asked for last waits; `status.reason` says for what."""
        return self._lit_stage() == Stage.PENDING

    @property
    def num_timeouts(self) -> int:
        """How often the call that was asked for last took too long."""
        return self._lit_binding.timeouts(self)

    @property
    def num_successes(self) -> int:
        """How many calls have succeeded."""
        return self._lit_binding.successes(self)

    # -- state ---------------------------------------------------------------------------------------------

    def _lit_may_declare(self, name: str) -> bool:
        return False

    def _lit_take_child(self, name: str, value: Any) -> bool:
        if isinstance(value, (Component, Structure)):
            raise ComponentError(
                "A ``LightningWork`` isn't allowed to take any children such as ``LightningWork`` or ``LightningFlow``. "
                f"{self._lit_describe()} was given {name} = {type(value).__name__}: attach it to a flow instead."
            )
        return False

    def _lit_vars(self) -> dict[str, Any]:
        found = {name: plain(value) for name, value in self._lit_values().items()}
        found["_cloud_compute"] = {"type": "__cloud_compute__", **self._cloud_compute.to_dict()}
        return found

    @property
    def _calls(self) -> dict[str, Any]:
        return self._lit_binding.calls(self)

    @property
    def _backend(self) -> Any:
        return self._lit_binding if self._lit_binding.context else None

    @property
    def state(self) -> dict[str, Any]:
        """`{"vars": …, "calls": …, "changes": {}}`; a copy."""
        return {"vars": self._lit_vars(), "calls": self._calls, "changes": {}}

    @property
    def state_vars(self) -> dict[str, Any]:
        """`{"vars": …}`; a copy."""
        return {"vars": self._lit_vars()}

    @property
    def state_with_changes(self) -> dict[str, Any]:
        """As `state`; kept for older code."""
        return self.state

    @property
    def changes(self) -> dict[str, Any]:
        """Always empty; kept for older code."""
        return {}

    def set_state(self, provided_state: dict[str, Any]) -> None:
        """Assign what `state` returned."""
        for name, value in provided_state["vars"].items():
            is_compute = name == "_cloud_compute" and isinstance(value, dict)
            setattr(self, name, CloudCompute.from_dict(value) if is_compute else value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        make, args, state = super().__reduce_ex__(protocol)
        return _revive_work, (make, args, dict(self._lit_options)), state


def _revive_work(make: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    work = make(*args)
    work._lit_options.update(options)
    return work


def _check_run(kind: type[LightningWork]) -> None:
    run = kind.run
    if run is LightningWork.run:
        raise RunMissing(_missing(kind))
    author = getattr(run, "plain", run)
    flags = getattr(getattr(author, "__code__", None), "co_flags", 0)
    if flags & 0x80 or flags & 0x200:  # CO_COROUTINE, CO_ASYNC_GENERATOR
        raise RunMissing(
            f"The run() of {kind.__name__} is `async`: a work's run is a plain function; call asyncio.run(…) inside it."
        )


def _missing(kind: type) -> str:
    return (
        f"The work `{kind.__name__}` is missing the `run()` method. This is required. "
        "Implement it first and then call it in your flow."
    )


__all__ = ["CannotKeep", "LightningWork", "WorkRun"]
