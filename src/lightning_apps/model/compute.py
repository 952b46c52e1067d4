"""What a work asks for: CPUs, memory, devices and the like (CloudCompute).  Gives nothing out."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any

import msgspec

from ..base.encoding import register
from .build import BuildConfig
from .gang import Gang
from .mount import Mount
from .quantities import BadCompute, BadComputeType, in_bytes, is_number
from .shape import DataclassShape

__all__ = ["BadCompute", "BadComputeType", "BuildConfig", "CloudCompute", "Gang", "Mount", "Requirement"]

IDENTIFIER = "__cloud_compute__"
PATIENCE = 60.0  # seconds an interruptible work may be cut off before it ends itself
OLDER = frozenset({"wait_timeout", "preemptible", "spot", "cluster", "clusters"})
FIELDS = (
    ("name", "default"), ("disk_size", 0), ("idle_timeout", None), ("shm_size", None), ("mounts", None),
    ("colocation_group_id", None), ("interruptible", False),
    ("cpus", None), ("memory", None), ("devices", None), ("patience", None), ("resources", None), ("gang", None),
    ("_internal_id", None),
)  # fmt: skip
KEYWORD_ONLY = frozenset({"cpus", "memory", "devices", "patience", "resources", "gang", "_internal_id"})


class Requirement(msgspec.Struct, frozen=True):
    """What is asked for by number: it is waited for, and refused where it can never be had.

    Attributes:
        cpus: CPUs, fractions allowed; 0 reserves none.
        memory: bytes.
        devices: GPUs.
    """

    cpus: float = 0.0
    memory: int = 0
    devices: int = 0


class CloudCompute:
    """What a work needs to run.

    Only what is asked for by number (`cpus`, `memory`, `devices`) is reserved: the work stays pending while others hold
    it, and fails at once where the machine can never give it.  A name such as "gpu" is a wish: the work runs without
    one too.

    Args:
        name: "default", "cpu-medium", "gpu", "gpu-fast-multi" … ; any text.
        disk_size: GB of disk (kept, without effect on one machine).
        idle_timeout: seconds without a call after which the work's process ends.
        shm_size: MB of shared memory (kept, without effect on one machine).
        mounts: one `Mount` or a list of them.
        colocation_group_id: at most 64 characters; works with the same one are placed on one machine.
        interruptible: the work may be replaced when it is cut off for longer than `patience`.
        cpus: CPUs to reserve, fractions allowed; also becomes OMP_NUM_THREADS.
        memory: memory to reserve, in bytes or as "4GiB", "500MB"; accounting, not a limit.
        devices: GPUs to reserve; they are given by CUDA_VISIBLE_DEVICES.  A fraction below 1 where the engine can share one
            (Ray); the local engine gives a whole one.
        patience: seconds a cut-off work waits before it ends itself and may be replaced; `interruptible` has 60.
        resources: what a cluster's nodes have by names of its own, such as {"licence": 1}; without effect on one machine.
        gang: works with an equal `Gang` start together or not at all.
        preemptible, spot: older names of `interruptible`.
        wait_timeout, clusters, cluster: older keywords, accepted and without effect.

    Raises:
        BadCompute: (ValueError) a value that cannot be met anywhere.
        BadComputeType: (TypeError) mounts that are no mounts.

    Example:
        >>> CloudCompute("gpu", devices=2, memory="16GiB").requirement
        Requirement(cpus=0.0, memory=17179869184, devices=2)
    """

    __dataclass_fields__ = DataclassShape("__dataclass_fields__", FIELDS, KEYWORD_ONLY)
    __dataclass_params__ = DataclassShape("__dataclass_params__", FIELDS, KEYWORD_ONLY)

    def __init__(
        self,
        name: str = "default",
        disk_size: int = 0,
        idle_timeout: float | None = None,
        shm_size: int | None = None,
        mounts: Any = None,
        colocation_group_id: str | None = None,
        interruptible: bool = False,
        *,
        cpus: float | None = None,
        memory: int | str | None = None,
        devices: float | None = None,
        patience: float | None = None,
        resources: dict[str, float] | None = None,
        gang: Gang | None = None,
        _internal_id: str | None = None,
        **older: Any,
    ) -> None:
        self.name, self.disk_size, self.idle_timeout, self.shm_size = name, disk_size, idle_timeout, shm_size
        self.mounts, self.colocation_group_id = mounts, colocation_group_id
        self.interruptible = bool(interruptible or older.get("preemptible") or older.get("spot"))
        self.cpus, self.devices, self.patience = cpus, devices, patience
        self.memory: Any = memory
        self.resources, self.gang = resources, gang
        self._internal_id = _internal_id
        for unknown in sorted(set(older) - OLDER):
            warnings.warn(f"CloudCompute has no argument {unknown!r}: it is ignored.", stacklevel=2)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check and complete the values; a dataclass made from this class calls it as well."""
        if not isinstance(self.name, str):
            raise BadComputeType(f'CloudCompute(name={self.name!r}) is not a text: give a name such as "gpu".')
        self.name = self.name.lower()
        check_mounts(self.mounts)
        if self.shm_size is None:
            self.shm_size = 1024 if "gpu" in self.name else 0
        group = self.colocation_group_id
        if group is not None and not (isinstance(group, str) and len(group) <= 64):
            raise BadCompute("colocation_group_id can only be a string of maximum 64 characters.")
        self._check_gang()
        if self.memory is not None:
            self.memory = in_bytes(self.memory)
        self._check_numbers()
        if self.patience is None and self.interruptible:
            self.patience = PATIENCE
        if self._internal_id is None:
            self._internal_id = self._make_id()

    def _check_numbers(self) -> None:
        for name in ("cpus", "idle_timeout", "patience"):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and value >= 0):
                raise BadCompute(f"CloudCompute({name}={value!r}) is not a number of at least 0.")
        given = self.devices
        if given is not None and not (is_number(given) and given >= 0 and (given < 1 or given == int(given))):
            raise BadCompute(
                f"CloudCompute(devices={given!r}) is not a whole number of at least 0, nor a fraction of 1: give how many GPUs."
            )
        for name, amount in (self.resources or {}).items():
            if not (isinstance(name, str) and is_number(amount) and amount >= 0):
                raise BadCompute(
                    f"CloudCompute(resources={{{name!r}: {amount!r}}}) is not a name with a number of at least 0."
                )

    def _check_gang(self) -> None:
        if self.gang is not None and not isinstance(self.gang, Gang):
            raise BadComputeType(
                f"CloudCompute(gang={self.gang!r}) is no Gang: give one such as Gang('train', size=4)."
            )
        if self.gang is not None and self.colocation_group_id is not None:
            raise BadCompute(
                f"CloudCompute has the gang {self.gang.name!r} and colocation_group_id={self.colocation_group_id!r}: give the gang "
                'alone, with strategy="strict_pack" for one machine.'
            )

    def _make_id(self) -> str:
        return "default" if self.is_default() else os.urandom(4).hex()[:7]

    @property
    def id(self) -> str:
        """Names this instance; all default ones are "default"."""
        return str(self._internal_id)

    @property
    def preemptible(self) -> bool:
        """The older name of `interruptible`."""
        return self.interruptible

    @property
    def requirement(self) -> Requirement:
        """What is asked for by number, and so waited for."""
        return Requirement(cpus=float(self.cpus or 0), memory=self.memory or 0, devices=math.ceil(self.devices or 0))

    @property
    def wish(self) -> int:
        """How many GPUs the name wishes for: none where `devices` says a number."""
        if self.devices is not None or not self.name.startswith("gpu"):
            return 0
        return 4 if "multi" in self.name.split("-") else 1

    def is_default(self) -> bool:
        """Whether nothing particular is asked for."""
        return (
            self.name in ("default", "cpu")
            and (self.cpus, self.memory, self.devices, self.resources, self.gang) == (None,) * 5
        )

    def type(self) -> str:
        """What marks this kind of dictionary in the state."""
        return IDENTIFIER

    def clone(self) -> CloudCompute:
        """The same again, for another work."""
        return self.from_dict({**self.to_dict(), "_internal_id": None})

    def to_dict(self) -> dict[str, Any]:
        """This as JSON, the way it stands in a work's state."""
        shape: dict[str, Any] = {"type": IDENTIFIER, **{name: getattr(self, name) for name, _ in FIELDS}}
        if isinstance(self.mounts, (list, tuple)):
            shape["mounts"] = [mount.to_dict() for mount in self.mounts]
        elif self.mounts is not None:
            shape["mounts"] = self.mounts.to_dict()
        if self.gang is not None:
            shape["gang"] = msgspec.structs.asdict(self.gang)
        return shape

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> CloudCompute:
        """What `to_dict` was called on; `type` must be "__cloud_compute__"."""
        if d.get("type") != IDENTIFIER:
            raise BadCompute(f"A dictionary of type {d.get('type')!r} is no CloudCompute: it has to be {IDENTIFIER!r}.")
        known = {name: d[name] for name, _ in FIELDS if name in d}
        mounts = known.get("mounts")
        if isinstance(mounts, (list, tuple)):
            known["mounts"] = [_mount(mount) for mount in mounts]
        elif mounts is not None:
            known["mounts"] = _mount(mounts)
        if isinstance(known.get("gang"), dict):
            known["gang"] = Gang(**known["gang"])
        return cls(**known)

    def __eq__(self, other: object) -> bool:
        """Equal in all that was asked for; `id` names the instance and does not count."""
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name, _ in FIELDS if name != "_internal_id")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = {n: getattr(self, n) for n, default in FIELDS[1:-1] if n != "shm_size" and getattr(self, n) != default}
        said = [repr(self.name), *(f"{name}={value!r}" for name, value in shown.items())]
        return f"{type(self).__name__}({', '.join(said)})"


def _mount(shape: Any) -> Any:
    return Mount(**shape) if isinstance(shape, dict) else shape


def check_mounts(mounts: Any) -> None:
    """Refuse what is no mount, and two mounts under one path."""
    several = list(mounts) if isinstance(mounts, (list, tuple)) else [] if mounts is None else [mounts]
    for mount in several:
        if not (hasattr(mount, "mount_path") and hasattr(mount, "to_dict")):
            raise BadComputeType(f"CloudCompute(mounts=…) takes Mounts, not a {type(mount).__name__}.")
    paths = [mount.mount_path for mount in several]
    if len(set(paths)) != len(paths):
        raise BadCompute("Every Mount attached to a work must have a unique 'mount_path' argument.")


register("cloud_compute", CloudCompute, CloudCompute.to_dict, CloudCompute.from_dict)
