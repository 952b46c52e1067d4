"""A work on its way to its process: packed where it can be, made a second time where it cannot.  Knows no processes."""

from __future__ import annotations

import pickle

from ..base.rich import dumps
from ..model.work import LightningWork

PICKLE_LIMIT = 64 << 20  # bytes of private attributes that are sent to a worker


def packed(work: LightningWork) -> bytes | None:
    """The work as it is now, or None where it does not pickle: it is then taken from the tree the app file built."""
    try:
        data = dumps(work)
    except Exception:
        return None
    return data if len(data) <= PICKLE_LIMIT else None


def unpacked(data: bytes) -> LightningWork:
    """What `packed` gave; whatever its classes raise goes through."""
    work: LightningWork = pickle.loads(data)
    work._lit_retrack()
    return work


def twin(work: LightningWork) -> LightningWork:
    """A second object with the same private attributes and a state of its own; for a work that does not pickle."""
    made: LightningWork = object.__new__(type(work))
    made._lit_prepare()
    made._lit_building, made._lit_ready = False, True
    made._lit_state, made._lit_options = dict(work._lit_state), dict(work._lit_options)
    made.__dict__.update(work.__dict__)
    made._lit_retrack()
    return made


def why_not_packed(work: LightningWork) -> str:
    """A sentence for a work that was made while the app runs, and cannot be packed."""
    return f"{work.name} was made while the app runs, so it has to be pickled for its process, and {_culprit(work)}."


def _culprit(work: LightningWork) -> str:
    for name, value in vars(work).items():
        try:
            pickle.dumps(value, protocol=5)
        except Exception as error:
            return f"its attribute {name!r} cannot be: {error}. Make it in `run`, or the work in the `__init__` of its flow"
    return f"it cannot be ({type(work).__qualname__} has to be found by its name, and hold no more than {PICKLE_LIMIT >> 20} MiB)"
