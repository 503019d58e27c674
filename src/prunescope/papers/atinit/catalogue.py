"""The studies of pruning at initialization, as plain data.

Belongs here: one entry a study of this folder. Does not belong here: anything that imports torch.
"""

from prunescope.papers.entry import Entry

STUDIES = (
    Entry(
        name="atinit/compare",
        question="Which weights should go before training, does the pattern matter, and what does training without "
        "them cost?",
        module="prunescope.papers.atinit.compare",
        scales={
            "smoke": "10 seconds on 2 cores",
            "laptop": "30 minutes on 2 cores",
            "paper": "15 hours on 2 cores",
        },
        figure="after Frankle et al. 2021 and Evci et al. 2020",
    ),
)
