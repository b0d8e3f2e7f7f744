"""Element by element, second shelf: functions made of simpler ones, and a few with kernels of their own."""

from __future__ import annotations

import math
from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, div, mul, neg, sub
from minigrad.ops.base import Array, Binary, Grads, Tensor, Variable, as_array, backend_of, cast, wrap
from minigrad.ops.elementwise import Math, exp, log, log1p, sin
from minigrad.ops.logic import eq, ge, le, logical_and, logical_not, logical_or, lt, ne, sign, trunc, where
from minigrad.ops.power import absolute, clamp, pow
from minigrad.ops.shape import expand
from minigrad.return_types import KINDS


def floating(input: Tensor) -> Tensor:
    """The tensor itself, or its elements as default floating numbers if they are integers."""
    return cast(input, dtypes.default_numpy()) if input.array.dtype.kind in "iub" else input


class Exp2(Math):
    """2 ** x"""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.exp2(x)

    def backward(self, gy: Tensor) -> Grads:
        return mul(gy, mul(self.output(), math.log(2)))


class Copysign(Binary):
    """|a| with the sign of b; the slope at a = 0 is 0."""

    __slots__ = ()
    divides = True

    def forward(self, a: Array, b: Array) -> Array:
        return namespace(a, b).copysign(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        turned = where(
            eq(a, 0), 0.0, sign(mul(a, copysign(1.0, b) if isinstance(b, Variable) else math.copysign(1, b)))
        )
        return self.needs[0] and mul(gy, turned), self.needs[1] and mul(gy, 0.0)


class Hypot(Binary):
    """sqrt(a*a + b*b) without overflow on the way."""

    __slots__ = ()

    def forward(self, a: Array, b: Array) -> Array:
        return namespace(a, b).hypot(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        y = Hypot().apply(a, b)
        return self.needs[0] and mul(gy, div(a, y)), self.needs[1] and mul(gy, div(b, y))


class Fmax(Binary):
    """The larger of both; a number beats NaN, the first of equals takes the gradient."""

    __slots__ = ()

    def forward(self, a: Array, b: Array) -> Array:
        return namespace(a, b).fmax(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        first = logical_or(ge(a, b), ne(b, b))
        return self.needs[0] and where(first, gy, 0.0), self.needs[1] and where(first, 0.0, gy)


class Fmin(Binary):
    """The smaller of both; a number beats NaN, the first of equals takes the gradient."""

    __slots__ = ()

    def forward(self, a: Array, b: Array) -> Array:
        return namespace(a, b).fmin(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        first = logical_or(le(a, b), ne(b, b))
        return self.needs[0] and where(first, gy, 0.0), self.needs[1] and where(first, 0.0, gy)


class Logaddexp(Binary):
    """log(exp(a) + exp(b)) without overflow."""

    __slots__ = ()

    def forward(self, a: Array, b: Array) -> Array:
        return namespace(a, b).logaddexp(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        same = eq(a, b)  # two equal infinities share, too: inf - inf would be nan
        d = where(same, 0.0, sub(b, a))
        return self.needs[0] and div(gy, add(exp(d), 1)), self.needs[1] and div(gy, add(exp(neg(d)), 1))


def namespace(a: Any, b: Any) -> Any:
    """The array namespace of two operands, one of which may be a number."""
    return backend_of(a if hasattr(a, "dtype") else b).xp


def _stepping(label: str, text: str, compute: Any, whole: bool = False) -> type[Binary]:
    """A function of two tensors through which no gradient flows."""

    def forward(self: Binary, a: Array, b: Array) -> Array:
        if whole and (a if hasattr(a, "dtype") else b).dtype.kind not in "iu":
            raise DtypeError(f'"{label.lower()}" not implemented for {dtypes.of(a if hasattr(a, "dtype") else b)}')
        return compute(namespace(a, b), a, b)

    return type(
        label, (Binary,), {"__slots__": (), "compares": True, "keeps": False, "forward": forward, "__doc__": text}
    )


Heaviside = _stepping(
    "Heaviside", "0 below 0, 1 above, b at 0.", lambda xp, a, b: xp.where(a == 0, b, (a > 0).astype(a.dtype))
)
Nextafter = _stepping("Nextafter", "The number after a on the way to b.", lambda xp, a, b: xp.nextafter(a, b))
Gcd = _stepping("Gcd", "The greatest common divisor.", lambda xp, a, b: xp.gcd(a, b), True)
Lcm = _stepping("Lcm", "The least common multiple.", lambda xp, a, b: xp.lcm(a, b), True)
LeftShift = _stepping("Bitwise_left_shift", "a * 2**b", lambda xp, a, b: xp.left_shift(a, b), True)
RightShift = _stepping("Bitwise_right_shift", "a // 2**b", lambda xp, a, b: xp.right_shift(a, b), True)


def exp2(input: Tensor) -> Tensor:
    """2 ** input"""
    return Exp2().apply(input)


def copysign(input: Tensor, other: Tensor | float) -> Tensor:
    """|input| with the sign of other."""
    if not isinstance(input, Variable):
        like: Any = other
        input = wrap(backend_of(like.array).xp.asarray(input, dtype=like.array.dtype))
    return Copysign().apply(input, other)


def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input**2 + other**2) without overflow on the way."""
    return Hypot().apply(input, other)


def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of both; a number beats NaN."""
    return Fmax().apply(input, other)


def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of both; a number beats NaN."""
    return Fmin().apply(input, other)


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)) without overflow."""
    return Logaddexp().apply(input, other)


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2**input + 2**other) without overflow."""
    two = math.log(2)
    return div(Logaddexp().apply(mul(input, two), mul(other, two)), two)


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 where input < 0, 1 where input > 0, values where it is 0."""
    if input.array.dtype != values.array.dtype:
        raise DtypeError("heaviside is not yet implemented for tensors with different dtypes.")
    return Heaviside().apply(input, values)


def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next floating-point number after input in the direction of other."""
    return Nextafter().apply(input, other)


def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor of integers."""
    return Gcd().apply(input, other)


def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple of integers."""
    return Lcm().apply(input, other)


def bitwise_left_shift(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input * 2**other, for integers."""
    return LeftShift().apply(input, other)


def bitwise_right_shift(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input // 2**other, for integers."""
    return RightShift().apply(input, other)


def square(input: Tensor) -> Tensor:
    """input ** 2"""
    return pow(input, 2)


def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    if input.array.dtype.kind == "b":
        raise DtypeError("The `+` operator, on a bool tensor is not supported.")
    return input


def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input"""
    return sub(other, mul(input, alpha) if alpha != 1 else input)


def frac(input: Tensor) -> Tensor:
    """What is left of the whole part: input - trunc(input)."""
    return sub(input, trunc(input))


def sgn(input: Tensor) -> Tensor:
    """-1, 0 or 1."""
    return sign(input)


def float_power(input: Any, exponent: Any) -> Tensor:
    """input ** exponent in double precision."""
    double = dtypes.float64.numpy
    input, exponent = (cast(v, double) if isinstance(v, Variable) else float(v) for v in (input, exponent))
    return pow(input, exponent)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 * tensor2"""
    product = mul(tensor1, tensor2)
    return add(input, product if value == 1 else mul(product, value))


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 / tensor2"""
    if tensor1.array.dtype.kind in "iub" and tensor2.array.dtype.kind in "iub":
        raise DtypeError(
            "Integer division with addcdiv is no longer supported, and in a future release addcdiv will perform a true "
            "division of tensor1 and tensor2."
        )
    quotient = div(tensor1, tensor2)
    return add(input, quotient if value == 1 else mul(quotient, value))


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input), counted from the nearer side."""
    if isinstance(end, Variable) and end.array.dtype != input.array.dtype:
        raise DtypeError(f"expected dtype {dtypes.of(input.array)} for `end`, but got dtype {dtypes.of(end.array)}")
    way = sub(end, input)
    if isinstance(weight, Variable):
        near = lt(absolute(weight), 0.5)
        return where(near, add(input, mul(weight, way)), sub(end, mul(way, sub(1, weight))))
    return add(input, mul(way, weight)) if abs(weight) < 0.5 else sub(end, mul(way, 1 - weight))


def xlogy(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input * log(other), and 0 where input is 0 whatever the logarithm."""
    return _times_log(input, other, log)


def xlog1py(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input * log(1 + other), and 0 where input is 0 whatever the logarithm."""
    return _times_log(input, other, log1p)


def _times_log(input: Any, other: Any, logarithm: Any) -> Tensor:
    if not isinstance(other, Variable):
        if not isinstance(input, Variable):
            raise TypeError(
                f"xlogy(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}: got {input!r}"
            )
        number = floating(input).array.dtype if other.__class__ is not complex else None
        other = wrap(backend_of(input.array).xp.asarray(other, dtype=number))
    wanted = dtypes.result_numpy(tuple(v.array if isinstance(v, Variable) else v for v in (input, other)))
    wanted = dtypes.default_numpy() if wanted.kind in "iub" else wanted
    other = cast(other, wanted)
    no_number = ne(other, other)
    empty = logical_and(eq(input, 0) if isinstance(input, Variable) else eq(other, other), True)
    if not isinstance(input, Variable):
        empty = logical_and(empty, input == 0)
    edge = 0.0 if logarithm is log else -1.0
    # Where the input is 0 and the logarithm is not finite, 1 stands in for it: no 0 * inf, forward or backward.
    flat = logical_and(empty, le(other, edge))
    safe = where(flat, 1.0 + edge, other)
    product = mul(input, logarithm(safe))
    return where(logical_and(empty, logical_not(no_number)), mul(product, 1.0), product)


def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2 ** other, in the floating type of the two; integers as default floating numbers."""
    if other.array.dtype.kind == "b" and input.array.dtype.kind not in "iub":
        raise DtypeError("ldexp(): \"ldexp\" not implemented for 'bool', the dtype of argument 'other'")
    wanted = dtypes.result_numpy((input.array, other.array))
    wanted = dtypes.default_numpy() if wanted.kind in "iub" else wanted
    return mul(cast(input, wanted), pow(2.0, cast(other, wanted)))


def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0."""
    angle = mul(floating(input), math.pi)
    zero = eq(angle, 0)
    safe = where(zero, 1.0, angle)
    return where(zero, 1.0, div(sin(safe), safe))


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), with x limited to [eps, 1 - eps]; nan outside [0, 1] without eps."""
    x = floating(input)
    if eps is not None:
        x = clamp(x, eps, 1 - eps)
    return log(div(x, sub(1, x)))


def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""
    return mul(floating(input), math.pi / 180)


def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
    return mul(floating(input), 180 / math.pi)


def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Finite numbers in place of NaN (0) and infinities (the largest number of the type)."""
    x = input.array
    if x.dtype.kind in "iub":
        return input.clone()
    limits = dtypes.finfo(dtypes.of(x))
    y = where(ne(input, input), 0.0 if nan is None else float(nan), input)
    y = where(isposinf(input), limits.max if posinf is None else float(posinf), y)
    return where(isneginf(input), limits.min if neginf is None else float(neginf), y)


def clamp_min(input: Tensor, min: Tensor | float) -> Tensor:
    """Values below `min` become `min`."""
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Tensor | float) -> Tensor:
    """Values above `max` become `max`."""
    return clamp(input, max=max)


def fill(input: Tensor, value: Tensor | complex) -> Tensor:
    """A tensor of this shape and type with one number everywhere."""
    if isinstance(value, Variable):
        if value.array.ndim:
            raise ShapeError(
                f"fill only supports 0-dimension value tensor but got tensor with {value.array.ndim} dimensions."
            )
        return expand(cast(value, input.array.dtype), input.array.shape).clone()
    blank = wrap(backend_of(input.array).xp.full(input.array.shape, value, input.array.dtype))
    everywhere = wrap(backend_of(input.array).xp.ones((), bool))
    return where(everywhere, blank, input)


def _told(answer: Any, input: Tensor) -> Tensor:
    """An answer per element, as a tensor."""
    return wrap(as_array(answer, input.array))


def isnan(input: Tensor) -> Tensor:
    """Whether an element is not a number."""
    return ne(input, input)


def isinf(input: Tensor) -> Tensor:
    """Whether an element is infinite."""
    return eq(absolute(input), math.inf) if input.array.dtype.kind == "f" else ne(input, input)


def isposinf(input: Tensor) -> Tensor:
    """Whether an element is +inf."""
    return eq(input, math.inf)


def isneginf(input: Tensor) -> Tensor:
    """Whether an element is -inf."""
    return eq(input, -math.inf)


def isfinite(input: Tensor) -> Tensor:
    """Whether an element is neither infinite nor NaN."""
    return eq(mul(input, 0), 0) if input.array.dtype.kind != "b" else eq(input, input)


def isreal(input: Tensor) -> Tensor:
    """Whether an element has no imaginary part."""
    return _told(backend_of(input.array).xp.isreal(input.array), input)


def signbit(input: Tensor) -> Tensor:
    """Whether an element is negative; -0.0 counts."""
    x = input.array
    return lt(input, 0) if x.dtype.kind in "iub" else _told(backend_of(x).xp.signbit(x), input)


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether elements are near each other: |input - other| <= atol + rtol * |other|."""
    if input.array.dtype != other.array.dtype:
        raise DtypeError(f"{dtypes.of(input.array)} did not match {dtypes.of(other.array)}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            raise ShapeError(f"isclose(): {name} must be greater than or equal to zero, but got {value}")
    return _told(backend_of(input.array).xp.isclose(input.array, other.array, rtol, atol, equal_nan), input)


def frexp(input: Tensor) -> Any:
    """Mantissa in [0.5, 1) and exponent: input = mantissa * 2 ** exponent."""
    x = input.array
    if x.dtype.kind == "V":  # bfloat16 is computed as float32
        mantissa, whole = frexp(cast(input, dtypes.float32.numpy))
        return KINDS["frexp"](cast(mantissa, x.dtype), whole)
    if x.dtype.kind != "f":
        raise DtypeError(f"frexp() only supports floating-point dtypes, but got {dtypes.of(x)}")
    xp = backend_of(x).xp
    exponent = as_array(xp.frexp(x)[1], x).astype("int32")
    # In two steps: 2**1074 itself would be infinite.
    half = exponent // 2

    def powers(n: Array) -> Tensor:
        return wrap(as_array(xp.exp2(n.astype(x.dtype)), x))

    scaled = mul(mul(input, powers(-half)), powers(half - exponent))
    return KINDS["frexp"](scaled, wrap(exponent))
