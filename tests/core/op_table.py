"""The table of operations: one line each, from which test_ops.py makes all its tests.

`call(ns, *arguments)` is written once and runs with ns = minigrad and with ns = torch, which is the oracle.
"""

from dataclasses import dataclass, field

import minigrad
from core.drawing import B, P, R, U, above, index


@dataclass(frozen=True)
class Case:
    name: str
    call: object
    samples: list
    smooth: bool = True  # has gradients that finite differences confirm
    dtypes: str = "unary"  # which dtype test applies: unary, binary or none
    errors: list = field(default_factory=list)  # (call, exception, text)
    half: bool = True  # torch has it for float16 on the CPU with comparable rounding
    torch_gradient: bool = True  # PyTorch differentiates it too


UNARY = [(R(2, 3),), (R(),), (R(0, 3),)]
POSITIVE = [(P(2, 3),), (P(),), (P(0, 3),)]
BINARY = [
    (R(2, 3), R(2, 3)),
    (R(2, 3), R(3)),
    (R(2, 1), R(1, 3)),
    (R(), R(2)),
    (R(2), R()),
    (R(0, 3), R(1, 3)),
    (R(1), R(4, 2, 3)),
]
AXES = [(), (0,), (1,), (-1,), ((0, 1),), (1, True), ((0, 2), True)]


def named(name, samples, **options):
    return Case(name, lambda ns, *a: getattr(ns, name)(*a), samples, **options)


def operator(name, sign, **options):
    scope = {}
    exec(f"def call(ns, a, b): return a {sign} b", scope)
    return Case(name, scope["call"], BINARY, dtypes="binary", **options)


def reduction(name, **options):
    every = [(R(2, 3, 4), *axes) for axes in AXES] + [(R(),), (R(0, 3), 1), (R(3, 0), 0, True)]
    return named(name, every, **options)


Shape, Dtype = minigrad.ShapeError, minigrad.DtypeError
BROADCAST = (
    lambda ns: ns.zeros(2, 3) + ns.zeros(2, 4),
    Shape,
    "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1",
)

ARITHMETIC = [
    operator("add", "+", errors=[BROADCAST]),
    operator("sub", "-"),
    operator("mul", "*"),
    operator("div", "/"),
    Case("radd", lambda ns, a: 1.5 + a, UNARY),
    Case("rsub", lambda ns, a: 1.5 - a, UNARY),
    Case("rmul", lambda ns, a: a * 3, UNARY),
    Case("rdiv", lambda ns, a: 1.5 / a, UNARY),
    Case("div number", lambda ns, a: a / 4, UNARY),
    Case("add alpha", lambda ns, a, b: ns.add(a, b, alpha=2), BINARY, dtypes="binary"),
    Case("sub alpha", lambda ns, a, b: ns.sub(a, b, alpha=3), BINARY, dtypes="binary"),
    Case("div floor", lambda ns, a, b: ns.div(a, b, rounding_mode="floor"), BINARY, smooth=False, dtypes="binary"),
    Case("div trunc", lambda ns, a, b: ns.div(a, b, rounding_mode="trunc"), BINARY, smooth=False, dtypes="binary"),
    operator("floor_divide", "//", smooth=False, torch_gradient=False),
    operator("remainder", "%"),
    named("fmod", BINARY, dtypes="binary"),
    named("maximum", BINARY, dtypes="binary"),
    named("minimum", BINARY, dtypes="binary"),
    named("atan2", BINARY, dtypes="binary"),
    Case("pow", lambda ns, a, b: ns.pow(a, b), [(P(2, 3), R(2, 3)), (P(2, 1), R(3)), (P(0, 2), R(2))], dtypes="binary"),
    Case("square", lambda ns, a: a**2, UNARY),
    Case("cube", lambda ns, a: a**3, UNARY),
    Case("pow half", lambda ns, a: a**0.5, POSITIVE),
    Case("pow -1", lambda ns, a: a**-1.0, UNARY),
    Case("pow 0", lambda ns, a: a**0, UNARY),
    Case("number pow", lambda ns, a: 2.5**a, UNARY),
    Case("float64 pow", lambda ns, a: 2**a, UNARY),
    named("neg", UNARY),
    Case("axpy", lambda ns, a, x, y: a * x + y, [(R(), R(2, 3), R(3)), (R(2, 1), R(3), R(2, 3))]),
]

FUNCTIONS = (
    [
        named(name, samples)
        for samples, names in (
            (UNARY, "exp expm1 sin cos tan atan sinh cosh asinh sigmoid tanh abs relu"),
            (POSITIVE, "log log2 log10 log1p sqrt rsqrt reciprocal"),
            ([(U(2, 3),), (U(),), (U(0, 3),)], "asin acos atanh"),
            ([(above(2, 3),), (above(),)], "acosh"),
        )
        for name in names.split()
    ]
    + [
        named("floor", UNARY, smooth=False),
        named("ceil", UNARY, smooth=False),
        named("trunc", UNARY, smooth=False),
        named("round", UNARY, smooth=False),
        named("sign", UNARY, smooth=False),
        named("logical_not", UNARY, smooth=False),
        named("bitwise_not", [(index(9, 2, 3, low=-9),), (B(4),)], smooth=False),
        Case("round decimals", lambda ns, a: ns.round(a, decimals=1), UNARY, smooth=False),
        Case("clamp", lambda ns, a: ns.clamp(a, -1.0, 1.5), UNARY),
        Case("clamp low", lambda ns, a: ns.clamp(a, min=0.5), UNARY),
        Case("clamp high", lambda ns, a: ns.clamp(a, max=0), UNARY),
        Case(
            "clamp tensors",
            lambda ns, a, b: ns.clamp(a, b - 1, b + 1),
            [(R(2, 3), U(2, 3)), (R(2, 3), U(3))],
            errors=[(lambda ns: ns.clamp(ns.ones(2)), Shape, "At least one of 'min' or 'max' must not be None")],
        ),
        Case(
            "where",
            lambda ns, c, a, b: ns.where(c, a, b),
            [(B(2, 3), R(2, 3), R(3)), (B(3), R(2, 1), R()), (B(0), R(1), R(1))],
        ),
        Case("where number", lambda ns, c, a: ns.where(c, a, 2.0), [(B(2, 3), R(2, 3)), (B(3), R(2, 1))]),
        Case("Tensor.where", lambda ns, c, a: a.where(c, 0), [(B(2, 3), R(2, 3))]),
        Case("nonzero", lambda ns, c: ns.nonzero(c), [(B(2, 3),), (B(4),), (R(2),), (B(0, 3),)], smooth=False),
    ]
    + [
        operator(n, s, smooth=False)
        for n, s in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="))
    ]
    + [
        named(name, [(B(2, 3), B(3)), (R(2), B(2))], smooth=False, dtypes="binary")
        for name in ("logical_and", "logical_or", "logical_xor")
    ]
    + [
        Case(
            name, scope, [(B(2, 3), B(3)), (index(9, 2, 3, low=-9), index(9, 3, low=-9))], smooth=False, dtypes="binary"
        )
        for name, scope in (
            ("and", lambda ns, a, b: a & b),
            ("or", lambda ns, a, b: a | b),
            ("xor", lambda ns, a, b: a ^ b),
        )
    ]
)

REDUCTIONS = [
    reduction("sum"),
    reduction("mean"),
    reduction("amax"),
    reduction("amin"),
    Case("var", lambda ns, a, *d, **k: ns.var(a, *d, **k), [(R(2, 3, 4),), (R(2, 3), 1), (R(2, 3, 4), (0, 2))]),
    Case("var keepdim", lambda ns, a: ns.var(a, 1, keepdim=True), [(R(2, 3),), (R(3, 2, 2),)]),
    Case("var correction", lambda ns, a: ns.var(a, 0, correction=0), [(R(4, 3),)]),
    Case("var biased", lambda ns, a: ns.var(a, unbiased=False), [(R(4, 3),)]),
    Case("std", lambda ns, a, *d: ns.std(a, *d), [(R(2, 3, 4),), (R(2, 3), 1), (R(2, 3, 4), (0, 2))]),
    Case("var_mean", lambda ns, a: tuple(ns.var_mean(a, 1)), [(R(2, 3),)]),
    Case("std_mean", lambda ns, a: tuple(ns.std_mean(a, 1)), [(R(2, 3),)]),
    named("prod", [(R(2, 3),), (R(2, 3), 0), (R(2, 3), 1, True), (R(),), (R(0, 3),), (R(0, 3), 0)], half=False),
    named("cumsum", [(R(2, 3), 0), (R(2, 3), 1), (R(4), -1), (R(), 0), (R(0, 3), 0)]),
    named("cumprod", [(R(2, 3), 0), (R(2, 3), 1), (R(4), -1), (R(), 0), (R(0, 3), 0)], half=False),
    named("logsumexp", [(R(2, 3), 0), (R(2, 3), (0, 1)), (R(2, 3), 1, True), (R(0, 3), 0)]),
    named("max", [(R(2, 3),), (R(),)]),
    named("min", [(R(2, 3),), (R(),)]),
    Case("max dim", lambda ns, a, *d: tuple(ns.max(a, *d)), [(R(2, 3), 1), (R(2, 3), 0, True), (R(), 0), (R(0, 3), 1)]),
    Case("min dim", lambda ns, a, *d: tuple(ns.min(a, *d)), [(R(2, 3), 1), (R(2, 3), 0, True), (R(), 0)]),
    named("argmax", [(R(2, 3),), (R(2, 3), 1), (R(2, 3), 0, True), (R(),), (R(), 0)], smooth=False),
    named("argmin", [(R(2, 3),), (R(2, 3), 1), (R(2, 3), 0, True), (R(),)], smooth=False),
    named("any", [(B(2, 3),), (B(2, 3), 1), (R(2, 3), 0, True), (B(0, 3), 0)], smooth=False),
    named("all", [(B(2, 3),), (B(2, 3), 1), (R(2, 3), 0, True), (B(0, 3), 0)], smooth=False),
    named("count_nonzero", [(B(2, 3),), (B(2, 3), 1), (R(2, 3), 0)], smooth=False),
    Case(
        "norm", lambda ns, a, *d: ns.norm(a, *d), [(R(2, 3),), (R(2, 3), 2, 1), (R(2, 3), 1, 0), (R(2, 3), 3, 1, True)]
    ),
    Case("norm inf", lambda ns, a: ns.norm(a, float("inf"), 1), [(R(2, 3),)]),
    Case("norm -inf", lambda ns, a: ns.norm(a, -float("inf"), 1), [(R(2, 3),)]),
    Case("norm 0", lambda ns, a: ns.norm(a, 0, 1), [(R(2, 3),)], smooth=False),
    named("softmax", [(R(2, 3), 0), (R(2, 3), 1), (R(2, 3, 2), 1), (R(), 0), (R(0, 3), 1)], half=False),
    named("log_softmax", [(R(2, 3), 0), (R(2, 3), 1), (R(2, 3, 2), 1), (R(), 0), (R(0, 3), 1)], half=False),
]
