"""`lightning.app.utilities.enum`: stages and reasons."""

from lightning_apps.base.status import (
    AppStage,
    CacheCallsKeys,
    ComponentContext,
    OpenAPITags,
    WorkFailureReasons,
    WorkPendingReason,
    WorkStageStatus,
    WorkStatus,
    WorkStopReasons,
    make_status,
)

__all__ = [
    "AppStage",
    "CacheCallsKeys",
    "ComponentContext",
    "OpenAPITags",
    "WorkFailureReasons",
    "WorkPendingReason",
    "WorkStageStatus",
    "WorkStatus",
    "WorkStopReasons",
    "make_status",
]
