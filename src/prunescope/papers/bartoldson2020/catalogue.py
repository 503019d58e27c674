"""The studies of Bartoldson et al. 2020, as plain data.

Belongs here: one entry a study of this folder. Does not belong here: anything that imports torch.
"""

from prunescope.papers.entry import Entry

PAPER = (
    "Bartoldson, Morcos, Barbu, Erlebacher: The Generalization-Stability Tradeoff in Neural Network Pruning, "
    "NeurIPS 2020"
)


def _entry(name: str, question: str, *, module: str, figure: str, laptop: str, paper: str) -> Entry:
    """A study; costs are alone, on 2 cores."""
    scales = {"smoke": "a minute or less", "laptop": laptop, "paper": paper}
    costs = {scale: f"{cost} on 2 cores" for scale, cost in scales.items()}
    return Entry(name, question, f"prunescope.papers.bartoldson2020.{module}", costs, PAPER, figure)


STUDIES = (
    _entry(
        "bartoldson2020",
        "Does pruning generalize by its instability, within which limits, and because minima become flatter?",
        module="whole",
        figure="the whole paper",
        laptop="a day",
        paper="years",
    ),
    _entry(
        "bartoldson2020/section2",
        "Is pruning the limit of noise that takes filters away for single batches?",
        module="section2",
        figure="section 2",
        laptop="1.5 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2020/fig2",
        "Does less stable pruning lead to better generalization?",
        module="fig2",
        figure="Figure 2",
        laptop="1 hour",
        paper="months",
    ),
    _entry(
        "bartoldson2020/fig3",
        "Up to which iterative rate does less stability help?",
        module="fig3",
        figure="Figure 3",
        laptop="3 hours",
        paper="a year",
    ),
    _entry(
        "bartoldson2020/fig4",
        "Is there a trade-off with SGD, weight decay and augmentation, and in small networks?",
        module="fig4",
        figure="Figure 4",
        laptop="2 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2020/fig5",
        "Does the benefit of pruning need the permanent removal of filters?",
        module="fig5",
        figure="Figure 5",
        laptop="2 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2020/fig6",
        "Is the benefit of unstable pruning mediated by flatness?",
        module="fig6",
        figure="Figure 6",
        laptop="1.5 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2020/appB",
        "Does a score made for normalized networks widen the range of stability, and does its premise hold?",
        module="app_b",
        figure="Appendix B",
        laptop="2 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2020/appC",
        "Where does less stability stop helping, and can little of it help under SGD?",
        module="app_c",
        figure="Appendix C",
        laptop="3 hours",
        paper="a year",
    ),
    _entry(
        "bartoldson2020/appD",
        "Does zeroing help when filters return at the values that they had?",
        module="app_d",
        figure="Appendix D",
        laptop="1.5 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2020/appE",
        "Are less stable networks flatter by every measure?",
        module="app_e",
        figure="Appendix E",
        laptop="3 hours",
        paper="months",
    ),
    _entry(
        "bartoldson2020/appF",
        "Does the smaller size explain the benefit of pruning?",
        module="app_f",
        figure="Appendix F",
        laptop="10 hours",
        paper="years",
    ),
    _entry(
        "bartoldson2020/yours",
        "What does pruning these layers on this schedule do to a network of your own?",
        module="yours",
        figure="none: any network",
        laptop="20 minutes",
        paper="20 minutes",
    ),
)
