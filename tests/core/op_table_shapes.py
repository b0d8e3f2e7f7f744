"""The table of operations, continued: those that move, pick, join and multiply."""

from core.drawing import B, R, index, permutation
from core.op_table import ARITHMETIC, FUNCTIONS, REDUCTIONS, UNARY, Case, Dtype, Shape, named

SHAPES = [
    named(
        "reshape",
        [(R(2, 3), (3, 2)), (R(2, 3), (-1,)), (R(), (1, 1)), (R(0, 3), (3, 0)), (R(2, 6), (2, -1, 3))],
        errors=[
            (lambda ns: ns.zeros(6).reshape(4), Shape, "shape '[4]' is invalid for input of size 6"),
            (lambda ns: ns.zeros(6).reshape(-1, -1), Shape, "only one dimension can be inferred"),
        ],
    ),
    Case("view", lambda ns, a, *s: a.view(*s), [(R(2, 3), 3, 2), (R(2, 3), -1), (R(4), 2, 2)]),
    named("flatten", [(R(2, 3, 4),), (R(2, 3, 4), 1), (R(2, 3, 4), 0, 1), (R(),), (R(0, 3),)]),
    named("unflatten", [(R(6, 2), 0, (2, 3)), (R(2, 6), 1, (-1, 2))]),
    named("permute", [(R(2, 3, 4), (2, 0, 1)), (R(2, 3), (-1, 0)), (R(), ())]),
    named("transpose", [(R(2, 3), 0, 1), (R(2, 3, 4), 0, -1), (R(0, 3), 0, 1)]),
    named("t", [(R(2, 3),), (R(3),), (R(),)]),
    Case("T", lambda ns, a: a.T, [(R(2, 3),)]),
    Case("mT", lambda ns, a: a.mT, [(R(2, 3, 4),)]),
    named("movedim", [(R(2, 3, 4), 0, 2), (R(2, 3, 4), (0, 1), (2, 0))]),
    named("squeeze", [(R(1, 3, 1),), (R(1, 3, 1), 0), (R(1, 3, 1), 1), (R(1, 3, 1), (0, 2)), (R(),)]),
    named("unsqueeze", [(R(2, 3), 0), (R(2, 3), -1), (R(), 0), (R(0, 3), 1)]),
    Case(
        "expand",
        lambda ns, a, *s: a.expand(*s),
        [(R(2, 1), 2, 3), (R(3), 2, 3), (R(1, 3), -1, 3), (R(), 2, 2)],
        errors=[
            (
                lambda ns: ns.zeros(2, 3).expand(2, 4),
                Shape,
                "The expanded size of the tensor (4) must match the existing size (3) at non-singleton dimension 1",
            )
        ],
    ),
    named("broadcast_to", [(R(2, 1), (2, 3)), (R(3), (2, 3))]),
    Case(
        "sum_to_size",
        lambda ns, a, *s: a.sum_to_size(*s),
        [(R(2, 3), 1, 3), (R(2, 3), 3), (R(2, 3), 2, 3), (R(4, 2, 3), 2, 1)],
    ),
    named("narrow", [(R(4, 3), 0, 1, 2), (R(4, 3), 1, -2, 2), (R(4, 3), 0, 4, 0)]),
    named("flip", [(R(2, 3), (0,)), (R(2, 3), (0, 1)), (R(0, 3), (1,))]),
    named("roll", [(R(2, 3), 1, 0), (R(2, 3), 2), (R(2, 3), (1, -1), (0, 1))]),
    named("clone", UNARY),
    Case("contiguous", lambda ns, a: a.t().contiguous(), [(R(2, 3),)]),
    Case(
        "cat",
        lambda ns, *v: ns.cat(v),
        [(R(2, 3), R(1, 3)), (R(2, 3),), (R(0, 3), R(2, 3)), (R(2, 3), R(0))],
        dtypes="binary",
        errors=[
            (
                lambda ns: ns.cat([ns.zeros(2, 3), ns.zeros(2, 4)]),
                Shape,
                "Sizes of tensors must match except in dimension 0. "
                "Expected size 3 but got size 4 for tensor number 1 in the list.",
            ),
            (
                lambda ns: ns.cat([ns.zeros(()), ns.zeros(2)]),
                Shape,
                "zero-dimensional tensor (at position 0) cannot be concatenated",
            ),
        ],
    ),
    Case("cat 1", lambda ns, *v: ns.cat(v, 1), [(R(2, 3), R(2, 1)), (R(2, 3), R(2, 2), R(2, 1))]),
    Case("cat twice", lambda ns, a: ns.cat([a, a], -1), [(R(2, 3),)]),
    Case(
        "stack",
        lambda ns, *v: ns.stack(v),
        [(R(2, 3), R(2, 3)), (R(), R())],
        errors=[
            (
                lambda ns: ns.stack([ns.zeros(2), ns.zeros(3)]),
                Shape,
                "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1",
            )
        ],
    ),
    Case("stack -1", lambda ns, *v: ns.stack(v, -1), [(R(2, 3), R(2, 3))]),
    Case("split", lambda ns, a, *s: tuple(ns.split(a, *s)), [(R(5, 2), 2), (R(5, 2), [1, 4]), (R(2, 4), 3, 1)]),
    Case("chunk", lambda ns, a, *s: tuple(ns.chunk(a, *s)), [(R(5, 2), 2), (R(5, 2), 3), (R(2, 4), 3, 1)]),
    Case("unbind", lambda ns, a, *s: tuple(ns.unbind(a, *s)), [(R(3, 2),), (R(3, 2), 1)]),
    Case("repeat", lambda ns, a, *s: a.repeat(*s), [(R(2, 3), 2, 1), (R(3), 2, 2), (R(2), 0)]),
    named("tile", [(R(2, 3), (2,)), (R(2, 3), (2, 1, 2))]),
    named("diagonal", [(R(3, 4),), (R(3, 4), 1), (R(3, 4), -1), (R(2, 3, 4), 0, 0, 2), (R(3, 4), 5)]),
]

INDEXING = [
    Case(f"[{text}]", eval(f"lambda ns, a: a[{text}]"), [(R(*shape),)])
    for text, shape in (
        ("1", (3, 4)),
        ("-1", (3, 4)),
        ("1:", (3, 4)),
        ("::2", (5, 2)),
        (":, 1", (3, 4)),
        ("..., 1:3", (2, 3, 4)),
        ("None", (3,)),
        (":, None, 1", (3, 4)),
        ("1, 2", (3, 4)),
        ("...", (3,)),
        ("5:2", (3, 4)),
        ("[0, 2, 0]", (3, 4)),
        ("[0, 2], [1, 1]", (3, 4)),
        (":, [1, 0, 1]", (3, 4)),
        ("[0, 1], :, [1, 0]", (2, 3, 4)),
        ("1, :, [0, 1]", (2, 3, 4)),
        ("[-1, 0], 1:3", (3, 4)),
        ("None, [0, 1]", (3, 4)),
        ("..., [1, 2]", (2, 3, 4)),
        ("True", (3,)),
        ("False", (3,)),
        ("[]", (3, 4)),
        ("0", (3,)),
        ("()", (2,)),
    )
] + [
    Case("[mask]", lambda ns, a, m: a[m], [(R(2, 3), B(2, 3)), (R(2, 3), B(2)), (R(0, 3), B(0, 3))]),
    Case("[:, mask]", lambda ns, a, m: a[:, m], [(R(2, 3), B(3)), (R(2, 3, 2), B(3, 2))]),
    Case("[tensor]", lambda ns, a, i: a[i], [(R(4, 3), index(4, 5)), (R(4, 3), index(4, 2, 2)), (R(4, 3), index(4))]),
    Case(
        "[tensors]",
        lambda ns, a, i, j: a[i, j],
        [(R(4, 3), index(4, 5), index(3, 5)), (R(4, 3), index(4, 2, 1), index(3, 3))],
    ),
    Case("[tensor, slice]", lambda ns, a, i: a[i, 1:], [(R(4, 3), index(4, 5))]),
    named(
        "gather",
        [(R(3, 4), 0, index(3, 2, 4)), (R(3, 4), 1, index(4, 3, 6)), (R(3, 4), 1, index(4, 2, 2)), (R(), 0, index(1))],
        errors=[
            (
                lambda ns: ns.gather(ns.zeros(2, 2), 0, ns.tensor([[5]])),
                IndexError,
                "index 5 is out of bounds for dimension 0 with size 2",
            )
        ],
    ),
    named("take_along_dim", [(R(3, 4), index(4, 3, 1), 1), (R(3, 4), index(12, 5))]),
    named("index_select", [(R(3, 4), 0, index(3, 5)), (R(3, 4), 1, index(4, 2))]),
    named("take", [(R(3, 4), index(12, 5)), (R(3, 4), index(12, 2, 2))]),
    named("scatter", [(R(3, 4), 0, permutation(3, 1), R(3, 1)), (R(3, 4), 1, permutation(1, 3), R(1, 3))]),
    Case(
        "scatter part", lambda ns, *a: ns.scatter(*a), [(R(3, 4), 1, permutation(1, 4), R(2, 4))], torch_gradient=False
    ),
    Case("scatter value", lambda ns, a, i: ns.scatter(a, 1, i, 2.5), [(R(3, 4), permutation(1, 3))]),
    named("scatter_add", [(R(3, 4), 0, index(3, 5, 4), R(5, 4)), (R(3, 4), 1, index(4, 2, 3), R(2, 3))]),
    Case(
        "scatter_add part",
        lambda ns, *a: ns.scatter_add(*a),
        [(R(3, 4), 1, index(4, 2, 3), R(3, 4))],
        torch_gradient=False,
    ),
    named("index_add", [(R(3, 4), 0, index(3, 5), R(5, 4)), (R(3, 4), 1, index(4, 2), R(3, 2))]),
    named("index_fill", [(R(3, 4), 1, index(4, 2), 1.5)]),
    named(
        "masked_fill",
        [(R(2, 3), B(2, 3), 1.5), (R(2, 3), B(3), -1)],
        errors=[
            (lambda ns: ns.masked_fill(ns.zeros(2), ns.zeros(2), 1.0), Dtype, "masked_fill only supports boolean masks")
        ],
    ),
    Case("masked_fill tensor", lambda ns, a, m, v: ns.masked_fill(a, m, v), [(R(2, 3), B(2, 3), R())]),
    named("masked_select", [(R(2, 3), B(2, 3)), (R(2, 3), B(3))]),
]

PRODUCTS = [
    named(
        "matmul",
        [
            (R(2, 3), R(3, 4)),
            (R(3), R(3)),
            (R(2, 3), R(3)),
            (R(3), R(3, 2)),
            (R(2, 2, 3), R(3, 4)),
            (R(2, 2, 3), R(2, 3, 4)),
            (R(2, 1, 2, 3), R(3, 3, 2)),
            (R(3), R(2, 3, 2)),
            (R(2, 2, 3), R(3)),
            (R(0, 3), R(3, 2)),
            (R(2, 0), R(0, 3)),
            (R(0, 2, 3), R(3, 2)),
        ],
        dtypes="product",
        half=False,
        errors=[
            (
                lambda ns: ns.zeros(2, 3) @ ns.zeros(4, 5),
                Shape,
                "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
            ),
            (lambda ns: ns.zeros(2, 3) @ ns.zeros(3, 5, dtype=ns.float64), Dtype, "to have the same dtype, but got"),
            (lambda ns: ns.zeros(()) @ ns.zeros(3), Shape, "both arguments to matmul need to be at least 1D"),
        ],
    ),
    named("mm", [(R(2, 3), R(3, 4))]),
    named("bmm", [(R(2, 2, 3), R(2, 3, 4)), (R(0, 2, 3), R(0, 3, 4))]),
    named("mv", [(R(2, 3), R(3))]),
    named("dot", [(R(3), R(3)), (R(0), R(0))]),
    named("outer", [(R(2), R(3))]),
    named("addmm", [(R(2, 4), R(2, 3), R(3, 4)), (R(4), R(2, 3), R(3, 4))]),
    Case("addmm scaled", lambda ns, c, a, b: ns.addmm(c, a, b, beta=0.5, alpha=2), [(R(4), R(2, 3), R(3, 4))]),
    named("baddbmm", [(R(2, 2, 4), R(2, 2, 3), R(2, 3, 4))]),
    named("tensordot", [(R(2, 3, 4), R(3, 4, 2), 2), (R(2, 3, 4), R(4, 3), ([1, 2], [1, 0]))]),
    *[
        Case(f"einsum {text}", eval(f"lambda ns, *v: ns.einsum({text!r}, *v)"), [shapes])
        for text, shapes in (
            ("ij,jk->ik", (R(2, 3), R(3, 4))),
            ("bij,bjk->bik", (R(2, 2, 3), R(2, 3, 2))),
            ("ij->ji", (R(2, 3),)),
            ("ij->", (R(2, 3),)),
            ("ii->i", (R(3, 3),)),
            ("ii", (R(3, 3),)),
            ("ij,ij->i", (R(2, 3), R(2, 3))),
            ("i,j", (R(2), R(3))),
            ("...ij,...jk->...ik", (R(2, 2, 3), R(3, 2))),
            ("ij,jk,kl->il", (R(2, 3), R(3, 2), R(2, 4))),
            ("ij,kj->", (R(2, 3), R(4, 3))),
            ("bi,bi->b", (R(2, 3), R(1, 3))),
            ("ij,j", (R(2, 3), R(3))),
            ("i->", (R(3),)),
        )
    ],
]

TABLE = [*ARITHMETIC, *FUNCTIONS, *REDUCTIONS, *SHAPES, *INDEXING, *PRODUCTS]
