"""Methods of a subclass take what they are given."""

import pytest

from prunescope.base.value import Value


def test_a_method_that_cannot_be_called_as_the_one_it_stands_for_is_refused_where_it_is_written():
    class Measured(Value):
        def measure(self, problem, weights, *, part=0): ...

        @classmethod
        def of(cls, task): ...

    class Wider(Measured):
        def measure(self, problem, weights, more=1, *, part=0): ...

        @classmethod
        def of(cls, task, split): ...

    says = r"Wrong.measure\(self, weights\) cannot be called .*write def measure\(self, problem, weights, \*, part=0\)"
    with pytest.raises(TypeError, match=says):

        class Wrong(Measured):
            def measure(self, weights): ...
