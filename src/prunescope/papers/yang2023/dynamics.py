"""yang2023/dynamics: How do signal and noise grow while a pruned network trains?

Both are followed at logarithmically spaced steps, at several keep probabilities.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pydantic import Field

import prunescope as ps
from prunescope.measures import SignalAndNoise
from prunescope.papers.yang2023.quantities import FEATURES, PRODUCT, Networks, among, medians, study, sweep
from prunescope.papers.yang2023.scales import TINY, Count, Keep, Setting
from prunescope.runs.graph.nodes import Watch

COST = {"smoke": "3 seconds", "laptop": "1 minute", "paper": "2 minutes"}
FIGURE = "the analysis behind the abstract's statements (recalled)"


class Settings(ps.Value):
    """What is followed.

    setting: network, data and training.
    keeps: shares of the weights that remain, one panel each, descending.
    mild: one of `keeps`, at which signal should win the race, against the dense network.
    replicates: runs of each network, each with its own seed.
    """

    setting: Setting = Setting()
    keeps: tuple[Keep, ...] = Field(default=(1.0, 0.2, 0.02), min_length=1)
    mild: Keep = 0.2
    replicates: Count = 10


SCALES = {
    "smoke": Settings(setting=TINY.replace(most_steps=200), keeps=(1.0, 0.2), replicates=2),
    "laptop": Settings(),
    "paper": Settings(replicates=20),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    keeps = dict.fromkeys((1.0, settings.mild, *settings.keeps))
    networks = sweep(settings.setting, keeps, settings.replicates)
    shown = [networks[keep] for keep in dict.fromkeys(settings.keeps)]
    features = ps.Figure(
        "features",
        "Signal learned and noise memorized during training",
        caption="Largest products of the neurons of a class with its signal, and with the noise patches of its "
        "training examples. A run that has reached its target loss stays where it stopped. Medians over replicates and "
        "their middle half.",
        rows=[followed(each, FEATURES, SignalAndNoise(signal=each.setting.signal)) for each in shown],
        plot=over_steps(PRODUCT),
        claims=tuple(claims(networks[1.0], networks[settings.mild])),
    )
    loss = ps.Figure(
        "loss",
        "Test loss during training",
        caption="The same runs: mean loss on the test set. Medians over replicates and their middle half.",
        rows=[followed(each, {"loss": "test loss"}, ps.Risk(split="test")) for each in shown],
        plot=over_steps("loss, nats", log_y=True),
    )
    return study(__doc__, settings, f"{scale}: {settings.replicates} replicates", (features, loss))


def claims(dense: Networks, mild: Networks) -> Iterator[ps.Claim]:
    """In the noisy setting the noise wins without pruning, and pruning lets the signal win."""
    more, less = ps.Direction("greater"), ps.Direction("less")
    what = (
        f"At the end of training, a network that keeps {100 * mild.keep:g} % of its weights has learned more signal "
        "than it has memorized noise."
    )
    place = "Yang et al. 2023, analysis of mild pruning (recalled)"
    yield among("signal-leads", what, lead(mild), more, mild, basis="recalled", place=place)
    what = "At the end of training, the dense network has memorized more noise than it has learned signal."
    place = "the signal race: without pruning, memorization wins"
    yield among("noise-leads", what, lead(dense), less, dense, place=place)


def lead(networks: Networks) -> ps.Quantity:
    """Signal minus noise at the end of training, from what the figure shows of it."""
    traces = traces_of(networks, SignalAndNoise(signal=networks.setting.signal))

    def last(results: ps.Results, number: int) -> float:
        trace = results[traces[number]]
        return float(trace["signal_mean"][-1] - trace["noise_mean"][-1])

    return networks.of_trained(last, traces, PRODUCT).named("signal minus noise")


def traces_of(networks: Networks, measure: ps.Measure) -> list[ps.Trace]:
    """A measure of every run, at logarithmically spaced steps."""
    return [ps.Trace(probe=Watch(measure=measure), run=run) for run in networks.runs]


def followed(
    networks: Networks, names: Mapping[str, str], measure: ps.Measure, *, scale: float = 1.0, panel: str = ""
) -> ps.Computed:
    """Some values of a measure, by their labels, at the steps at which some run was looked at in training.

    panel: by default one for each keep probability.
    """
    nodes = traces_of(networks, measure)

    def table(results: ps.Results) -> ps.Table:
        traces: dict[int, Any] = {n: results[node] for n, node in enumerate(nodes) if node in results}
        grid = sorted({int(step) for trace in traces.values() for step in trace["local"][:-1] if step > 0})
        last = {n: np.searchsorted(trace["local"], grid, side="right") - 1 for n, trace in traces.items()}
        return [
            {"quantity": label, "replicate": n, "step": step, "value": scale * float(trace[name][place])}
            for n, trace in traces.items()
            for name, label in names.items()
            for step, place in zip(grid, last[n], strict=True)
        ]

    return ps.Computed(nodes, table, {"panel": panel or f"{100 * networks.keep:g} % of the weights kept"})


def over_steps(y_label: str, **more: Any) -> ps.Lines:
    """How these figures are drawn."""
    return medians("step", "value", "quantity", "step of gradient descent", y_label, **more)
