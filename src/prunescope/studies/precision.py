"""The precision of training as a setting that every study has, whatever its own settings are.

Passes of training are computed in it; weights, their updates, and everything that is measured stay in float32.
"""

import types
from dataclasses import replace
from functools import cache
from typing import ClassVar, cast

from prunescope.base.value import Value
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.study import Study
from prunescope.studies.substitution import Substitution, substituted
from prunescope.training.loop import Precision

NOTE = (
    "Networks are trained with products and convolutions in {}; their weights and updates, and everything that is "
    "measured of them, are in float32."
)


class Trained(Value):
    """What is added to the settings of a study.

    precision: number format of the passes of training, float32 or bfloat16, which is faster where the processor has
        instructions for it and many times slower where it lacks them (`prunescope doctor`); it changes results.
    """

    added: ClassVar[frozenset[str]] = frozenset({"precision"})
    precision: Precision = "float32"


def with_precision(settings: Value, precision: Precision = "float32") -> Value:
    """The settings with one more; themselves if they have a setting of that name, which then is the study's affair."""
    if "precision" in type(settings).model_fields:
        return settings
    return _with_field(type(settings))(**(_fields(settings) | {"precision": precision}))


def without_precision(settings: Value) -> tuple[Value, Precision]:
    """The study's own settings, and the precision that was added to them."""
    if not isinstance(settings, Trained):
        return settings, "float32"
    fields = _fields(settings)
    precision = cast(Precision, fields.pop("precision"))
    return cast(type[Value], type(settings).__mro__[1])(**fields), precision


def in_precision(study: Study, precision: Precision) -> Study:
    """The study of networks that are trained in a precision; of those without training, nothing changes."""
    if precision == "float32":
        return study
    return replace(
        substituted(study, InPrecision(precision)),
        settings=with_precision(study.settings, precision),
        scale=f"{study.scale}; trained in {precision}" if study.scale else f"trained in {precision}",
        notes=(NOTE.format(precision), *study.notes),
    )


class InPrecision(Substitution):
    """Every recipe in another precision of training."""

    def __init__(self, precision: Precision) -> None:
        """precision: of all of them."""
        super().__init__()
        self.precision = precision

    def recipe(self, recipe: Recipe) -> Recipe:
        """The same recipe in the precision."""
        changed = self.rebuilt(recipe)
        assert isinstance(changed, Recipe)
        return changed.replace(precision=self.precision)


@cache
def _with_field(cls: type[Value]) -> type[Value]:
    """A class of settings with the fields of both, called as the first, whose name is in its ids."""
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    return cast(type[Value], types.new_class(cls.__name__, (cls, Trained), exec_body=lambda body: body.update(names)))


def _fields(settings: Value) -> dict[str, object]:
    return {name: getattr(settings, name) for name in type(settings).model_fields}
