"""All studies that ship with prunescope, as plain data.

Belongs here: the list of the papers' lists. Does not belong here: anything that imports torch, because
`prunescope list` must answer at once.
"""

from prunescope.papers.atinit import catalogue as atinit
from prunescope.papers.bartoldson2019 import catalogue as bartoldson2019
from prunescope.papers.bartoldson2020 import catalogue as bartoldson2020
from prunescope.papers.entry import Entry
from prunescope.papers.jin2022 import catalogue as jin2022
from prunescope.papers.yang2023 import catalogue as yang2023

QUICKSTART = Entry(
    name="quickstart",
    question="What does pruning do to generalization, and is it the training or the size?",
    module="prunescope.papers.quickstart",
    scales={"smoke": "10 seconds on 2 cores", "laptop": "3 minutes on 2 cores"},
    paper="The questions of Jin et al. 2022 (NeurIPS), on 1,297 handwritten digits",
    figure="after Figures 1, 3, 6 and 7",
)

CATALOGUE = (
    QUICKSTART,
    *jin2022.STUDIES,
    *bartoldson2019.STUDIES,
    *bartoldson2020.STUDIES,
    *yang2023.STUDIES,
    *atinit.STUDIES,
)
"""Every entry, in the order of reading."""
