"""What a user describes by a dataclass: its fields are held to what they are declared to be, as those of a `Value`."""

import reprlib
from dataclasses import fields
from functools import cache
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from prunescope.base.errors import UsageError
from prunescope.base.invalid import invalid


class Checked:
    """A frozen dataclass with words that are among those permitted, and finite numbers; a list may stand for a tuple.

    Otherwise a misspelled word is drawn, or judged, as another one. Raises InvalidValue, a UsageError.
    """

    def __post_init__(self: Any) -> None:
        names = [field.name for field in fields(self)]
        cls: Any = type(self)
        model = _model(cls)
        try:
            checked = model(**{name: getattr(self, name) for name in names})
        except ValidationError as problem:
            raise invalid(problem, model) from None
        for name in names:
            if not isinstance(getattr(self, name), int | float):  # 5 is written as it was given, not as 5.0
                object.__setattr__(self, name, getattr(checked, name))


@cache
def _model(cls: Any) -> type[BaseModel]:
    hints = get_type_hints(cls, include_extras=True)
    config = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
    declared: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(cls)}
    return create_model(cls.__name__, __config__=config, **declared)


def require_all(things: object, kind: Any, what: str) -> None:
    """Raises UsageError unless these are a tuple or list of a kind, or of one of several."""
    if not isinstance(things, tuple | list) or not all(isinstance(thing, kind) for thing in things):
        named = " or ".join(kind.__name__ for kind in get_args(kind) or (kind,))
        raise UsageError(f"{what} are {reprlib.repr(things)}; give a tuple of {named}")
