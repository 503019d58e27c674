"""The studies of Jin et al. 2022, as plain data.

Belongs here: one entry a study of this folder. Does not belong here: anything that imports torch.
"""

from prunescope.papers.entry import Entry

PAPER = (
    "Jin, Carbin, Roy, Frankle, Dziugaite: Pruning's Effect on Generalization Through the Lens of Training and "
    "Regularization, NeurIPS 2022"
)


def _entry(name: str, question: str, *, module: str, figure: str, laptop: str, paper: str) -> Entry:
    """A study that any benchmark can be given to; costs are of LeNet on MNIST, alone, on 2 cores."""
    scales = {"smoke": "half a minute or less", "laptop": laptop, "paper": paper}
    costs = {scale: f"{cost} on 2 cores" for scale, cost in scales.items()}
    return Entry(name, question, f"prunescope.papers.jin2022.{module}", costs, PAPER, figure)


STUDIES = (
    _entry(
        "jin2022",
        "How does pruning affect generalization: by better training, by regularization, and can either be had alone?",
        module="whole",
        figure="the whole paper on one benchmark (-s benchmark=NAME)",
        laptop="9.5 hours",
        paper="5 days",
    ),
    _entry(
        "jin2022/column",
        "On one benchmark, what do pruning, longer training, a smaller width and leaving examples out do?",
        module="column",
        figure="all of jin2022 but other algorithms, ablations and further controls",
        laptop="3 hours",
        paper="9 hours",
    ),
    _entry(
        "jin2022/fig1",
        "Is it the training or the removal of weights that improves generalization, and on which examples?",
        module="fig1",
        figure="Figure 1",
        laptop="40 minutes",
        paper="1 hour",
    ),
    _entry(
        "jin2022/fig2",
        "Without label noise, which training examples does pruning fit better, and which worse?",
        module="fig2",
        figure="Figure 2",
        laptop="20 minutes",
        paper="40 minutes",
    ),
    _entry(
        "jin2022/fig3",
        "Does pruning improve generalization under label noise, and more so the more noise there is?",
        module="fig3",
        figure="Figure 3",
        laptop="1 hour",
        paper="2 hours",
    ),
    _entry(
        "jin2022/fig4",
        "Does pruning give noisy examples up while it keeps the original ones?",
        module="fig4",
        figure="Figure 4",
        laptop="1 hour",
        paper="2 hours",
    ),
    _entry(
        "jin2022/fig5",
        "With label noise, which training examples does the optimally sparse network give up?",
        module="fig5",
        figure="Figure 5",
        laptop="40 minutes",
        paper="2 hours",
    ),
    _entry(
        "jin2022/fig6",
        "Does extended training time alone explain pruning's effect on generalization?",
        module="fig6",
        figure="Figure 6",
        laptop="2 hours",
        paper="4 hours",
    ),
    _entry(
        "jin2022/fig7",
        "Does size alone explain pruning's effect on generalization?",
        module="fig7",
        figure="Figure 7 and Appendix F",
        laptop="2 hours",
        paper="3 hours",
    ),
    _entry(
        "jin2022/appB",
        "Does the ranking of training examples by EL2N depend on the epoch at which it is taken?",
        module="app_b",
        figure="Appendix B.3",
        laptop="10 minutes",
        paper="10 minutes",
    ),
    _entry(
        "jin2022/appC",
        "Does training that removes nothing match other pruning algorithms, too?",
        module="app_c",
        figure="Appendix C, Figure 8",
        laptop="1.5 hours",
        paper="2.5 hours",
    ),
    _entry(
        "jin2022/appD",
        "Do the training examples that pruning fits better matter for generalization?",
        module="app_d",
        figure="Appendix D",
        laptop="30 minutes",
        paper="40 minutes",
    ),
    _entry(
        "jin2022/appE",
        "Does pruning generalize better because it gives up the right examples?",
        module="app_e",
        figure="Appendix E",
        laptop="1 hour",
        paper="2 hours",
    ),
    _entry(
        "jin2022/appI",
        "Is the regularization of pruning that of a smaller network?",
        module="app_i",
        figure="Appendix I",
        laptop="1.2 hours",
        paper="2.5 hours",
    ),
    _entry(
        "jin2022/appJ",
        "Does it matter which weights are pruned, or only how many and the training?",
        module="app_j",
        figure="Appendix J",
        laptop="3.5 hours",
        paper="6 hours",
    ),
    _entry(
        "jin2022/appK",
        "Are the training examples that pruning gives up harmful to generalization?",
        module="app_k",
        figure="Appendix K",
        laptop="1 hour",
        paper="2 hours",
    ),
    _entry(
        "jin2022/appL",
        "At which sparsities does pruning fit which training examples better or worse?",
        module="app_l",
        figure="Appendix L",
        laptop="1.2 hours",
        paper="2 hours",
    ),
    _entry(
        "jin2022/appM",
        "By how much do the controls miss pruning, and how much worse are noisy examples fitted than original ones?",
        module="app_m",
        figure="Tables 5 and 11",
        laptop="1 hour",
        paper="5 hours",
    ),
    _entry(
        "jin2022/section7",
        "Does pruning harm some classes or groups of examples, from which sparsity on, and is it pruning or size?",
        module="section7",
        figure="Section 7, on fairness",
        laptop="20 minutes",
        paper="1 hour",
    ),
    Entry(
        name="jin2022/across",
        question="On how many benchmarks does pruning generalize better than dense, extended and narrower networks?",
        module="prunescope.papers.jin2022.across",
        scales={
            "smoke": "half a minute on 2 cores",
            "laptop": "2 hours on 2 cores for LeNet alone (-s benchmarks=[lenet,resnet20] for more)",
            "paper": "weeks on a GPU",
        },
        paper=PAPER,
        figure="the counts of sections 4 and 5: 11 of 13, 9 of 13, 4 of 5",
    ),
    _entry(
        "jin2022/optimum",
        "How much of pruning's gain comes from choosing the best of many levels on the test set?",
        module="optimum",
        figure="beside Figures 3 and 6; not in the paper",
        laptop="2 hours",
        paper="4 hours",
    ),
    _entry(
        "jin2022/controls",
        "Do a smaller size and longer training together do what pruning does, and what does stopping early do?",
        module="controls",
        figure="beside Figures 6 and 7; not in the paper",
        laptop="5 hours",
        paper="8 hours",
    ),
    _entry(
        "jin2022/influence",
        "Are the training examples whose loss pruning changes most those that networks memorize, and is EL2N a good "
        "stand-in for that?",
        module="influence",
        figure="beside section 3; not in the paper",
        laptop="30 minutes",
        paper="100 hours",
    ),
    Entry(
        name="jin2022/yours",
        question="What does pruning do to a network of your own, and to whom?",
        module="prunescope.papers.jin2022.yours",
        scales={
            "smoke": "20 seconds on 2 cores",
            "laptop": "3 minutes on 2 cores for digits",
            "paper": "10 minutes on 2 cores for digits",
        },
        paper=PAPER,
        figure="none: any network (-s network=my_module:Net)",
    ),
    Entry(
        name="jin2022/lenet-preview",
        question="Does pruning LeNet-300-100 generalize better by training longer, or by giving up noisy examples?",
        module="prunescope.papers.jin2022.lenet_preview",
        scales={
            "smoke": "20 seconds on 2 cores",
            "laptop": "1 hour on 2 cores",
            "paper": "2.5 hours on 2 cores",
        },
        paper=PAPER,
        figure="Figures 1, 3 and 6, the benchmark LeNet-300-100 on MNIST",
    ),
    Entry(
        name="jin2022/resnet20-preview",
        question="Does the pruning chain of ResNet-20 on CIFAR-10 run, and where does its test error go?",
        module="prunescope.papers.jin2022.resnet20_preview",
        scales={
            "smoke": "half a minute on 1 core",
            "laptop": "40 minutes on 1 core",
            "paper": "2 weeks on 1 core",
        },
        paper=PAPER,
        figure="the chain of Figures 2b and 3, the benchmark ResNet-20 on CIFAR-10, much shortened",
    ),
)
