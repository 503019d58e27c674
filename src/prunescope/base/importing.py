"""Import paths: what they name, and the code behind them as a part of ids."""

import importlib
import operator
from typing import Any, ClassVar

from pydantic import model_validator

from prunescope.base.code import code_digest
from prunescope.base.errors import CodeChanged, UsageError
from prunescope.base.value import Value


def resolve(path: str) -> Any:
    """The object that an import path "module:qualified.name" names.

    Raises UsageError when the module or the name does not exist.
    """
    module_name, _, name = path.partition(":")
    try:
        return operator.attrgetter(name)(importlib.import_module(module_name))
    except (ImportError, AttributeError, ValueError) as problem:
        hint = ", without .py" if module_name.endswith(".py") else ""
        raise UsageError(f"{path!r} cannot be imported ({problem}); write 'package.module:Name'{hint}") from problem


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
