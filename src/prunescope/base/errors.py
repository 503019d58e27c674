"""What can go wrong, as types. Every message names the value, what is permitted, and the fix.

Belongs here: the kinds of error, and how many of them a command turns into which exit code. Does not belong
here: any check. A check lives where the value enters.
"""

from typing import ClassVar


class PrunescopeError(Exception):
    """A problem that prunescope understands; the command line prints its message without a traceback."""

    exit_code: ClassVar[int] = 1
    permanent: ClassVar[bool] = False
    """Whether the same recipe would meet this failure again; such a run is stored as failed."""


class UsageError(PrunescopeError):
    """The caller asked for something that cannot be: an unknown field, an impossible schedule."""

    exit_code: ClassVar[int] = 2


class TooFewReplicates(UsageError):
    """A rule needs the spread over replicates, and there is no second one."""


class DataError(PrunescopeError):
    """A data set is missing, corrupt, or not the one that the recipe names."""


class StoreError(PrunescopeError):
    """The store cannot be read or written, or it belongs to another version."""


class CodeChanged(PrunescopeError):
    """The code behind a stored network no longer computes what it computed when the run was stored."""


class Diverged(PrunescopeError):
    """Training produced a loss that is not a number; the run is stored as failed, the others go on."""

    permanent = True


class Unreachable(PrunescopeError):
    """A sparsity that the network cannot reach under the asked exclusions."""

    permanent = True


class LayerCollapse(Unreachable):
    """Pruning would leave a layer without a single weight."""
