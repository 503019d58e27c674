"""Import paths: what they name, and the code behind them as a part of ids."""

import functools
import importlib
import operator
from typing import Any, ClassVar

from pydantic import model_validator

from prunescope.base.code import code_digest
from prunescope.base.errors import CodeChanged, UsageError
from prunescope.base.value import Value


def resolve(path: str) -> Any:
    """The object that an import path "module:qualified.name" names.

    Raises UsageError when the module or the name does not exist, and for what is no text.
    """
    if not isinstance(path, str):
        raise UsageError(
            f"{path!r} is no import path, 'package.module:Name'; ps.Task.from_module takes a class as it is"
        )
    module_name, _, name = path.partition(":")
    try:
        return operator.attrgetter(name)(importlib.import_module(module_name))
    except (ImportError, AttributeError, ValueError) as problem:
        hint = ", without .py" if module_name.endswith(".py") else ""
        raise UsageError(f"{path!r} cannot be imported ({problem}); write 'package.module:Name'{hint}") from problem


def named(function: Any) -> tuple[str, dict[str, Any]]:
    """The import path of a function, and the arguments that a `functools.partial` around it fixes.

    Raises UsageError for what no import path names as it is: a lambda, a function inside another one, an object.
    """
    arguments: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        if function.args:
            raise UsageError(f"{function!r} fixes arguments by position; fix them by name")
        arguments, function = {**function.keywords, **arguments}, function.func
    path = f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', None)}"
    try:
        found = resolve(path)
    except UsageError:
        found = None
    if found is not function or isinstance(function, type):
        raise UsageError(
            f"{function!r} has no name that it can be imported by, so it cannot be told from another one later; write "
            "a function at the top of a module or a cell (torch.nn.functional has those of torch.nn's losses), and "
            "give its other arguments by functools.partial or loss_args="
        )
    return path, arguments


def is_local(path: str) -> bool:
    """Whether only this process has what the path names: it was defined in a script or a notebook."""
    return path.startswith(("__main__:", "__mp_main__:"))


class Importing(Value):
    """A value that names a function by import path; where a user wrote the function, its code is a part of the id.

    code: digest of the code behind the path as it was when the value was made; None for installed code.
    path_field: name of the field with the path.
    """

    added: ClassVar[frozenset[str]] = frozenset({"code"})
    path_field: ClassVar[str]
    code: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_code(cls, fields: Any) -> Any:
        path = fields.get(cls.path_field) if isinstance(fields, dict) else None
        return fields if path is None else {**fields, "code": code_behind(path)}

    def check_code(self) -> None:
        """Raises CodeChanged where the path names another code now than when the value was made."""
        path = getattr(self, self.path_field)
        if code_behind(path) != self.code:
            raise CodeChanged(
                f"the code behind {path} changed since the {type(self).__name__} that names it was made; make it "
                "again, and it has an id, and results, of its own"
            )


def code_behind(path: str) -> str | None:
    """The digest of the code that a user wrote behind an import path; None if there is none, or nothing to import."""
    try:
        return code_digest(resolve(path))
    except UsageError:
        return None
