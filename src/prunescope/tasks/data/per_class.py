"""A training set with a given number of examples of each class."""

from pydantic import Field, SerializeAsAny, model_validator

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.tasks.data.corruption import balanced_subset
from prunescope.tasks.data.source import Arrays, InMemory, Source


class PerClass(Source):
    """Some training examples of each class of another source, with all of its test set.

    digest, test: those of the other source.
    inner: the other source.
    per_class: number of training examples of each class, drawn uniformly.
    seed: seed of the draw.

    Source: Bartoldson et al. 2019, Figure A3.
    Differs from the source: it does not state how examples were drawn.
    """

    inner: SerializeAsAny[Source]
    per_class: int = Field(ge=1)
    seed: int = 0

    @model_validator(mode="after")
    def _same_content(self) -> "PerClass":
        if self.digest != self.inner.digest or self.test != self.inner.test:
            raise ValueError("digest and test are those of the inner source; make it with per_class()")
        return self

    @property
    def variant(self) -> str:
        """That of the other source."""
        return self.inner.variant

    def load(self) -> Arrays:
        """The examples. Raises UsageError if a class has too few of them, and what the inner source raises."""
        arrays = self.inner.load()
        generator = stream(self.seed, "per class")
        rows = balanced_subset(arrays.train_y, self.per_class, arrays.classes, generator)
        if len(rows) != self.train:
            raise UsageError(f"{self.per_class} examples of {arrays.classes} classes are {len(rows)}, not {self.train}")
        return arrays._replace(train_x=InMemory(arrays.train_x.take(rows)), train_y=arrays.train_y[rows])


def per_class(inner: Source, count: int, *, classes: int, seed: int = 0) -> Source:
    """A source with `count` training examples of each of the `classes` classes of `inner`.

    `inner` itself is returned if these are all of its examples. Raises UsageError if it does not have so many.
    """
    if count * classes > inner.train:
        raise UsageError(
            f"{count} examples of each of {classes} classes are more than the {inner.train} there are; "
            f"give at most {inner.train // classes}"
        )
    if count * classes == inner.train:
        return inner
    return PerClass(
        digest=inner.digest, train=count * classes, test=inner.test, inner=inner, per_class=count, seed=seed
    )
