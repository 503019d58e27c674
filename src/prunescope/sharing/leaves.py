"""The files of a folder by name: what can be exported to, and the packages that only some of them need."""

import importlib
import pkgutil
from types import ModuleType

from prunescope.base.errors import UsageError


def names(package: ModuleType) -> list[str]:
    """The leaves of a package: a file each, with a dot for "_"."""
    return sorted(module.name.replace("_", ".") for module in pkgutil.iter_modules(package.__path__))


def leaf(package: ModuleType, name: str) -> ModuleType:
    """The file of a name. Raises UsageError with those that there are."""
    if name not in names(package):
        raise UsageError(f"there is no {name!r} to export to; there are {', '.join(names(package))}")
    return importlib.import_module(f"{package.__name__}.{name.replace('.', '_')}")


def require(extra: str, *packages: str) -> list[ModuleType]:
    """The packages, imported. Raises UsageError that names the extra where one is missing."""
    try:
        return [importlib.import_module(name) for name in packages]
    except ImportError as problem:
        raise UsageError(f"this needs {problem.name or packages[0]}: pip install 'prunescope[{extra}]'") from problem
