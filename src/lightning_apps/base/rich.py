"""Arrays, tensors and tables: by themselves up to a size, above it by the name of their content on a shelf.

Knows neither where the shelf is nor what it is made of; without one, everything goes by itself.  None of their libraries is
imported here: a value of theirs exists only where its library was.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .errors import CannotKeep, NotFound, StorageError, ValueGone
from .registry import StateValue, register, registry, restored

ALIGN = 64  # bytes; what vector instructions want
SAMPLES = 64  # places at which an array is looked at to see whether it was written to
LIBRARIES = frozenset({"numpy", "torch", "pandas", "pyarrow"})


def _library(name: str) -> Any:
    return sys.modules.get(name) or importlib.import_module(name)


def _on_shelf(value: Any, size: int, mark: Any, parts: Callable[[], Sequence[Any]]) -> str | None:
    """The name of a big value's content; None for one that goes by itself."""
    shelf = registry.shelf
    if shelf is None or size <= shelf.limit:
        return None
    try:
        return shelf.keep(value, mark, parts)
    except StorageError:
        return None  # the disk is full: who then has to write the value itself knows how to wait


def _view(name: str) -> memoryview:
    if registry.shelf is None:
        raise CannotKeep(
            f"A value came in by the name of its content ({name}), and there is no store here that has it."
        )
    return registry.shelf.view(name)


class Gone:
    """What stands for a big value of the past whose bytes are not kept any more; whatever is asked of it is an error that says so."""

    def __init__(self, kind: str, packed: Any) -> None:
        self.__dict__["_packed"] = [kind, packed]

    def __getattr__(self, name: str) -> Any:
        raise ValueGone(
            f"{self!r} stands for a value that only past turns had: its bytes were removed to keep within the setting journal_values."
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gone) and bool(self._packed == other._packed)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return restored, ("gone", self._packed)

    def __repr__(self) -> str:
        kind, packed = self._packed
        return f"<{kind} {' x '.join(map(str, packed[1]))}, gone>" if kind in SHAPED else f"<{kind}, gone>"


SHAPED = ("ndarray", "tensor")


def _or_gone(name: str, unpack: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def unpacked(packed: Any) -> Any:
        try:
            return unpack(packed)
        except NotFound:
            return Gone(name, packed)

    return unpacked


# numpy -------------------------------------------------------------------------------------------------------------


def no_objects(value: Any) -> None:
    """Refuse elements that may be anything."""
    if value.dtype.hasobject:
        raise CannotKeep(f"numpy.{type(value).__name__} with dtype {value.dtype}, whose elements may be anything")


def _kind_of(value: Any) -> list[Any]:
    no_objects(value)
    dtype = value.dtype.str if value.dtype.names is None else _library("numpy").lib.format.dtype_to_descr(value.dtype)
    return [dtype, list(value.shape)]


def pack_array(value: Any) -> list[Any]:
    """An array with its bytes, or with the name of its content."""
    return refer_array(value) or [*_kind_of(value), value.tobytes()]


def refer_array(value: Any) -> list[Any] | None:
    """An array with the name of its content, if it is big and holds no objects."""
    if value.dtype.hasobject:
        return None
    kind = _kind_of(value)
    name = _on_shelf(
        value,
        value.nbytes,
        _mark_of(value),
        lambda: [_library("numpy").ascontiguousarray(value).reshape(-1).view("u1")],
    )
    return None if name is None else [*kind, None, name]


def _mark_of(value: Any) -> Any:
    """What tells an array from itself after a change, as far as a look at some places shows one."""
    if registry.shelf is None or value.nbytes <= registry.shelf.limit:
        return None
    step = max(1, value.size // SAMPLES)
    return (
        value.__array_interface__["data"],
        value.shape,
        value.strides,
        value.flat[::step].tobytes(),
        value.flat[-1].tobytes(),
    )


def make_array(packed: Any) -> Any:
    """The array that was packed; one on a shelf is mapped into memory and nothing copied."""
    numpy, (dtype, shape, data, *name) = _library("numpy"), packed
    kind = numpy.dtype(dtype) if isinstance(dtype, str) else numpy.lib.format.descr_to_dtype(dtype)
    if name:
        return numpy.frombuffer(_view(name[0]), dtype=kind).reshape(shape)
    return numpy.frombuffer(bytearray(data), dtype=kind).reshape(shape) if data else numpy.zeros(shape, kind)


# torch -------------------------------------------------------------------------------------------------------------


def _bytes_of(value: Any) -> Any:
    """A tensor's elements in order, as numpy's bytes."""
    torch = _library("torch")
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def _is_plain(value: Any) -> bool:
    return value.layout is _library("torch").strided and not value.is_quantized


def _kind_of_tensor(value: Any) -> list[Any]:
    if not _is_plain(value):
        raise CannotKeep(f"torch.Tensor with layout {value.layout}, which is not plain memory")
    return [str(value.dtype).removeprefix("torch."), list(value.shape), bool(value.requires_grad)]


def _pack_tensor(value: Any) -> list[Any]:
    return _refer_tensor(value) or [*_kind_of_tensor(value), _bytes_of(value).tobytes()]


def _refer_tensor(value: Any) -> list[Any] | None:
    if not _is_plain(value):
        return None
    kind = _kind_of_tensor(value)
    mark = (value.data_ptr(), value._version, value.stride())
    name = _on_shelf(value, value.numel() * value.element_size(), mark, lambda: [_bytes_of(value)])
    return None if name is None else [*kind, None, name]


def _make_tensor(packed: Any) -> Any:
    """The tensor that was packed, on the CPU."""
    torch, (dtype, shape, grad, data, *name) = _library("torch"), packed
    kind = getattr(torch, dtype)
    buffer = _view(name[0]) if name else bytearray(data)
    made = (
        torch.frombuffer(buffer, dtype=torch.uint8).view(kind).reshape(shape)
        if len(buffer)
        else torch.empty(shape, dtype=kind)
    )
    return made.requires_grad_(grad)


# pandas and Arrow --------------------------------------------------------------------------------------------------


def _pickled(value: Any) -> tuple[bytes, list[Any]]:
    """Protocol 5 with the big buffers apart (PEP 574)."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return head, [buffer.raw() for buffer in buffers]


def _padded(parts: Sequence[Any]) -> list[Any]:
    """Each part beginning where vector instructions like it."""
    found: list[Any] = []
    for part in parts:
        found += [part, bytes(-memoryview(part).nbytes % ALIGN)]
    return found


def _pack_frame(value: Any) -> list[Any]:
    return _refer_frame(value) or [pickle.dumps(value, protocol=5)]


def _refer_frame(value: Any) -> list[Any] | None:
    held = value.memory_usage(deep=False)
    size = int(held if isinstance(held, int) else held.sum())
    if registry.shelf is None or size <= registry.shelf.limit:
        return None
    head, buffers = _pickled(value)
    name = _on_shelf(value, size, None, lambda: _padded(buffers))
    return None if name is None or not buffers else [head, [memoryview(each).nbytes for each in buffers], name]


def _make_frame(packed: Any) -> Any:
    """The frame that was packed.  It comes from a work of this app: nothing else is unpickled."""
    if len(packed) == 1:
        return pickle.loads(packed[0])
    view, at, buffers = _view(packed[2]), 0, []
    for size in packed[1]:
        buffers.append(view[at : at + size])
        at += size + -size % ALIGN
    return pickle.loads(packed[0], buffers=buffers)


def _pack_table(value: Any) -> list[Any]:
    return _refer_table(value) or [_streamed(value).to_pybytes()]


def _refer_table(value: Any) -> list[Any] | None:
    name = _on_shelf(value, int(value.nbytes), "never written to", lambda: [_streamed(value)])
    return None if name is None else [None, name]


def _streamed(value: Any) -> Any:
    arrow = _library("pyarrow")
    sink = arrow.BufferOutputStream()
    with _library("pyarrow.ipc").new_stream(sink, value.schema) as writer:
        writer.write_table(value)
    return sink.getvalue()


def _make_table(packed: Any) -> Any:
    """The table that was packed."""
    buffer = packed[0] if packed[0] is not None else _view(packed[1])
    return _library("pyarrow.ipc").open_stream(_library("pyarrow").py_buffer(buffer)).read_all()


class ByReference(pickle.Pickler):
    """A pickler for another process of the same run: the content of big arrays and tables stays on the shelf, if there is one."""

    def reducer_override(self, value: Any) -> Any:
        """A reference for what is so big; everything else as ever."""
        kind = type(value)
        if registry.shelf is None or kind.__module__.partition(".")[0] not in LIBRARIES:
            return NotImplemented
        entry = registry.find(kind)
        packed = None if entry is None or entry.refer is None else entry.refer(value)
        return NotImplemented if entry is None or packed is None else (restored, (entry.name, packed))


def dumps(value: Any) -> bytes:
    """The pickle of a value for another process of the same run."""
    written = io.BytesIO()
    ByReference(written, protocol=5).dump(value)
    return written.getvalue()


# which they are ----------------------------------------------------------------------------------------------------


def _is(library: str, *names: str) -> Callable[[type], bool]:
    def belongs(kind: type) -> bool:
        module = sys.modules.get(library)
        return module is not None and any(kind is getattr(module, name, None) for name in names)

    return belongs


def _nothing(value: Any) -> None:
    """A value of these holds no others."""


def _family(
    name: str, belongs: Callable[[type], bool], pack: Any, unpack: Any, refer: Any, inside: Any = _nothing
) -> None:
    unpack = _or_gone(name, unpack)
    registry.families.append((belongs, lambda kind: StateValue(name, kind, pack, unpack, True, inside, refer=refer)))
    registry.family_unpack[name] = unpack


_family("ndarray", _is("numpy", "ndarray"), pack_array, make_array, refer_array, no_objects)
_family("tensor", _is("torch", "Tensor"), _pack_tensor, _make_tensor, _refer_tensor)
_family("frame", _is("pandas", "DataFrame", "Series"), _pack_frame, _make_frame, _refer_frame)
_family("table", _is("pyarrow", "Table"), _pack_table, _make_table, _refer_table)
register("gone", Gone, lambda gone: gone._packed, lambda packed: registry.restore(*packed))
registry.sayers[Gone] = lambda gone: {"type": "__gone__", "value": repr(gone)}
