"""Files that are written whole or not at all."""

import tempfile
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file beside `path` and moves it there, so that a reader sees all of it or what was there before.

    write: writes the file whose path it is given.

    Raises OSError, with `path` in it, where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as workshop:
            unfinished = Path(workshop) / path.name
            write(unfinished)
            unfinished.replace(path)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror or str(problem), str(path)) from problem
