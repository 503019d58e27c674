"""The studies of Jin et al. 2022, as plain data.

Belongs here: one entry a study of this folder. Does not belong here: anything that imports torch.
"""

from prunescope.papers.entry import Entry

STUDIES = (
    Entry(
        name="jin2022/lenet-preview",
        question="Does pruning LeNet-300-100 generalize better by training longer, or by giving up noisy examples?",
        module="prunescope.papers.jin2022.lenet_preview",
        scales={
            "smoke": "20 seconds on 2 cores",
            "laptop": "1 hour on 2 cores",
            "paper": "2.5 hours on 2 cores",
        },
        paper="Jin, Carbin, Roy, Frankle, Dziugaite: Pruning's Effect on Generalization Through the Lens of Training "
        "and Regularization, NeurIPS 2022",
        figure="Figures 1, 3 and 6, the benchmark LeNet-300-100 on MNIST",
    ),
)
