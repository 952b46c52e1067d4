"""The order for one worker: what its work is, asks for and is told.  Places nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..base.settings import Settings
from ..model.work import LightningWork
from ..ports import Placement
from .main_file import app_file, surroundings
from .run_folder import RunFolder


def order_for(
    work: LightningWork,
    place: str,
    pickled: bytes | None,
    settings: Settings,
    folder: RunFolder,
    hub: tuple[str, str],
    told: Mapping[str, str],
    shared: Mapping[str, Any],
    again: bool = False,
) -> Placement:
    """An order that an engine takes.

    Args:
        pickled: the work as it is now; None: it is taken by name from the tree that the app file builds.
        hub: address and token.
        told: variables that say where the app is.
        shared: what the worker needs to know of the app's files.
        again: its call has begun before.
    """
    compute, needs, file = work.cloud_compute, work.cloud_compute.requirement, app_file()
    out, err = folder.log_files(work.name)
    return Placement(
        place=place,
        work=work.name,
        address=hub[0],
        token=hub[1],
        start_method=work._lit_options.get("start_method") or settings.start_method,
        cwd=os.getcwd(),
        argv=tuple(settings.argv),
        app_file=file,
        env={**surroundings(file), **told},
        out=out,
        err=err,
        **shared,
        reference_above=settings.reference_above,
        pickled=pickled,
        cpus=needs.cpus or None,
        memory=needs.memory or None,
        devices=compute.devices or None,
        wish_devices=compute.wish,
        orphan_limit=settings.orphan_limit,
        patience=compute.patience,
        compute=compute.name,
        resources=dict(compute.resources or {}),
        gang=compute.gang,
        again=again,
        near=compute.colocation_group_id or "",
        requirements=tuple(work.cloud_build_config.requirements) if work.cloud_build_config else (),
    )
