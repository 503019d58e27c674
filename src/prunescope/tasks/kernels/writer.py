"""Loads, stores and arithmetic on a block of columns, in LLVM's language.

Belongs here: what a loop's body is made of. Does not belong here: what any loop computes (`sparse_code.py`).
"""

from typing import Any

from prunescope.tasks.kernels.jit import FAST

LANES = 16
"""Columns in a vector; a processor with shorter ones takes several."""


class Writer:
    """Loads, stores and arithmetic on one block of columns; only the smallest block has lanes that may be empty."""

    def __init__(self, ir: Any, builder: Any, block: int) -> None:
        self.ir, self.b, self.block = ir, builder, block
        self.i64, self.i32, self.f32 = ir.IntType(64), ir.IntType(32), ir.FloatType()
        self.count, self.vector = block // LANES, ir.VectorType(self.f32, LANES)
        self.filled: Any = None
        self.zero = ir.Constant(self.vector, [0.0] * LANES)

    def fill(self, columns: Any) -> None:
        """From here on only so many columns of the block are there: more than it has are as good as all."""
        if self.count > 1:
            return
        lanes = self.ir.Constant(self.ir.VectorType(self.i64, LANES), list(range(LANES)))
        self.filled = self.b.icmp_signed("<", lanes, self.splat(columns, self.i64))

    def place(self, base: Any, index: Any, kind: Any, size: int = 4) -> Any:
        """A pointer to element `index` of an array of `size` bytes an element at the address `base`."""
        return self.b.inttoptr(self.b.add(base, self.b.mul(index, self.i64(size))), kind.as_pointer())

    def integer(self, base: Any, index: Any) -> Any:
        """An int32 as int64."""
        return self.b.sext(self.b.load(self.place(base, index, self.i32)), self.i64)

    def byte(self, base: Any, index: Any) -> Any:
        """A byte, 0 to 255, as int64."""
        return self.b.zext(self.b.load(self.place(base, index, self.ir.IntType(8), size=1)), self.i64)

    def number(self, base: Any, index: Any) -> Any:
        """A float32."""
        return self.b.load(self.place(base, index, self.f32))

    def row(self, base: Any, index: Any) -> list[Any]:
        """The vectors of the block that starts at element `index`; 0 in lanes that are empty."""
        places = self._places(base, index)
        if self.filled is None:
            return [self.b.load(place, align=4) for place in places]
        return [self._masked_load(place, self.zero, "f32") for place in places]

    def integers(self, base: Any, index: Any) -> Any:
        """A vector of int64; 0 in lanes that are empty."""
        kind = self.ir.VectorType(self.i64, LANES)
        return self._masked_load(
            self.place(base, index, kind, size=8), self.ir.Constant(kind, [0] * LANES), "i64"
        )

    def _masked_load(self, place: Any, empty: Any, name: str) -> Any:
        kind = self.ir.FunctionType(empty.type, [place.type, self.i32, self.filled.type, empty.type])
        load = self._intrinsic(f"llvm.masked.load.v{LANES}{name}.p0", kind)
        return self.b.call(load, [place, self.i32(4), self.filled, empty])

    def put(self, base: Any, index: Any, values: list[Any]) -> None:
        """Stores the vectors of a block, but not what is in empty lanes."""
        places = self._places(base, index)
        if self.filled is None:
            for place, value in zip(places, values, strict=True):
                self.b.store(value, place, align=4)
            return
        kind = self.ir.FunctionType(
            self.ir.VoidType(), [self.vector, self.vector.as_pointer(), self.i32, self.filled.type]
        )
        store = self._intrinsic(f"llvm.masked.store.v{LANES}f32.p0", kind)
        for place, value in zip(places, values, strict=True):
            self.b.call(store, [value, place, self.i32(4), self.filled])

    def _places(self, base: Any, index: Any) -> list[Any]:
        starts = [self.b.add(index, self.i64(LANES * i)) for i in range(self.count)]
        return [self.place(base, start, self.vector) for start in starts]

    def splat(self, number: Any, kind: Any = None) -> Any:
        """A number in every lane."""
        vector = self.ir.VectorType(kind or self.f32, LANES)
        first = self.b.insert_element(self.ir.Constant(vector, self.ir.Undefined), number, self.i32(0))
        mask = self.ir.Constant(self.ir.VectorType(self.i32, LANES), [0] * LANES)
        return self.b.shuffle_vector(first, first, mask)

    def fma(self, left: Any, right: Any, onto: Any) -> Any:
        """Left * right + onto, rounded once."""
        kind = self.ir.FunctionType(self.vector, [self.vector] * 3)
        return self.b.call(self._intrinsic(f"llvm.fma.v{LANES}f32", kind), [left, right, onto])

    def where_positive(self, condition: Any, value: Any) -> Any:
        """`value` where `condition` > 0 or is not a number, else 0."""
        return self.b.select(self.b.fcmp_unordered(">", condition, self.zero), value, self.zero)

    def larger(self, left: Any, right: Any) -> Any:
        """The larger of two; what is not a number comes through from the right."""
        return self.b.select(self.b.fcmp_ordered(">", left, right), left, right)

    def call(self, name: str, value: Any) -> Any:
        """A function of one variable, in every lane."""
        kind = self.ir.FunctionType(self.vector, [self.vector])
        return self.b.call(self._intrinsic(f"llvm.{name}.v{LANES}f32", kind), [value])

    def total(self, vectors: list[Any]) -> Any:
        """The sum over all lanes of all vectors."""
        while len(vectors) > 1:
            half = len(vectors) // 2
            pairs = zip(vectors[:half], vectors[half:], strict=True)
            vectors = [self.b.fadd(one, other, flags=FAST) for one, other in pairs]
        kind = self.ir.FunctionType(self.f32, [self.f32, self.vector])
        reduce = self._intrinsic(f"llvm.vector.reduce.fadd.v{LANES}f32", kind)
        return self.b.call(reduce, [self.f32(0.0), vectors[0]], fastmath=FAST)

    def _intrinsic(self, name: str, kind: Any) -> Any:
        module = self.b.module
        return module.globals.get(name) or self.ir.Function(module, kind, name)
