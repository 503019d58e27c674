"""What pruning consists of: parts of the treatment that can be given without the others.

Another part is a subclass of `Factor` in a file of its own, handed to `explain(factors=...)`.
"""

from dataclasses import replace
from typing import ClassVar

from prunescope.base.value import Value
from prunescope.explain.arm import Arm


class Factor(Value):
    """A part of what pruning does to a network. All factors together are pruning itself.

    name: one word, in tables, sentences and the names of claims.
    says: what it is, for the report.
    needs: names of other factors of which at least one has to be there; none: it can be given alone.
    flag: the field of `Arm` that it sets; another factor may change an arm in its own way.
    """

    name: ClassVar[str]
    says: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    flag: ClassVar[str] = ""

    def given(self, arm: Arm) -> Arm:
        """The arm with this part of the treatment."""
        return replace(arm, **{self.flag: True})  # type: ignore[arg-type]  # the flags are booleans


class Time(Factor):
    """As many steps as the pruned network takes, by the same schedule.

    Source: Jin et al. 2022, section 4 (extended dense training).
    """

    name: ClassVar[str] = "time"
    says: ClassVar[str] = "the schedule is replayed as often as for the pruned network"
    flag: ClassVar[str] = "replayed"


class Size(Factor):
    """Fewer weights at the end of training.

    Alone: a smaller network from the start. Beside disturbance: what is set to zero at the events stays away, so that
    it says whether removal has to be permanent.

    Source: Jin et al. 2022, section 5 (width down-scaling); Bartoldson et al. 2020, section 4.3 (permanence).
    """

    name: ClassVar[str] = "size"
    says: ClassVar[str] = "the network ends with as few weights as the pruned one"
    flag: ClassVar[str] = "small"


class Disturbance(Factor):
    """Weights become zero while the network trains, at the events of pruning.

    Alone: they are released at once and train on from zero. Beside size: they are gone from the events on and not from
    the start, so that it says whether it matters when a network becomes small.

    Source: Bartoldson et al. 2020, section 4.3 (zeroing noise at the events of pruning).
    """

    name: ClassVar[str] = "disturbance"
    says: ClassVar[str] = "weights become zero while the network trains, at the events of pruning"
    flag: ClassVar[str] = "disturbed"


class Choice(Factor):
    """The weights that the user's score removes, not random ones: in each layer as many either way.

    Source: Frankle et al. 2021, section 5 (masks shuffled within layers).
    """

    name: ClassVar[str] = "choice"
    says: ClassVar[str] = "the score chooses the weights, not chance within the same layers"
    needs: ClassVar[frozenset[str]] = frozenset({"size", "disturbance"})
    flag: ClassVar[str] = "chosen"


FACTORS: tuple[Factor, ...] = (Time(), Size(), Disturbance(), Choice())
"""Pruning, taken apart."""
