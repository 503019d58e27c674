"""What the labels of a task are: classes, one bit, several bits, numbers, or a class for every token.

A new kind of target is one new file here, and its default loss in `tasks/losses.py`.
"""

from prunescope.tasks.targets.binary import Binary
from prunescope.tasks.targets.classes import CROSS_ENTROPY, Classes
from prunescope.tasks.targets.multi_label import MultiLabel
from prunescope.tasks.targets.regression import Regression
from prunescope.tasks.targets.sequence import Sequence
from prunescope.tasks.targets.target import Loss, Target
from prunescope.tasks.targets.weighted import Weighted

__all__ = [
    "CROSS_ENTROPY",
    "Binary",
    "Classes",
    "Loss",
    "MultiLabel",
    "Regression",
    "Sequence",
    "Target",
    "Weighted",
]
