"""From stored results to figures, verdicts and a report; scipy and matplotlib are imported when used."""

from prunescope.studies.claim import Claim, Precondition, Verdict, judge, judge_all
from prunescope.studies.figure import Contour, Figure, Lines, Map, Plot, Sheet, Table, csv_text
from prunescope.studies.region import (
    Among,
    Count,
    Direction,
    Equivalence,
    MedianDirection,
    Outcome,
    Region,
    Value,
)
from prunescope.studies.results import Node, Results, column
from prunescope.studies.study import Study

__all__ = [
    "Among",
    "Claim",
    "Contour",
    "Count",
    "Direction",
    "Equivalence",
    "Figure",
    "Lines",
    "Map",
    "MedianDirection",
    "Node",
    "Outcome",
    "Plot",
    "Precondition",
    "Region",
    "Results",
    "Sheet",
    "Study",
    "Table",
    "Value",
    "Verdict",
    "column",
    "csv_text",
    "judge",
    "judge_all",
]
