"""Lets a plain class pass for a dataclass when somebody asks, so that users may put `@dataclass` on a subclass.

`dataclasses` costs as much to import as the rest of the model, so it is imported only by those who use it.
"""

from __future__ import annotations

from typing import Any

Field = tuple[str, Any]  # name and default; a type as default is called for each instance, as `list` is


class DataclassShape:
    """A class attribute that is worked out when `dataclasses` looks for it: `__dataclass_fields__` and its like."""

    def __init__(self, part: str, fields: tuple[Field, ...], keyword_only: frozenset[str] = frozenset()) -> None:
        self._part, self._fields, self._keyword_only = part, fields, keyword_only
        self._value: Any = None

    def __get__(self, instance: object, owner: type) -> Any:
        if self._value is None:
            self._value = getattr(self._twin(), self._part)
        return self._value

    def _twin(self) -> type:
        import dataclasses

        fields = [(name, Any, self._field(name, default)) for name, default in self._fields]
        return dataclasses.make_dataclass("Twin", fields)

    def _field(self, name: str, default: Any) -> Any:
        import dataclasses

        only = name in self._keyword_only
        if isinstance(default, type):
            return dataclasses.field(default_factory=default, kw_only=only)
        return dataclasses.field(default=default, kw_only=only, compare=not name.startswith("_"))
