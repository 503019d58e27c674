"""What a user's own code draws."""

import random

import numpy as np
import torch


def drawn():
    return float(torch.rand(()) + np.random.rand() + random.random())  # noqa: NPY002
