"""What every origin gives: tensors by name, and what was done to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from prunescope.base.streams import Seeds
from prunescope.tasks.model import Network
from prunescope.tasks.task import Task

FIRST = Seeds()


@dataclass(frozen=True)
class Loaded:
    """A state as it came in, made plain.

    name: what messages call it.
    tensors: float tensors as float32, by the names of its network, those of torch's state dicts.
    module: the instance that it came from, in float32.
    own: its network, where the origin knows it, and the tensors by the names that they have there.
    task, seeds: its task and the seeds of its labels, where the origin knows them.
    notes: what was done to the tensors, for people.
    """

    name: str
    tensors: Mapping[str, Tensor]
    module: nn.Module | None = None
    own: tuple[Network, Mapping[str, Tensor]] | None = None
    task: Task | None = None
    seeds: Seeds = FIRST
    notes: tuple[str, ...] = ()
