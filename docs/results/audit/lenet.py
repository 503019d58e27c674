"""LeNet-300-100 on MNIST: are the answers that pruning changes more than another seed changes?

Run `python docs/results/audit/lenet.py --out docs/results/audit/lenet-column` for a report; see `--help`.
"""

import argparse
import shlex
import sys
from pathlib import Path

import prunescope as ps
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.column import Settings
from prunescope.papers.jin2022.settings import arms

LEVELS = {1: "36 %", 4: "83 %", 7: "96 %", 9: "98 %"}
"""Levels of iterative magnitude pruning, 36 % of what remains each, by their sparsity."""
NARROWER = {2: "36 %", 8: "83 %", 14: "96 %", 18: "98 %"}
"""Steps of 20 % of the widths, by the share of the weights that is missing."""


def bench(epochs: int) -> Benchmark:
    """The column of jin2022, with two of its levels of pruning in one."""
    return arms(
        Settings(
            noises=(0.0, 0.15),
            epochs=epochs,
            levels=max(LEVELS),
            fraction=0.36,
            extended_levels=(max(LEVELS), max(LEVELS)),
            width_levels=max(NARROWER),
        ).size("laptop")
    )


def main() -> None:
    """Trains what the store lacks and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dense", type=int, default=16, help="dense networks, each with its own seed")
    parser.add_argument("--pruned", type=int, default=3, help="of them that are pruned, the first ones (up to 3)")
    parser.add_argument("--epochs", type=int, default=40, help="of training, and of every level")
    parser.add_argument("--noise", type=float, default=0.0, choices=(0.0, 0.15), help="share of wrong training labels")
    parser.add_argument("--extended", type=int, default=4, help="levels of training on without pruning; 0 for none")
    parser.add_argument("--why", type=int, default=512, help="examples that weights are looked at with")
    parser.add_argument("--store", default="prunescope-store")
    parser.add_argument("--out", type=Path, default=Path("prunescope-reports/audit-lenet"))
    options = parser.parse_args()
    column, noise, count = bench(options.epochs), options.noise, options.pruned
    dense = ps.replicates(ps.with_data(column.base, label_noise=noise), options.dense)

    def arm(name: str, level: int, called: str) -> dict[str, ps.Recipe]:
        networks = column.row(name, noise, level)[:count]
        return {f"{called} of {k}": point.recipe for k, point in enumerate(networks, 1)}

    pruned = {k: run for level, name in LEVELS.items() for k, run in arm("pruned", level, name).items()}
    controls = {k: run for step, name in NARROWER.items() for k, run in arm("width", step, f"{name} narrower").items()}
    if options.extended:
        controls |= arm("extended", options.extended, f"trained {1 + options.extended} times as long")
    ps.ensure(dense, *pruned.values(), *controls.values(), store=options.store)
    settings = {"twins": dense[1:], "controls": controls, "store": options.store, "why": options.why}
    report = ps.audit(dense[0], pruned, **settings)
    print(report)
    print(report.write(options.out, command=shlex.join(["python", *sys.argv])))


if __name__ == "__main__":
    main()
