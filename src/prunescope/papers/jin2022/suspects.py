"""Which training examples a pruned network gives up, and which labels are suspect, of a network of one's own.

Belongs here: the two lists, and how often each is right where the noise is known. Does not belong here: the published
order by the rise of the loss alone (`given_up.py`).

An example is given up if the dense network gives it the label used and the pruned one another. A label is suspect if
networks that were not trained on the example find it improbable: that needs no pruning.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.measures import OutOfSample
from prunescope.papers.jin2022.arms import Benchmark, Numbers
from prunescope.papers.jin2022.given_up import FIRST, SHOWN, precision, precision_plot
from prunescope.papers.jin2022.quantities import fits
from prunescope.papers.readings import at_end, noise_name
from prunescope.studies.judging import unmet
from prunescope.studies.plot import NothingToShow

Places = NDArray[np.int64]
GIVEN_UP, IMPROBABLE = "given up by pruning", "improbable when held out"


@dataclass(frozen=True)
class Suspects:
    """The lists of one noise level, of the first replicate.

    bench: whose networks.
    noise: the share of wrong labels that was added.
    folds: into how many parts the training examples are cut; each part is judged by a network trained on the others.
    """

    bench: Benchmark
    noise: float
    folds: int

    @cached_property
    def dense(self) -> ps.Recipe:
        """The dense network."""
        return self.bench.row("dense", self.noise, 0)[SHOWN].recipe

    @cached_property
    def labels(self) -> ps.Reading:
        """The labels of the training examples, before and after noise."""
        return at_end(self.dense, ps.Labels(split="train"))

    @cached_property
    def held_out(self) -> list[ps.Reading]:
        """What each network trained on all parts but one says of all examples."""
        return [at_end(self._without(fold), OutOfSample()) for fold in range(self.folds)]

    def _without(self, fold: int) -> ps.Recipe:
        """The dense network trained without a part; batches are larger where the last one would be a single example."""
        args = {"name": "label", "folds": self.folds, "fold": fold}
        subset = ps.Subset(source=self.labels, rule="prunescope.studies.subsets:without_fold", args=args)
        kept = self.dense.train_examples - len(range(fold, self.dense.train_examples, self.folds))
        batch = next(size for size in count(self.dense.batch) if kept % size != 1 or kept == 1)
        return self.dense.replace(examples=subset, batch=batch)

    @cached_property
    def examples(self) -> tuple[ps.Reading, ps.Reading]:
        """Loss and prediction of every training example by the dense network and after the last level."""
        before, after = (self.bench.chain(arm, self.noise)[-1][SHOWN] for arm in ("dense", "pruned"))
        return before.examples, after.examples

    def given_up(self, results: ps.Results) -> Places:
        """Places of the examples that were fitted and then given up, those whose loss rises most first.

        Raises NothingToShow where the dense network does not fit what it is trained on, and where there are none.
        """
        if obstacles := unmet((fits(self.bench, self.noise),), results):
            raise NothingToShow(f"What does not fit cannot be given up: {obstacles[0]}.")
        dense, sparse = (results[reading] for reading in self.examples)
        order = given_up_order(dense, sparse)
        if not len(order):
            fitted = int(np.asarray(dense["correct"]).sum())
            raise NothingToShow(
                f"None: after {self.bench.levels} levels the pruned network still gives all {fitted} training examples "
                "that the dense network fits the label that they are trained with."
            )
        return order

    def improbable(self, results: ps.Results) -> tuple[Places, Numbers, Places]:
        """Places of all examples, least probable label first; the probabilities [N] and the predictions [N]."""
        probability, prediction = out_of_sample([results[reading] for reading in self.held_out])
        return np.argsort(probability, kind="stable"), probability, prediction

    def _rows(self, results: ps.Results, order: Places, prediction: Places, **number: Numbers) -> list[ps.Row]:
        """The first examples of a list; marked: whether the label was changed by the noise that was added."""
        data, rows = results[self.labels], list[ps.Row]()
        ((name, values),) = number.items()
        for rank, place in enumerate(order[:FIRST].tolist(), 1):
            label, clean = int(data["label"][place]), int(data["clean"][place])
            row: dict[str, object] = {"rank": rank, "index": int(data["index"][place]), "label": label}
            row |= {"label_before_noise": clean, "marked": label != clean} if self.noise else {}
            rows.append(row | {"prediction": int(prediction[place]), name: float(values[place])})
        return rows

    def given_up_rows(self, results: ps.Results) -> list[ps.Row]:
        """The first examples given up."""
        order = self.given_up(results)
        dense, sparse = (results[reading] for reading in self.examples)
        return self._rows(results, order, sparse["prediction"], loss_rise=_rise(dense, sparse))

    def improbable_rows(self, results: ps.Results) -> list[ps.Row]:
        """The examples with the least probable labels."""
        order, probability, prediction = self.improbable(results)
        return self._rows(results, order, prediction, probability=probability)

    def precision_rows(self, results: ps.Results) -> list[ps.Row]:
        """How many labels among the first n of each list were changed by the noise that was added."""
        data = results[self.labels]
        noisy = np.asarray(data["label"] != data["clean"])
        rows = precision(IMPROBABLE, self.improbable(results)[0], noisy)
        with contextlib.suppress(NothingToShow):  # its own figure says why
            rows += precision(GIVEN_UP, self.given_up(results), noisy)
        among_all = {"series": "among all", "precision": 100 * float(noisy.mean())}
        largest = max(int(str(row["examples"])) for row in rows)
        return [*rows, *(among_all | {"examples": n} for n in (1, largest))]

    def figures(self, *, images: bool) -> Iterator[ps.Figure]:
        """The lists, the images of both, and where labels were changed how often each list is right."""
        at, end = noise_name(self.noise), f"{100 * self.noise:g}"
        fitted = (*fits(self.bench, self.noise).quantity.nodes, self.labels, *self.examples)
        given_up = ps.Computed(fitted, self.given_up_rows, {"panel": at})
        improbable = ps.Computed((self.labels, *self.held_out), self.improbable_rows, {"panel": at})
        lists = {
            "given-up": (
                given_up,
                f"Training examples that were fitted and then given up, {at}",
                f"At most {FIRST} training examples to which the dense network gives the label used and the network "
                f"after {self.bench.levels} levels of pruning another, in order of how much their loss rises; first "
                "replicate.",
            ),
            "suspects": (
                improbable,
                f"Labels that are improbable when held out, {at}",
                f"The {FIRST} training examples whose label is least probable to networks that were not trained on "
                f"them ({self.folds} dense networks, each trained without one part of the examples): suspects of a "
                "wrong label.",
            ),
        }
        shown: dict[str, ps.Listing | ps.Sheet] = {"": ps.Listing()}
        shown |= {"-images": ps.Sheet(self.bench.base.task.data.source)} if images else {}
        for kind, plot in shown.items():
            for name, (rows, title, caption) in lists.items():
                yield ps.Figure(f"{name}{kind}-{end}", title, caption=caption, rows=[rows], plot=plot)
        if self.noise:
            yield ps.Figure(
                f"precision-{end}",
                f"How many of the suspects have a wrong label, {at}",
                caption="The share of labels that were changed among the first n of each list, beside the share among "
                "all (dashed); first replicate. The data hold an exact 95 % interval.",
                rows=[ps.Computed((*fitted, *self.held_out), self.precision_rows, {"panel": at})],
                plot=precision_plot("changed"),
            )


def given_up_order(dense: Mapping[str, NDArray[np.generic]], sparse: Mapping[str, NDArray[np.generic]]) -> Places:
    """Places of the examples that the dense network gets right and the sparse one wrong, largest rise in loss first.

    dense, sparse: `Examples` of the two networks, [N] each; of equal rises the earlier example comes first.
    """
    places = np.flatnonzero(np.asarray(dense["correct"]) & ~np.asarray(sparse["correct"]))
    return places[np.argsort(-_rise(dense, sparse)[places], kind="stable")]


def _rise(dense: Mapping[str, NDArray[np.generic]], sparse: Mapping[str, NDArray[np.generic]]) -> Numbers:
    return np.asarray(sparse["loss"], dtype=np.float64) - np.asarray(dense["loss"], dtype=np.float64)


def out_of_sample(folds: list[Mapping[str, NDArray[np.generic]]]) -> tuple[Numbers, Places]:
    """Probability of the label used [N] and prediction [N], each from the one network that was not trained on it."""
    unseen = ~np.stack([np.asarray(fold["seen"], dtype=bool) for fold in folds])
    which = unseen.argmax(axis=0), np.arange(unseen.shape[1])
    probability, prediction = (
        np.stack([fold[name] for fold in folds])[which] for name in ("probability", "prediction")
    )
    return probability.astype(np.float64), prediction.astype(np.int64)
