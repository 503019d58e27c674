"""From stored results to figures, verdicts and a report; scipy and matplotlib are imported when used."""

# mypy: implicit-reexport

from prunescope.studies.claim import Claim, Precondition, Verdict
from prunescope.studies.figure import Computed, Figure, Rows, csv_text
from prunescope.studies.judging import judge, judge_all
from prunescope.studies.median import MedianDirection
from prunescope.studies.plot import Contour, Lines, Listing, Map, Plot, Sheet, Table
from prunescope.studies.quantity import Quantity, arrays, column, combined, constant, side_by_side
from prunescope.studies.region import Direction, Equivalence, Near, Outcome, Region, TwoSided
from prunescope.studies.results import Node, Results
from prunescope.studies.share import Among, Count
from prunescope.studies.study import Study
