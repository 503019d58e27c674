"""The studies of Bartoldson et al. 2019, as plain data.

Belongs here: one entry a study of this folder. Does not belong here: anything that imports torch.
"""

from prunescope.papers.entry import Entry

PAPER = (
    "Bartoldson, Morcos, Barbu, Erlebacher: The Generalization-Stability Tradeoff in Neural Network Pruning, "
    "arXiv 1906.03728v1, 2019"
)


def _entry(name: str, question: str, *, module: str, figure: str, laptop: str, paper: str) -> Entry:
    """A study; costs are alone, on 2 cores."""
    scales = {"smoke": "a minute or less", "laptop": laptop, "paper": paper}
    costs = {scale: f"{cost} on 2 cores" for scale, cost in scales.items()}
    return Entry(name, question, f"prunescope.papers.bartoldson2019.{module}", costs, PAPER, figure)


STUDIES = (
    _entry(
        "bartoldson2019",
        "Does pruning generalize by the instability that it causes?",
        module="whole",
        figure="the whole paper",
        laptop="a day",
        paper="a year",
    ),
    _entry(
        "bartoldson2019/fig1",
        "Do ways of pruning that disrupt a network more generalize better?",
        module="fig1",
        figure="Figure 1",
        laptop="1 hour",
        paper="months",
    ),
    _entry(
        "bartoldson2019/fig2",
        "How does a network recover from disruptive pruning?",
        module="fig2",
        figure="Figure 2",
        laptop="1 hour",
        paper="months",
    ),
    _entry(
        "bartoldson2019/fig3",
        "Do larger pruning events disrupt more and generalize better?",
        module="fig3",
        figure="Figure 3",
        laptop="3 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2019/figA1",
        "Are normalized activations normal, as scoring filters by their expected activation assumes?",
        module="fig_a1",
        figure="Figure A1",
        laptop="15 minutes",
        paper="a month",
    ),
    _entry(
        "bartoldson2019/figA2",
        "Do larger pruning events help when the same is pruned in all?",
        module="fig_a2",
        figure="Figure A2",
        laptop="3 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2019/figA3",
        "Does the benefit of unstable pruning vanish as the training set grows?",
        module="fig_a3",
        figure="Figure A3",
        laptop="4 hours",
        paper="4 days",
    ),
)
