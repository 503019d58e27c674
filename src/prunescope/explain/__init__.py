"""A designed experiment on a recipe of one's own: why did pruning change what its network does?"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """The package, which answers to `ps.explain(recipe)` as the function of its name does."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from prunescope.explain.study import explain

        return explain(*args, **options)


sys.modules[__name__].__class__ = _Callable
