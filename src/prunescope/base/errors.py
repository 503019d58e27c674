"""The errors of the package. Every message names the value, what is permitted, and the fix."""

import errno
from typing import ClassVar

_NOT_PERMITTED = "that is not permitted; choose another folder (--store, --out) or change its permissions"
_FIXES = {
    errno.ENOSPC: "the disk is full; free some space, or files where `df -i` says that none are left",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; choose another folder (--store, --out)",
    errno.EACCES: _NOT_PERMITTED,
    errno.EPERM: _NOT_PERMITTED,
    errno.EISDIR: "a folder lies in the place of a file; move it away",
    errno.ENOTDIR: "a file lies in the place of a folder; move it away",
    errno.EEXIST: "a file lies in the place of a folder; move it away",
}


def refused(problem: OSError) -> str:
    """What the operating system refused, in its own words, and the fix."""
    return "; ".join(filter(None, (problem.strerror or str(problem), _FIXES.get(problem.errno or 0))))


class PrunescopeError(Exception):
    """A problem that prunescope understands; the command line prints its message without a traceback."""

    exit_code: ClassVar[int] = 2
    """Of the command line: what was asked for cannot be done. 1 is an answer: a bound is broken, a file is damaged."""
    permanent: ClassVar[bool] = False
    """Whether the same recipe would meet this failure again; such a run is stored as failed."""


class UsageError(PrunescopeError):
    """The caller asked for something that cannot be: an unknown field, an impossible schedule."""


class TooFewReplicates(UsageError):
    """A rule needs the spread over replicates, and there is only one replicate."""


class UserCodeError(UsageError):
    """Code that the user wrote (a network, a loss, data, a measure, a study) raised an error; see `base/blame.py`."""


class DataError(PrunescopeError):
    """A data set is missing, corrupt, or not the one that the recipe names."""


class StoreError(PrunescopeError):
    """The store cannot be read or written, or it belongs to another version."""


class CodeChanged(PrunescopeError):
    """The code behind a stored network no longer computes what it computed when the run was stored."""


class Diverged(PrunescopeError):
    """Training produced a loss that is not a number; the run is stored as failed, and the others continue."""

    permanent = True


class Unreachable(PrunescopeError):
    """The network cannot reach the sparsity, given the layers that are excluded."""

    permanent = True


class LayerCollapse(Unreachable):
    """Pruning would leave a layer without a single weight."""
