"""The audit of given networks: what pruning did to one, to whom, and whether it is more than another seed changes.

evidence    what all networks answer, side by side
parts       classes, groups, difficulty
contrast    the statistics of one network against the dense one
tables, examples, claims, gate   what is told of it
study       the audit as a study
report      from states to the report
twins       twins that are trained here
door        the call that a user makes, `ps.audit`

Belongs here: comparing states that exist. Does not belong here: training, measures of one state (`measures/`),
statistics of any paired examples (`studies/paired.py`).
"""

import sys
from types import ModuleType

from prunescope.audit.door import audit
from prunescope.audit.report import AuditReport

__all__ = ["AuditReport", "audit"]


class _Callable(ModuleType):
    """A module of the name of its function, so that `ps.audit(...)` works whoever has imported `prunescope.audit`."""

    __call__ = staticmethod(audit)


sys.modules[__name__].__class__ = _Callable
