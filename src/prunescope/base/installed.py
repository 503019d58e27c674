"""What belongs to an installed package, whose version stands for its code, and what a user wrote."""

import functools
import importlib.metadata
import site
import sys
import sysconfig
from pathlib import Path


def is_shipped(what: object) -> bool:
    """Whether an instance's class, or what has this path, is prunescope's own rather than a user's."""
    path = what if isinstance(what, str) else type(what).__module__
    return path.partition(".")[0] == "prunescope"


def is_installed(module_name: str) -> bool:
    """Whether a module belongs to Python, to prunescope or to an installed package, whose version stands for its code.

    `__main__`, notebooks, files beside a study and packages that are installed as editable do not.
    """
    top = module_name.split(".")[0]
    if top in ("__main__", "__mp_main__"):  # whatever program it is that runs
        return False
    if is_shipped(top) or top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return file is not None and in_library(file)


def in_library(file: str) -> bool:
    """Whether a file lies among the installed packages, or belongs to one that was installed elsewhere on the path."""
    return _in_library(file, tuple(sys.path))


@functools.lru_cache(maxsize=4096)
def _in_library(file: str, path: tuple[str, ...]) -> bool:
    return any(Path(file).is_relative_to(place) for place in (*_library_folders(), *_installed_elsewhere(path)))


@functools.cache
def _library_folders() -> tuple[Path, ...]:
    names = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    return tuple({Path(name).resolve(): None for name in (*names, site.getusersitepackages())})


@functools.lru_cache(maxsize=8)
def _installed_elsewhere(path: tuple[str, ...]) -> frozenset[Path]:
    """The modules and packages of distributions in other folders (`pip install --target`), which say what is theirs."""
    folders = [folder for folder in map(Path, path) if folder.is_dir() and folder.resolve() not in _library_folders()]
    return frozenset(
        folder / file.parts[0]
        for folder in folders
        for distribution in importlib.metadata.distributions(path=[str(folder)])
        for file in distribution.files or ()
        if file.parts[0] != ".."
    )
