"""The table of operations, continued: what layers and losses are made of."""

from core.drawing import P, R, index
from core.op_table import Case, Dtype, Shape


def constant(ns, x):
    """A positive number per channel, that asks for no gradient."""
    return ns.linspace(0.5, 1.5, x.shape[1], dtype=x.dtype)


def functional(name, samples, title=None, **options):
    arguments = options.pop("arguments", {})
    call = lambda ns, *a: getattr(ns.nn.functional, name)(*a, **arguments)
    return Case(title or name, call, samples, dtypes="none", **options)


ROWS = [(R(4, 3), index(3, 4)), (R(1, 5), index(5, 1)), (R(3), index(3))]
PLANES = [(R(2, 3, 2, 2), index(3, 2, 2, 2)), (R(2, 3, 4), index(3, 2, 4))]
LOSSES = [
    functional("cross_entropy", [*ROWS, *PLANES]),
    functional("cross_entropy", [*ROWS, *PLANES], "cross_entropy sum", arguments={"reduction": "sum"}),
    functional("cross_entropy", [*ROWS, *PLANES], "cross_entropy none", arguments={"reduction": "none"}),
    functional("cross_entropy", [*ROWS[:2], *PLANES], "cross_entropy ignore", arguments={"ignore_index": 1}),
    functional("cross_entropy", [*ROWS, *PLANES], "cross_entropy smooth", arguments={"label_smoothing": 0.1}),
    functional(
        "cross_entropy", [(R(4, 3), P(4, 3)), (R(3), P(3)), (R(2, 3, 2), P(2, 3, 2))], "cross_entropy probabilities"
    ),
    Case(
        "cross_entropy weighted",
        lambda ns, x, t: ns.nn.functional.cross_entropy(x, t, constant(ns, x), label_smoothing=0.2, ignore_index=0),
        [(R(4, 3), index(3, 4)), (R(2, 3, 2, 2), index(3, 2, 2, 2))],
        dtypes="none",
    ),
    functional("nll_loss", [*ROWS, *PLANES]),
    functional("nll_loss", [*ROWS[:2], *PLANES], "nll_loss none", arguments={"reduction": "none", "ignore_index": 2}),
    functional("mse_loss", [(R(4, 3), R(4, 3)), (R(), R())]),
    functional("mse_loss", [(R(4, 3), R(4, 3))], "mse_loss sum", arguments={"reduction": "sum"}),
]
LAYERS = [
    functional(
        "linear",
        [
            (R(2, 3), R(4, 3)),
            (R(2, 3), R(4, 3), R(4)),
            (R(3), R(4, 3), R(4)),
            (R(2, 2, 3), R(4, 3), R(4)),
            (R(2, 3), R(3)),
            (R(0, 3), R(4, 3), R(4)),
        ],
        errors=[
            (lambda ns: ns.nn.functional.linear(ns.zeros(2, 3), ns.zeros(4, 3), ns.zeros(5)), Shape, ""),
            (lambda ns: ns.nn.functional.linear(ns.zeros(2, 3).double(), ns.zeros(4, 3)), Dtype, "same dtype"),
        ],
    ),
    functional(
        "conv2d",
        [(R(2, 2, 4, 4), R(3, 2, 2, 3)), (R(2, 4, 4), R(3, 2, 2, 3), R(3)), (R(0, 2, 4, 4), R(3, 2, 2, 2), R(3))],
    ),
    functional("conv2d", [(R(1, 4, 5, 5), R(4, 2, 3, 3), R(4), 2, 1, 1, 2)], "conv2d grouped"),
    functional("max_pool2d", [(R(2, 2, 4, 4), 2), (R(2, 5, 5), 3, 2, 1), (R(0, 2, 4, 4), 2)]),
    functional("avg_pool2d", [(R(2, 2, 4, 4), 2), (R(2, 5, 5), 3, 2, 1), (R(0, 2, 4, 4), 2)]),
    functional("unfold", [(R(2, 2, 4, 4), 2), (R(2, 2, 5, 4), (2, 3), 1, 1, 2)]),
    functional("fold", [(R(2, 8, 9), (4, 4), 2), (R(8, 9), (4, 4), 2)]),
    functional("pad", [(R(2, 3), (1, 2)), (R(2, 3), (1, 0, 0, 2), "constant", 1.5), (R(3, 4), (-1, 1))]),
    Case(
        "batch_norm training",
        lambda ns, x, w, b: ns.nn.functional.batch_norm(x, None, None, w, b, True),
        [(R(4, 2, 3, 3), P(2), R(2)), (R(5, 3), P(3), R(3)), (R(2, 3, 4), P(3), R(3))],
        dtypes="none",
    ),
    Case(
        "batch_norm plain",
        lambda ns, x: ns.nn.functional.batch_norm(x, None, None, training=True),
        [(R(4, 2, 3, 3),)],
        dtypes="none",
    ),
    Case(
        "batch_norm evaluation",
        lambda ns, x, w, b: ns.nn.functional.batch_norm(x, constant(ns, x) - 1, constant(ns, x), w, b),
        [(R(4, 2, 3, 3), P(2), R(2)), (R(0, 2, 3, 3), P(2), R(2))],
        dtypes="none",
    ),
]

NN = [*LOSSES, *LAYERS]
