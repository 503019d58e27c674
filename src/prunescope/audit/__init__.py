"""The audit of given networks: what pruning did to one, to whom, and whether it is more than another seed changes.

evidence    what all networks answer, side by side
parts       classes, groups, difficulty
contrast    the statistics of one network against the dense one
tables, examples, claims, gate   what is told of it
study       the audit as a study
report      the call that a user makes

Belongs here: comparing states that exist. Does not belong here: training, measures of one state (`measures/`),
statistics of any paired examples (`studies/paired.py`).
"""

from prunescope.audit.report import AuditReport, audit

__all__ = ["AuditReport", "audit"]
