"""Where errors begin to suffer: up to which sparsity a method's error is the dense network's.

Belongs here: these sparsities of every method, noise level and split, their figure, and what makes them exact. Does not
belong here: the definition of a threshold (`studies/thresholds.py`), claims about them (`real_claims.py`).
"""

from dataclasses import dataclass

from prunescope.papers.atinit import views
from prunescope.papers.atinit.arms import Arms
from prunescope.runs.graph.nodes import Combined
from prunescope.studies.claim import Precondition
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Row
from prunescope.studies.results import Numbers, Results, column

SPLITS = ("test", "train")


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of all arms.

    tolerance: percentage points of error that a network may lose beside its dense one, or one standard deviation of
    dense networks if that is more, before it is said to suffer.
    """

    arms: Arms
    tolerance: float

    @property
    def every(self) -> list[Combined]:
        """The nodes of all methods, noise levels and splits."""
        return [
            node
            for method in self.arms.names
            for noise in self.arms.ground.noises
            for split in SPLITS
            for node in self.nodes(method, noise, split)
        ]

    def nodes(self, method: str, noise: float, split: str) -> list[Combined]:
        """Up to which sparsity the error on a split is the dense network's, one node a replicate."""
        margin = self.tolerance / 100
        replicates = range(self.arms.ground.replicates)
        return [self.arms.threshold(method, noise, n, split=split, margin=margin) for n in replicates]

    def percent(self, results: Results, method: str, *, noise: float, split: str) -> Numbers:
        """These sparsities in percent, [replicates]."""
        return 100 * column(results, self.nodes(method, noise, split), name="threshold")

    def suffers(self, method: str, noise: float) -> Precondition:
        """The test error suffers at some sparsity, so that the threshold is no mere lower bound.

        A threshold that is subtracted, or compared with a number, must be exact; a lower bound of the other one can
        only understate what is claimed.
        """
        return Precondition(
            f"the test error of {method} suffers at some sparsity at {views.noise_name(noise)}",
            lambda r: column(r, self.nodes(method, noise, "test"), name="reached"),
            at_least=1.0,
            unit="(1: it does, 0: it does not)",
        )

    def figure(self) -> Figure:
        """Where test error and training error begin to suffer, with intervals."""

        def found(results: Results, method: str, noise: float, split: str) -> list[tuple[int, float, bool]]:
            """Replicate, threshold in percent, and whether the curve leaves the limit."""
            nodes = self.nodes(method, noise, split)
            return [
                (number, 100 * float(results[node]["threshold"]), bool(results[node]["reached"]))
                for number, node in enumerate(nodes)
                if node in results
            ]

        def table(results: Results) -> list[Row]:
            rows: list[Row] = []
            for method in self.arms.names:
                for split in SPLITS:
                    curves = {
                        noise: found(results, method, noise, split) for noise in self.arms.ground.noises
                    }
                    least = any(not reached for curve in curves.values() for _, _, reached in curve)
                    rows += [
                        {
                            "panel": f"{'test' if split == 'test' else 'training'} error",
                            "method": f"{method} (at least)" if least else method,
                            "label_noise": 100 * noise,
                            "replicate": number,
                            "threshold": threshold,
                            "reached": reached,
                        }
                        for noise, curve in curves.items()
                        for number, threshold, reached in curve
                    ]
            return rows

        return Figure(
            "thresholds",
            "Where errors begin to suffer",
            caption="The largest sparsity at which the error is the dense network's, on the test and on the training "
            "set, within one standard deviation of dense networks or "
            f"{self.tolerance:g} percentage points, whichever is more. Means over replicates and their 95 % "
            "intervals. At least: in some replicate the curve does not suffer at all (reached: False), so the true "
            "threshold is larger.",
            table=table,
            plot=Lines(
                "label_noise",
                "threshold",
                series="method",
                x_label="label noise, %",
                y_label="sparsity, %",
                band="interval",
            ),
        )
