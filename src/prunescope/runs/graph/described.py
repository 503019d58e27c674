"""Values from their descriptions: the inverse of `nodes.describe` for a task, of `Value.canonical` for any value."""

from collections.abc import Mapping
from typing import Any

from prunescope.base.errors import UsageError
from prunescope.base.invalid import descendants
from prunescope.base.kinds import KIND, import_all, interfaces_of
from prunescope.base.value import Value, kind
from prunescope.runs.graph.nodes import describe
from prunescope.tasks.task import Task

_NOTHING: Mapping[str, Value] = {}


def task_of_manifest(manifest: Mapping[str, Any]) -> Task | None:
    """The task of a stored run; None where it has a part that only another process had: an instance, a class.

    Raises UsageError where the code behind it changed.
    """
    import_all()
    try:
        described = manifest["recipe"]["task"]
        if described["network"].get("given") is not None:
            return None
        task = value_of(described, [Task])
    except (KeyError, UsageError, TypeError, AttributeError, ValueError):  # the last three: it is no manifest of ours
        return None
    if not isinstance(task, Task):
        return None
    now = describe(task)
    if isinstance(now, dict) and any(now[key] != described.get(key, now[key]) for key in now):
        raise UsageError(
            f"the code behind run {manifest['id'][:12]} changed since it was trained; name its network and data"
        )
    return task


def value_of(described: Any, interfaces: list[type[Value]], known: Mapping[str, Value] = _NOTHING) -> Any:
    """A value from plain data, nested as in `described`; what is no value stays as it is.

    interfaces: what the field may hold.
    known: the values that stand by their ids.

    Raises KeyError for a kind that is not known here, and what the value itself raises.
    """
    if isinstance(described, list) and interfaces:
        return tuple(value_of(item, interfaces, known) for item in described)
    if isinstance(described, str) and interfaces and described in known:
        return known[described]
    if not isinstance(described, Mapping) or not interfaces:
        return described
    if KIND not in described:
        return {name: value_of(item, interfaces, known) for name, item in described.items()}
    cls = _class_of(described[KIND], interfaces)
    inner = {name: interfaces_of(cls.model_fields[name].annotation) for name in cls.model_fields}
    fields = {name: item for name, item in described.items() if name not in (KIND, "code", "version")}
    return cls(**{name: value_of(item, inner.get(name, []), known) for name, item in fields.items()})


def _class_of(name: str, interfaces: list[type[Value]]) -> type[Value]:
    classes = {cls for base in interfaces for cls in (base, *descendants(base))}
    found = {cls for cls in classes if (kind(cls) if ":" in name else cls.__name__) == name}
    if len(found) != 1:
        raise KeyError(name)
    return found.pop()
