"""Frozen values with an id: the identity of everything that prunescope computes.

Belongs here: canonical text and the hash over it, the only hashing of values in the package. Does not belong
here: what the values mean.

An id is 128 bits of BLAKE2b over the canonical JSON of *every* field, defaults included, so that changing a
default changes the id and can never silently reuse an old result. Only a field that came after ids were in use
(`added`) is left out while it has its default, so that old ids stay.
"""

import inspect
import io
import json
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from prunescope.base.code import code_digest
from prunescope.base.digest import array_digest as array_digest
from prunescope.base.digest import text_digest as text_digest
from prunescope.base.errors import CodeChanged, UsageError
from prunescope.base.installed import is_shipped
from prunescope.base.invalid import invalid
from prunescope.base.overrides import check_overrides

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)  # where pydantic keeps it is private

_SCALARS = (str, int, float, bool, type(None))
_json = json.JSONEncoder(allow_nan=False).encode  # json.dumps with an option makes a new encoder at each call


class _ValueClass(ModelMetaclass):
    """Lists only what this package defines in `dir`, and so in `help`: pydantic adds some 400 lines of its own."""

    def __dir__(cls) -> list[str]:  # noqa: N805
        names = {name for base in cls.__mro__ if issubclass(base, Value) for name in vars(base)}
        return sorted(name for name in names - vars(BaseModel).keys() if name[0] != "_" or name == "__call__")


class Value(BaseModel, metaclass=_ValueClass):
    """A frozen, validated description; equal values have equal ids.

    version: a part of the id; a subclass raises it when the meaning of its fields changes.
    by_id: whether only the id of this value is written inside another value, so that ids chain.
    added: names of fields that came after ids were in use, beside those of the parent classes; the canonical text has
        them only where they differ from their default, which must be what happened before and can never change.
    slow_because: why what uses this value is slower than it might be, for people; empty where it is not.
    field_hints: by name what to write instead of a field that is not here, or of a value of another class in it.
    shortcuts: attributes that say the same as a method, by its name; a subclass that overrides the method only gets
        those of the interface that declares them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
    version: ClassVar[int] = 1
    by_id: ClassVar[bool] = False
    added: ClassVar[frozenset[str]] = frozenset()
    slow_because: ClassVar[str] = ""
    field_hints: ClassVar[Mapping[str, str]] = {}
    shortcuts: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:  # which reads the fields as arguments

        def __init__(self, /, *values: Any, **fields: Any) -> None:
            """Raises InvalidValue, a UsageError, for fields that this value cannot have or that are not named."""
            if values:
                name, taken = type(self).__name__, ", ".join(f"{field}=..." for field in type(self).model_fields)
                raise UsageError(f"{name} takes its fields by name: {name}({taken})")
            try:
                super().__init__(**fields)
            except ValidationError as problem:
                raise invalid(problem, type(self)) from None

        __init__.__pydantic_base_init__ = True  # what pydantic validates inside need not call it

        def __setattr__(self, name: str, value: Any) -> None:
            """Raises UsageError for what pydantic refuses as well, but in many lines."""
            if name[0] != "_":
                cls = type(self).__name__
                raise UsageError(
                    f"{cls}.{name} cannot be set, as values are frozen; a setting is declared in the class, "
                    f"`{name}: float = 1.0`, and given by name, {cls}({name}=...)"
                )
            super().__setattr__(name, value)

    @field_validator("*", mode="before")
    @classmethod
    def _no_bool_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuses True where a number is meant, which YAML makes of `yes` and `on`, and pydantic makes 1 of."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in (int, float):
            raise ValueError("input should be a number, and no truth value")
        return value

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Raises TypeError for a field that would be in no id, for an added field that no old value could have, and for
        a method that does not take what the one that it stands for takes.

        The canonical text uses the names "kind" and "version" itself; an added field needs a plain default.
        """
        super().__pydantic_init_subclass__(**kwargs)
        cls.added = frozenset().union(*(base.added for base in cls.__mro__ if issubclass(base, Value)))
        _settle(cls)
        check_overrides(cls, Value)
        cls.__signature__ = _readable(cls.__signature__, cls)
        for name in sorted(cls.added):
            if name not in cls.model_fields or cls.model_fields[name].is_required():
                raise TypeError(f"{cls.__qualname__}.added names {name!r}, which is no field with a default")
        if reserved := sorted({"kind", "version"} & cls.model_fields.keys()):
            raise TypeError(
                f"{cls.__qualname__} has a field {reserved[0]!r}, a word that ids use for themselves; call it otherwise"
            )

    @cached_property
    def canonical(self) -> str:
        """The canonical JSON text of this value: sorted keys, every field, references by id."""
        cls = type(self)
        fields = {name: canonical(getattr(self, name)) for name in cls.model_fields}
        for name in cls.added:
            if fields[name] == canonical(cls.model_fields[name].get_default(call_default_factory=True)):
                del fields[name]
        fields["kind"] = json.dumps(kind(cls))
        if cls.version != 1:
            fields["version"] = str(cls.version)
        return "{" + ",".join(f'"{name}":{fields[name]}' for name in sorted(fields)) + "}"

    @cached_property
    def id(self) -> str:
        """32 hexadecimal digits, the hash of `canonical`."""
        for value in _references_first(self, lambda value: "id" in value.__dict__):
            value.__dict__["id"] = text_digest(value.canonical)  # where `cached_property` keeps it
        return str(self.__dict__["id"])

    @cached_property
    def references(self) -> tuple["Value", ...]:
        """The `by_id` values directly inside this one, in field order: what it depends on."""
        return tuple(value for name in type(self).model_fields for value in _referenced(getattr(self, name)))

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, validated anew."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**(fields | changes))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same as `replace`: pydantic's own copy would carry a stale id along and skip validation."""
        return self.replace(**(update or {}))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself, because it is frozen."""
        return self

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """The fields that differ from their defaults, with references by id: a lineage has no end."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Value) and value.by_id:
                yield name, _Short(f"<{type(value).__name__} {value.id[:8]}>")
            elif field.is_required() or value != field.get_default(call_default_factory=True):
                yield name, value

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A lineage is pickled as a flat sequence: pickle itself would recurse along it."""
        return (unpacked, (packed(self),)) if self.by_id else super().__reduce_ex__(protocol)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.id)


def _settle(cls: type["Value"]) -> None:
    """Replaces shortcuts whose method a subclass overrides, by those of the interface, which follow from the method.

    A shortcut holds if the class that defines it defines its method, too, or inherits it.

    Raises TypeError for a class that defines a method as a shortcut alone: only some engines would use it.
    """
    interface = next(base for base in cls.__mro__ if "shortcuts" in vars(base))
    for name, method in cls.shortcuts.items():
        if _depth(cls, method) < _depth(cls, name):
            setattr(cls, name, vars(interface)[name])
        elif name in vars(cls) and callable(vars(cls)[name]) and method not in vars(cls):
            raise TypeError(
                f"{cls.__qualname__} overrides {name} and not {method}, of which {name} is only a faster form; "
                f"override {method}, or both (where it stays as it is: {method} = {cls.__mro__[1].__name__}.{method})"
            )


def _depth(cls: type, name: str) -> int:
    """How many classes stand before the one that defines an attribute."""
    return next(depth for depth, base in enumerate(cls.__mro__) if name in vars(base))


class _Short(str):
    """Text that `repr` shows without quotation marks."""

    __repr__ = str.__str__


def _readable(signature: inspect.Signature, cls: type[Value]) -> inspect.Signature:
    """The signature for `help`, with types by their bare names and without the checks that pydantic adds to them."""
    types = {name: inspect.formatannotation(field.annotation) for name, field in cls.model_fields.items()}
    parameters = [
        parameter.replace(annotation=_Short(re.sub(r"(?:\w+\.)+(?=\w)", "", types[name])))
        if name in types
        else parameter
        for name, parameter in signature.parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_POSITIONAL
    ]
    return signature.replace(parameters=parameters)


def _referenced(value: object) -> Iterator["Value"]:
    if isinstance(value, _SCALARS):
        return
    if isinstance(value, Value):
        yield from (value,) if value.by_id else value.references
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _referenced(value[key])
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _referenced(item)
    elif isinstance(value, frozenset | set):
        for item in sorted(value, key=canonical):
            yield from _referenced(item)


def _references_first(value: "Value", done: Callable[["Value"], bool]) -> Iterator["Value"]:
    """Every value that `value` refers to and that is not done, then `value`: without recursion, as chains are long.

    The caller makes `done` true of each value before it asks for the next one.
    """
    pending = [value]
    while pending:
        if missing := [inner for inner in pending[-1].references if not done(inner)]:
            pending.extend(missing)
        elif not done(pending[-1]):
            yield pending.pop()
        else:
            pending.pop()


class _Unpickler(pickle.Unpickler):
    """Reads ids as the values that were read before."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.values: dict[str, Value] = {}

    def persistent_load(self, pid: str) -> "Value":
        return self.values[pid]


def packed(value: "Value", pickler: type[pickle.Pickler] = pickle.Pickler) -> bytes:
    """A value with its lineage, flat, by a kind of pickler."""

    class Flat(pickler):  # type: ignore[misc, valid-type]
        """Writes by_id values as their ids."""

        def persistent_id(self, obj: object) -> str | None:
            return obj.id if isinstance(obj, Value) and obj.by_id else None

    lineage: dict[str, Value] = {}
    for inner in _references_first(value, lambda inner: inner.id in lineage):
        lineage[inner.id] = inner
    buffer = io.BytesIO()
    flat = Flat(buffer)
    flat.dump(len(lineage))
    for key, inner in lineage.items():
        flat.dump((key, type(inner), {name: getattr(inner, name) for name in type(inner).model_fields}))
    return buffer.getvalue()


def unpacked(content: bytes) -> "Value":
    """The inverse of `packed`. Raises CodeChanged where the code of a value is another here."""
    unpickler = _Unpickler(io.BytesIO(content))
    value: Value
    for _ in range(unpickler.load()):
        key, cls, fields = unpickler.load()
        unpickler.values[key] = value = cls.model_construct(**fields)
        if value.id != key:  # in a worker that has imported a file after it was edited
            raise CodeChanged(f"the code behind a {cls.__name__} changed on its way between two processes; start again")
    return value


def kind(cls: type) -> str:
    """The name of a class inside ids: short for the package's own, so that moving a file changes no id.

    A class that a user wrote, in a notebook or a file, has the digest of its code behind its name.
    """
    if is_shipped(cls.__module__):
        return cls.__qualname__
    code = code_digest(cls)
    return f"{cls.__module__}:{cls.__qualname__}" + (f" {code}" if code else "")


def canonical(value: object) -> str:
    """The canonical JSON text of a field's value.

    Raises TypeError for what has no canonical text (a live object, a function): describe it by a Value or an
    import path instead.
    """
    if isinstance(value, Value):
        return json.dumps(value.id) if value.by_id else value.canonical
    if isinstance(value, _SCALARS):
        return _json(value)
    if isinstance(value, tuple | list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, frozenset | set):
        return "[" + ",".join(sorted(canonical(item) for item in value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(str(key))}:{canonical(value[key])}" for key in sorted(value)) + "}"
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be part of an id; name it by import path or by value")
