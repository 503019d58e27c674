"""Work on its way to a worker, with the classes and functions of a notebook or a script.

They go along by value, through the pipe between a process and the children that it started itself: never into a store,
nor out of one, and to no other machine.
"""

import io
import linecache
import marshal
import pickle
import re
import sys
import types
from collections.abc import Iterable
from typing import Any

import cloudpickle

from prunescope.base.value import Value, packed, unpacked

LOCAL = re.compile(r'"__main__:([\w.<>]+)')
"""How the canonical text of a node names a class or function of the calling script."""
MOST = 256 << 20
"""Bytes that go along at most: a class or function that reads a large global takes that with it."""


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Code as it is, with the file and lines that its errors and its digest name; lineages without recursion."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, types.CodeType):
            return marshal.loads, (marshal.dumps(obj),)
        if isinstance(obj, Value) and obj.by_id:
            return unpacked, (packed(obj, type(self)),)
        return super().reducer_override(obj)


def dumps(thing: object) -> bytes:
    """Bytes for a child process, whatever `__main__` defines included."""
    buffer = io.BytesIO()
    _Pickler(buffer).dump(thing)
    return buffer.getvalue()


def baggage(nodes: Iterable[Value]) -> bytes:
    """What workers need before the first piece of work: what nodes name in `__main__`, and the text of cells."""
    main = sys.modules["__main__"]
    names = {name.split(".")[0] for node in nodes for name in LOCAL.findall(node.canonical)}
    things = {name: getattr(main, name) for name in sorted(names) if hasattr(main, name)}
    # A cell's text is in no file. Of entries with a time, the file itself is read again.
    cells = {file: entry for file, entry in linecache.cache.items() if len(entry) == 4 and entry[1] is None}
    return pickle.dumps((cells, dumps(things)))


def unload(content: bytes) -> bytes:
    """Puts what `baggage` made where a worker looks for it; nothing is left."""
    cells, things = pickle.loads(content)
    linecache.cache.update(cells)
    for name, thing in pickle.loads(things).items():
        setattr(sys.modules["__main__"], name, thing)
    return b""
