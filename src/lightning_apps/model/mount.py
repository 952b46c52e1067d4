"""A bucket folder that a work wishes to see as a local one.  Only says so: nothing is mounted here."""

from __future__ import annotations

from typing import Any

from .quantities import BadCompute

PROTOCOLS = ("s3://",)


class Mount:
    """A folder of a bucket under a local path.

    Args:
        source: "s3://bucket/folder/", with the slash at the end.
        mount_path: an absolute path; "/data/<folder>" if it is left out.

    Raises:
        BadCompute: a source or path that cannot be mounted.
    """

    def __init__(self, source: str = "", mount_path: str = "") -> None:
        self.source = source
        if not source.startswith(PROTOCOLS):
            known = ", ".join(PROTOCOLS)
            raise BadCompute(f"Unknown protocol for the mount 'source' argument {source!r}. Supported: {known}.")
        if not source.endswith("/"):
            raise BadCompute(
                f"S3 mounts must end in a trailing slash (`/`), as a folder is mounted. Received: {source!r}."
            )
        self.mount_path = mount_path or f"/data/{source.rstrip('/').rsplit('/', 1)[-1]}"
        if not self.mount_path.startswith("/"):
            raise BadCompute(f"mount_path argument must be an absolute path to a location; received {mount_path!r}.")

    @property
    def protocol(self) -> str:
        """The beginning of the source, such as "s3://"."""
        return next(known for known in PROTOCOLS if self.source.startswith(known))

    def to_dict(self) -> dict[str, Any]:
        """This mount as JSON."""
        return {"mount_path": self.mount_path, "source": self.source}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mount) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Mount(source={self.source!r}, mount_path={self.mount_path!r})"
