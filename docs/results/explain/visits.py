"""A table: why does pruning change what a network says of visits to the doctor?

The data, the split and the classes are those of [the audit](../audit/insurance.py) (`pip install statsmodels`); every
fourth of its rows trains. Widths are `scale` times 64, so that a network can be narrower from the start.

Run `prunescope explain docs/results/explain/visits.py -s levels=5 -s fraction=0.5`.
"""

import sys
from pathlib import Path

from torch import nn

import prunescope as ps

sys.path.append(str(Path(__file__).parents[1] / "audit"))
from insurance import table


def net(scale: float = 1.0) -> nn.Sequential:
    """Two hidden layers of ReLU."""
    width = max(1, round(64 * scale))
    return nn.Sequential(nn.Linear(9, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))


x, y, _, test = table()
task = ps.Task.from_module(net, train=(x[~test][::4], y[~test][::4]), test=(x[test], y[test]))
recipe = ps.Recipe(task=task, optimizer=ps.Adam(), schedule=ps.Constant(lr=1e-3), batch=100, length="40ep")
