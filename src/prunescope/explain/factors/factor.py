"""The interface of factors."""

from typing import ClassVar

from prunescope.base.value import Value
from prunescope.explain.arm import Arm


class Factor(Value):
    """A part of what pruning does to a network. All factors together are pruning itself.

    name: one word, in tables, sentences and the names of claims.
    says: what it is, for the report.
    needs: names of other factors of which at least one has to be there; none: it can be given alone.
    """

    name: ClassVar[str]
    says: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()

    def given(self, arm: Arm) -> Arm:
        """The arm with this part of the treatment."""
        raise NotImplementedError
