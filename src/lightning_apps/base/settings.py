"""Every setting, its default and the variable that changes it.  The only module that reads or writes the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from .errors import UsageError

SHARED = "SHARED_MOUNT_DIRECTORY"  # the older framework's


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How an app is run.  Each field `x_y` is also the variable `LIGHTNING_X_Y`; options of the command line come first."""

    engine: str = "local"
    start_method: str = "zygote"  # or "spawn": a fresh interpreter executes the app file again
    link: str = "unix"  # or "tcp": loopback, for systems without unix sockets; "tls": between machines
    address: str | None = (
        None  # of the cluster, for engines that have one: "host:port", or "auto"; None: one of our own
    )
    advertise_host: str | None = None  # address of this machine that the machines of works reach
    remote_orphan_limit: float = 3600.0  # seconds a worker on another machine lives on when its app is not heard of
    ray_resources: str = ""  # JSON: what names of CloudCompute ask of Ray: {"gpu": {"num_gpus": 1, "labels": {…}}}
    watch: str = "inotify"  # or "poll": how logs are followed
    portable: bool = False  # forces every portable way at once: spawn, tcp, poll, no pidfd, no subreaper
    grace: float = 10.0  # seconds between SIGTERM and SIGKILL
    orphan_limit: float = 30.0  # seconds a worker lives on without host and keeper
    gpus: str | None = None  # "0,1": what may be given out; "" for none; None: ask nvidia-smi when one is wanted
    run_dir: str | None = None  # where run folders are made; default: .lightning-runs in the current folder
    home: str | None = None  # the user's own folder of this framework; also the default place of run folders
    log_level: str = "info"
    log_format: str = "text"  # or "json"
    log_prefix: str = "auto"  # "auto": on a terminal only; "always"; "never"
    tick: float | None = None  # seconds: wake the flow this often, for apps that poll
    resume: str | None = None  # id of the run to take up again, or "last"
    strict: bool = False  # whether attributes that code and saved state do not share are errors
    durability: str | None = (
        None  # "turn": survives any process; "fsync": and power loss; "memory"; None: as the engine needs
    )
    journal_turns: int = 10_000  # turns that can be looked at
    journal_bytes: int = 256 << 20  # and how many bytes of them
    journal_values: int = 4 << 30  # and how many bytes of arrays, tables and payloads that only they had
    keep_runs: int = 20  # ended runs whose folders are kept
    storage: str | None = None  # "s3://bucket/folder": where content that works hand over is kept as well
    apart: bool = False  # works keep files apart, as if each were on a machine of its own
    reference_above: int = 64 << 10  # bytes of an array or table above which it travels by reference
    restarts: int = 5  # deaths of the host without progress after which the app has failed
    call_history: int = 1000  # settled calls kept per work with all their details
    lost_limit: int = 5  # deliveries of one call that may be lost with their machine
    slow_turn: float = 1.0  # seconds after which a turn is named as too long
    pace_after: int = 100  # self-made turns in a row after which the flow is paced
    pace_fastest: float = 0.001  # seconds between paced turns at first
    pace_slowest: float = 0.1  # seconds between paced turns at last
    allow_hosts: str | None = None  # names, with commas, under which the server is known besides this machine's
    root_path: str | None = None  # prefix under which a proxy in front shows the server
    token_file: str | None = None  # holds the token of the server; None: one is made
    basic_auth: str = ""  # "user:password" that is as good as the token
    tls_cert: str | None = None
    tls_key: str | None = None
    streams: int = 4096  # open WebSockets with the state as it changes
    upload_bytes: int = 4 << 30  # of one file that is sent to the server
    tell_tracebacks: bool = False  # to whoever asks over HTTP
    host: str = "127.0.0.1"
    port: int | None = None
    open_ui: bool = True
    with_server: bool = True
    blocking: bool = False
    name: str = ""
    argv: tuple[str, ...] = ()  # the app's own arguments
    env: tuple[tuple[str, str], ...] = ()  # --env K=V
    secrets: tuple[tuple[str, str], ...] = ()  # resolved; never logged or stored

    def __repr__(self) -> str:
        """Variables and secrets by their names alone: what is shown ends up in logs and tracebacks."""
        hidden = {name: tuple(key for key, _ in getattr(self, name)) for name in ("env", "secrets")}
        hidden["basic_auth"] = tuple("…" for _ in self.basic_auth[:1])
        shown = {name: hidden.get(name, getattr(self, name)) for name in self.__struct_fields__}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def portable_ways(self) -> Settings:
        """These settings with every portable way forced, if `portable` is set or this is not Linux."""
        if self.portable or not sys.platform.startswith("linux"):
            return msgspec.structs.replace(self, portable=True, start_method="spawn", link="tcp", watch="poll")
        return self


KINDS: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(Settings)}
FROM_ENVIRONMENT = sorted(
    set(KINDS) - {"argv", "env", "resume", "secrets", "blocking", "with_server", "open_ui", "name", "basic_auth"}
)


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Defaults, then `LIGHTNING_*` variables, then `overrides` that are not None.

    Raises:
        UsageError: a variable whose value does not fit its setting.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for name in FROM_ENVIRONMENT:
        variable = f"LIGHTNING_{name.upper()}"
        if variable in environ:
            values[name] = _convert(variable, environ[variable], KINDS[name])
    values.update({name: value for name, value in overrides.items() if value is not None})
    return Settings(**values).portable_ways()


def _convert(variable: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{variable}={text!r} cannot be used: {error}.") from None


def environ() -> dict[str, str]:
    """A copy of this process's environment."""
    return dict(os.environ)


def export(values: Mapping[str, str]) -> None:
    """Put variables into this process's environment, for user code and child processes."""
    os.environ.update(values)


def withdraw(*names: str) -> None:
    """Remove variables from this process's environment."""
    for name in names:
        os.environ.pop(name, None)


def colour_wanted(is_terminal: bool) -> bool:
    """Colours only on a terminal, and never with NO_COLOR (https://no-color.org)."""
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def user_home() -> str:
    """The folder of this framework's own user files: LIGHTNING_HOME, else ~/.lightning-apps."""
    return os.environ.get("LIGHTNING_HOME") or os.path.join(os.path.expanduser("~"), ".lightning-apps")


def browser_wanted() -> bool:
    """Whether there is a browser to open a page in, and a person before it."""
    if any(os.environ.get(name) for name in ("PYTEST_CURRENT_TEST", "CI", "LIGHTNING_CLOUDSPACE_HOST")):
        return False
    shown = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return shown or not sys.platform.startswith("linux")


def page_elsewhere() -> str:
    """The URL to open in place of the app's own; the older framework's variable."""
    host = os.environ.get("APP_SERVER_HOST", "")
    return f"{host.rstrip('/')}/view" if host else ""


def runtime_dir() -> str:
    """Where sockets live: XDG_RUNTIME_DIR if it is there, else the temporary folder."""
    import tempfile

    wanted = os.environ.get("XDG_RUNTIME_DIR", "")
    return wanted if wanted and os.path.isdir(wanted) and os.access(wanted, os.W_OK) else tempfile.gettempdir()


def storage_root() -> str:
    """The folder that `lit://` paths lead to; the older framework's variable, else one in the current folder."""
    return os.environ.get("STORAGE_ROOT_DIR") or ".storage"


def shared_folder() -> str:
    """The folder that the works of an app share; in a running app one in its run folder, unless the variable was set."""
    return os.environ.get(SHARED) or os.environ.get("LIGHTNING_STORAGE_PATH") or ".shared"


def shared_for(folder: str) -> dict[str, str]:
    """The variable that tells the processes of a run of its shared folder; empty where the user has chosen one."""
    chosen = os.environ.get(SHARED) or os.environ.get("LIGHTNING_STORAGE_PATH")
    return {} if chosen else {SHARED: folder}


def node_address() -> str:
    """The address other machines reach this one by; the older framework's variable, else loopback."""
    return os.environ.get("LIGHTNING_NODE_PRIVATE_IP") or "127.0.0.1"


def public_address() -> str:
    """The address the world reaches this machine by, empty if unknown; the older framework's variable."""
    return os.environ.get("LIGHTNING_NODE_IP", "")


APP_URL, APP_TOKEN, OWN_COMPONENT = "LIGHTNING_APP_STATE_URL", "LIGHTNING_APP_TOKEN", "LIGHTNING_COMPONENT"
APP_CERTIFICATE = "LIGHTNING_APP_CERTIFICATE"


def own_app() -> tuple[str, str, str] | None:
    """URL, token and certificate of the app that this process belongs to, as its host has put them into the environment."""
    url = os.environ.get(APP_URL, "")
    return (url, os.environ.get(APP_TOKEN, ""), os.environ.get(APP_CERTIFICATE, "")) if url else None


def own_component() -> str:
    """The full name of the work or flow that this process belongs to; "" if to none."""
    return os.environ.get(OWN_COMPONENT, "") or os.environ.get("LIGHTNING_FLOW_NAME", "")


def of_component(url: str, token: str, component: str, certificate: str = "") -> dict[str, str]:
    """The variables that tell a process to which component of which app it belongs."""
    return {APP_URL: url, APP_TOKEN: token, OWN_COMPONENT: component, APP_CERTIFICATE: certificate}


def as_prefix(path: str | None) -> str:
    """How a root path stands before other paths: with its first slash and without a last; "" for none."""
    inner = (path or "").strip("/")
    return f"/{inner}" if inner else ""
