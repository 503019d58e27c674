"""The runs of pruning at initialization on data, and what is read of them.

Belongs here: which networks there are, their errors and densities, where a curve begins to suffer. Does not belong
here: figures and claims (`compare.py`, `yang2023/real.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import prunescope as ps
from prunescope.papers.atinit.methods import DENSE, REWOUND, Method
from prunescope.papers.atinit.scales import Ground, density
from prunescope.papers.readings import layer_sparsity, risk_on_test, risk_on_train
from prunescope.studies.thresholds import threshold

NOTHING = 0.99
"""Share of the loss of guessing, log of the number of classes, from which a network has learned nothing."""


@dataclass(frozen=True)
class Networks:
    """The replicates of one network.

    exponent: of the density; 0 is the dense network.
    """

    method: str
    noise: float
    exponent: int
    runs: tuple[ps.Recipe, ...]

    @cached_property
    def risks(self) -> Mapping[str, list[ps.Reading]]:
        """Errors and losses on "test" and "train", a reading a replicate."""
        return {"test": [*map(risk_on_test, self.runs)], "train": [*map(risk_on_train, self.runs)]}

    @cached_property
    def layers(self) -> list[ps.Reading]:
        """Sparsity of every layer and of all."""
        return [*map(layer_sparsity, self.runs)]

    @property
    def nodes(self) -> list[ps.Reading]:
        """All readings."""
        return [*self.risks["test"], *self.risks["train"], *self.layers]

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        return int(str(self.runs[0].task.network.args["classes"]))

    def error(self, split: str = "test") -> ps.Quantity:
        """On "test" or "train", [replicates]."""
        unit = f"percentage points of {'training' if split == 'train' else split} error"
        return ps.column(self.risks[split], "error", scale=100, label=self.method, unit=unit)

    @property
    def wrong_labels(self) -> ps.Quantity:
        """How many of the wrong training labels are fitted."""
        unfitted = ps.column(self.risks["train"], "noisy_error", label=self.method)
        return unfitted.map(lambda error: 100 * (1 - error), unit="percentage points of wrong labels fitted")

    @property
    def empty_layers(self) -> ps.Quantity:
        """Layers without any weight, [replicates]."""

        def count(results: ps.Results) -> list[float]:
            return [len(_empty(results, node)) for node in self.layers]

        return ps.Quantity(self.method, "empty layers", tuple(self.layers), count)

    def table(self, results: ps.Results) -> list[ps.Row]:
        """What is known of each network that was run, in percent where it is a share."""
        rows: list[ps.Row] = []
        for number, nodes in enumerate(zip(*self.risks.values(), self.layers, strict=True)):
            if not all(node in results for node in nodes):
                continue
            test, train, layers = (results[node] for node in nodes)
            empty = _empty(results, nodes[-1])
            thinnest = 100 * min(1 - float(value) for name, value in layers.items() if name != "sparsity")
            rows.append(
                {
                    "label_noise": 100 * self.noise,
                    "replicate": number,
                    "weights_asked": 100 * density(self.exponent),
                    "weights_remaining": 100 * (1 - float(layers["sparsity"])),
                    "test_error": 100 * float(test["error"]),
                    "test_loss": float(test["loss"]),
                    "train_error": 100 * float(train["error"]),
                    "train_loss": float(train["loss"]),
                    "noisy_fitted": 100 * (1 - float(train.get("noisy_error", np.nan))),
                    "learned_nothing": 100.0 * (float(train["loss"]) >= NOTHING * np.log(self.classes)),
                    "thinnest_layer": np.nan if empty else thinnest,
                    "empty_layers": len(empty),
                    "which_are_empty": " ".join(empty),
                }
            )
        return rows


def _empty(results: ps.Results, layers: ps.Reading) -> list[str]:
    values = sorted(results[layers].items())
    return [name for name, value in values if name != "sparsity" and float(value) == 1.0]


@dataclass(frozen=True)
class Arms:
    """Some methods on common ground; the dense network belongs to every method as exponent 0.

    rewound: whether the masks of iterative magnitude pruning, rewound to initialization, are among the methods.
    """

    ground: Ground
    methods: tuple[Method, ...]
    rewound: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The methods, without the dense network."""
        return (*(method.name for method in self.methods), *([REWOUND] if self.rewound else []))

    @cached_property
    def networks(self) -> Mapping[tuple[str, float, int], Networks]:
        """Every network by method, noise level and exponent of the density, the dense ones once."""
        runs: dict[tuple[str, float, int], list[ps.Recipe]] = {}
        for noise in self.ground.noises:
            for number in range(self.ground.replicates):
                dense = self.ground.dense(noise, number)
                runs.setdefault((DENSE, noise, 0), []).append(dense)
                chains = {
                    m.name: [ps.during_training(dense, *m.make(density(e))) for e in self.ground.exponents]
                    for m in self.methods
                }
                if self.rewound:
                    chains[REWOUND] = tickets(dense, self.ground.exponents)
                for name, chain in chains.items():
                    for exponent, run in zip(self.ground.exponents, chain, strict=True):
                        runs.setdefault((name, noise, exponent), []).append(run)
        return {key: Networks(*key, tuple(made)) for key, made in runs.items()}

    def at(self, method: str, noise: float, exponent: int = 0) -> Networks:
        """One network; exponent 0 is the dense one, whatever the method. Raises UsageError if there is none."""
        key = (method if exponent else DENSE, noise, exponent)
        if key not in self.networks or method not in (DENSE, *self.names):
            raise ps.UsageError(
                f"there is no network of {method!r} at {100 * noise:g} % label noise and 0.8^{exponent} of the "
                f"weights; there are {', '.join(self.names)}, exponents {self.ground.exponents}"
            )
        return self.networks[key]

    def thresholds(self, method: str, noise: float, split: str, *, tolerance: float) -> list[ps.Quantity]:
        """Up to which sparsity the error is the dense network's, percent; whether it suffers, and recovers, as 1 or 0.

        One quantity [3] a replicate. tolerance: percentage points; see `studies.thresholds.threshold`.
        """
        curve = [self.at(method, noise, exponent) for exponent in (0, *self.ground.exponents)]
        dense = curve[0].risks[split]

        def of(number: int) -> ps.Quantity:
            pairs = [(each.risks[split][number], each.layers[number]) for each in curve]

            def read(results: ps.Results) -> list[float]:
                errors = [float(results[node]["error"]) for node in dense]
                points = [(float(results[of]["sparsity"]), float(results[risk]["error"])) for risk, of in pairs]
                place, reached, returns = threshold(errors, points, margin=tolerance / 100)
                return [100 * place, reached, returns]

            nodes = (*dense, *(node for pair in pairs for node in pair))
            return ps.Quantity("", "percentage points of sparsity", nodes, read)

        return [of(number) for number in range(self.ground.replicates)]

    def threshold(self, method: str, noise: float, split: str, *, tolerance: float) -> ps.Quantity:
        """The same of all replicates: [replicates, 3]."""
        return ps.side_by_side(self.thresholds(method, noise, split, tolerance=tolerance)).map(np.transpose)


def tickets(dense: ps.Recipe, exponents: Iterable[int]) -> list[ps.Recipe]:
    """Iterative magnitude pruning with weights rewound to their first values: one recipe an exponent.

    Each starts from the trained weights of the one before, prunes the smallest of all layers to its density, puts
    back the values from before the first step, and trains in full.

    Source: Frankle and Carbin 2019, section 2. Differs from the source: from density to density of the study instead
    of 20 % a level, so that all methods meet at the same sparsities.
    """
    first = ps.StateRef(run=dense, moment=ps.Moment(when="step", at="0it"))
    chain = [dense]
    for exponent in exponents:
        amount = ps.Sparsity(final=round(1 - density(exponent), 6))
        prune = ps.Prune(amount=amount, allow_collapse=True)
        chain.append(dense.replace(start=ps.final(chain[-1]), interventions=(prune, ps.Rewind(to=first))))
    return chain[1:]
