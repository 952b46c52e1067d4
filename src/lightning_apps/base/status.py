"""Stages, reasons and statuses, as users read and compare them.  Plain strings, so that `==` works on any side of a wire."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import msgspec


class WorkStageStatus:
    """Where the call that was asked for last has got to."""

    NOT_STARTED = "not_started"
    STARTED = "started"
    STOPPED = "stopped"
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class WorkFailureReasons:
    """Why a call failed."""

    TIMEOUT = "timeout"
    SPOT_RETRIVAL = "spot_retrival"  # the older spelling, which code compares with
    USER_EXCEPTION = "user_exception"
    INVALID_RETURN_VALUE = "invalid_return_value"
    DIED = "died"  # the work's process ended: signal, exit code, out of memory
    REFUSED = "refused"  # the engine can never place it
    LOST = "lost"  # its machine went away too often


class WorkStopReasons:
    """Why a work was stopped."""

    SIGTERM_SIGNAL_HANDLER = "sigterm_signal_handler"
    PENDING = "pending"


class WorkPendingReason:
    """Why a call waits, in the older framework's words; ours are sentences in `message`."""

    IMAGE_BUILDING = "image_building"
    REQUESTING_RESOURCE = "requesting_ressource"  # the older spelling


class AppStage:
    """What the app is doing."""

    BLOCKING = "blocking"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    FAILED = "failed"


class ComponentContext:
    """Which side of an app some code runs on."""

    FLOW = "flow"
    WORK = "work"


class CacheCallsKeys:
    """The key of `work.state["calls"]` that names the call asked for last."""

    LATEST_CALL_HASH = "latest_call_hash"


class OpenAPITags:
    """How routes are tagged in the API's description."""

    APP_CLIENT_COMMAND = "app_client_command"
    APP_COMMAND = "app_command"
    APP_API = "app_api"


class WorkStatus(msgspec.Struct, omit_defaults=False):
    """One status of a work.

    Attributes:
        stage: one of `WorkStageStatus`.
        timestamp: seconds since the epoch.
        reason: one of the reasons above, or a sentence.
        message: for a failure the user's part of the traceback; for a pending call what it waits for.
        count: how often this status was reached (timeouts).
    """

    stage: str
    timestamp: float
    reason: str | None = None
    message: str | None = None
    count: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The shape of an entry in `work.state["calls"][…]["statuses"]`: absent reasons are left out."""
        shape: dict[str, Any] = {"stage": self.stage, "timestamp": self.timestamp}
        if self.reason is not None:
            shape["reason"] = self.reason
        if self.message is not None:
            shape["message"] = self.message
        return shape


class AppStatus(msgspec.Struct):
    """Whether the app's page can be shown, and the status of every work by name."""

    is_ui_ready: bool
    work_statuses: dict[str, WorkStatus]


def make_status(stage: str, message: str | None = None, reason: str | None = None) -> dict[str, Any]:
    """A status as a dictionary, taken now."""
    now = datetime.now(timezone.utc).timestamp()
    return WorkStatus(stage=stage, timestamp=now, reason=reason, message=message).to_dict()
