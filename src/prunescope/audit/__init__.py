"""The audit of given networks: what pruning did to one, to whom, and whether it is more than another seed changes.

evidence    lining up what networks answer, and refusing what does not line up
tables, examples, claims, gate, sentence, figures   what is told of it
study, report   the audit as a study, and what a user gets
door        the call that a user makes, `ps.audit`

Belongs here: comparing states that exist. Does not belong here: training, measures of one state (`measures/`),
statistics of one network against another (`studies/contrast.py`).
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
