"""What the labels of a task are: classes, one bit, several bits, numbers, or a class for every token.

A new kind of target is one new file here, and its default loss in `tasks/losses.py`.
"""

from prunescope.tasks.targets.binary import Binary as Binary
from prunescope.tasks.targets.classes import CROSS_ENTROPY as CROSS_ENTROPY
from prunescope.tasks.targets.classes import Classes as Classes
from prunescope.tasks.targets.multi_label import MultiLabel as MultiLabel
from prunescope.tasks.targets.regression import Regression as Regression
from prunescope.tasks.targets.sequence import Sequence as Sequence
from prunescope.tasks.targets.target import Target as Target
from prunescope.tasks.targets.target import require_target as require_target
from prunescope.tasks.targets.weighted import Weighted as Weighted
