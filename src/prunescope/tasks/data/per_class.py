"""A training set cut down to so many examples a class."""

from pydantic import Field, SerializeAsAny, model_validator

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.tasks.data.corruption import balanced_subset
from prunescope.tasks.data.source import Arrays, InMemory, Source


class PerClass(Source):
    """`per_class` training examples of each class of another source, drawn uniformly by `seed`; its whole test set.

    digest: that of the other source.

    Source: Bartoldson et al. 2019, Figure A3. Differs from the source: it does not say how examples were drawn.
    """

    inner: SerializeAsAny[Source]
    per_class: int = Field(ge=1)
    seed: int = 0

    @model_validator(mode="after")
    def _same_content(self) -> "PerClass":
        if self.digest != self.inner.digest or self.test != self.inner.test:
            raise ValueError("digest and test are those of the inner source; make it with per_class()")
        return self

    def load(self) -> Arrays:
        """The cut examples. Raises what the inner source raises, UsageError if a class has fewer examples."""
        whole = self.inner.load()
        generator = stream(self.seed, "per class")
        rows = balanced_subset(whole.train_y, self.per_class, whole.classes, generator)
        if len(rows) != self.train:
            raise UsageError(
                f"{self.per_class} examples of {whole.classes} classes are {len(rows)}, not {self.train}"
            )
        return whole._replace(train_x=InMemory(whole.train_x.take(rows)), train_y=whole.train_y[rows])


def per_class(inner: Source, count: int, *, classes: int, seed: int = 0) -> Source:
    """`count` training examples of each of the `classes` classes of a source; the source itself if that is all of it.

    Raises UsageError if there are not so many.
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
