"""When a run needs no more work.

Belongs here: what is asked of a stored run. Does not belong here: doing the work.
"""

from prunescope.base.errors import Diverged, LayerCollapse, Unreachable
from prunescope.runs.plan import Job

LASTING = (Diverged, LayerCollapse, Unreachable)
"""Failures that the same recipe would meet again: they are stored as results."""


def complete(job: Job, states: set[str], traces: set[str]) -> bool:
    """Whether a stored run with these states and traces, by id, has all that a job asks for."""
    return all(m.id in states for m in job.moments) and all(p.id in traces for p in job.probes)
