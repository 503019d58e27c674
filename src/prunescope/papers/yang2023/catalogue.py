"""The studies of Yang et al. 2023, as plain data.

Belongs here: one entry a study of this folder. Does not belong here: anything that imports torch.
"""

from prunescope.papers.entry import Entry

_PAPER = (
    "Yang, Liang, Guo, Wu, Wang: Theoretical Characterization of How Neural Network Pruning Affects its "
    "Generalization, arXiv 2301.00335"
)
STUDIES = (
    Entry(
        name="yang2023/mild-and-over",
        question="Does mild pruning at initialization help, and does over-pruning memorize noise and guess?",
        module="prunescope.papers.yang2023.mild_and_over",
        scales={
            "smoke": "5 seconds on 2 cores",
            "laptop": "3 minutes on 2 cores",
            "paper": "20 minutes on 2 cores",
        },
        paper=_PAPER,
        figure="the abstract's two statements",
    ),
    Entry(
        name="yang2023/variations",
        question="Do the statements on pruning hold for more classes, and does the gain vanish when the signal is "
        "dense?",
        module="prunescope.papers.yang2023.variations",
        scales={
            "smoke": "5 seconds on 2 cores",
            "laptop": "10 minutes on 2 cores",
            "paper": "20 minutes on 2 cores",
        },
        paper=_PAPER,
    ),
    Entry(
        name="yang2023/mnist",
        question="On MNIST, does mild random pruning at initialization help, and does over-pruning fit and guess?",
        module="prunescope.papers.yang2023.mnist",
        scales={
            "smoke": "5 seconds on 2 cores",
            "laptop": "10 minutes on 2 cores",
            "paper": "30 hours on 2 cores",
        },
        paper=_PAPER,
        figure="the experiment on MNIST (recalled)",
    ),
    Entry(
        name="yang2023/cifar",
        question="On CIFAR-10, does mild random pruning at initialization help, and does over-pruning fit and guess?",
        module="prunescope.papers.yang2023.cifar",
        scales={
            "smoke": "5 seconds on 2 cores",
            "laptop": "1 hour on 2 cores",
            "paper": "5 weeks on 2 cores",
        },
        paper=_PAPER,
        figure="the experiments on CIFAR-10 (recalled)",
    ),
    Entry(
        name="yang2023/dynamics",
        question="How do signal and noise grow while a pruned network trains?",
        module="prunescope.papers.yang2023.dynamics",
        scales={
            "smoke": "3 seconds on 2 cores",
            "laptop": "1 minute on 2 cores",
            "paper": "2 minutes on 2 cores",
        },
        paper=_PAPER,
        figure="the analysis behind the abstract's statements (recalled)",
    ),
    Entry(
        name="yang2023/collapse",
        question="Is one number, signal against memorization, all that the keep probability and the dimension change?",
        module="prunescope.papers.yang2023.collapse",
        scales={
            "smoke": "3 seconds on 2 cores",
            "laptop": "1 minute on 2 cores",
            "paper": "3 minutes on 2 cores",
        },
        paper=_PAPER,
    ),
    Entry(
        name="yang2023/phase-diagram",
        question="Where do randomly pruned networks learn signal, and where do they memorize noise?",
        module="prunescope.papers.yang2023.phase_diagram",
        scales={
            "smoke": "3 seconds on 2 cores",
            "laptop": "4 minutes on 2 cores",
            "paper": "1 to 2 hours on 2 cores",
        },
        paper=_PAPER,
    ),
    Entry(
        name="yang2023/neurons-vs-weights",
        question="Is it the size? Removing neurons against removing weights at equal size",
        module="prunescope.papers.yang2023.neurons_vs_weights",
        scales={
            "smoke": "3 seconds on 2 cores",
            "laptop": "1 minute on 2 cores",
            "paper": "2 minutes on 2 cores",
        },
        paper=_PAPER,
    ),
)
