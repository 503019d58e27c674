"""A designed experiment on a recipe of one's own: why did pruning change what its network does?

arm       one network between the dense and the pruned one
factors   the parts of pruning
shares    what each part changed: arithmetic
design    which networks there are, and what is read from them
outcomes  what is explained: error, loss, calibration, the worst class; at which level
controls  other ways to the same error
figures   what is shown
study     the experiment as a study, and the call `explain`
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """The package, which answers to `ps.explain(recipe)` as the function of its name does."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """See `study.explain`."""
        from prunescope.explain.study import explain

        return explain(*args, **options)


sys.modules[__name__].__class__ = _Callable
