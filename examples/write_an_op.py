"""A new operation from nothing: a class, a door, and the proof that its derivative is right.

    python examples/write_an_op.py

The operation is snake(x) = x + sin(a*x)**2 / a, which grows like x and repeats itself like a sine.
Source: Ziyin, Hartwig and Ueda, "Neural Networks Fail to Learn Periodic Functions and How to Fix It" (2020).
"""

from __future__ import annotations

import minigrad
from minigrad.autograd import gradcheck, gradgradcheck
from minigrad.ops.arithmetic import add, mul
from minigrad.ops.base import Array, Grads, Tensor, Unary, backend_of
from minigrad.ops.elementwise import sin

# 1. The class: forward on arrays, backward on tensors, side by side.


class Snake(Unary):
    """x + sin(a*x)**2 / a; its derivative is 1 + sin(2*a*x)."""

    __slots__ = ("a",)  # an op is small: no dictionary

    def __init__(self, a: float) -> None:
        self.a = a

    def forward(self, x: Array) -> Array:
        xp = backend_of(x).xp  # NumPy or CuPy: the op does not care
        return x + xp.sin(self.a * x) ** 2 / self.a

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        # Written with operations, not with arrays: so this line can be differentiated in its turn.
        return mul(gy, add(sin(mul(x, 2 * self.a)), 1.0))


# 2. The door: what users call. It checks once, in their words.


def snake(input: Tensor, a: float = 1.0) -> Tensor:
    """x + sin(a*x)**2 / a, element by element."""
    if a <= 0:
        raise minigrad.ShapeError(f"snake(): a should be greater than zero, but got a={a}")
    return Snake(a).apply(input)


# 3. The proof: finite differences confirm the first derivative and the second. In the project itself, a line in
#    tests/core/op_table.py asks for this and more: every backend, every layout, PyTorch's numbers.


def main() -> None:
    """Check the op, then use it."""
    minigrad.manual_seed(0)
    x = minigrad.randn(4, 3, dtype=minigrad.float64, requires_grad=True)
    print("gradcheck:", gradcheck(lambda x: snake(x, 1.5), (x,)))
    print("gradgradcheck:", gradgradcheck(lambda x: snake(x, 1.5), (x,)))

    # It is an op like any other. Here gradient descent finds by how much a curve was shifted.
    t = minigrad.linspace(-3, 3, 200)
    goal = snake(t + 0.5, a=2.0)
    shift = minigrad.zeros(1, requires_grad=True)
    for _ in range(50):
        loss = ((snake(t + shift, a=2.0) - goal) ** 2).mean()
        (slope,) = minigrad.autograd.grad(loss, shift)
        with minigrad.no_grad():
            shift -= 0.1 * slope
    print(f"the curve was shifted by {shift.item():.3f}")


if __name__ == "__main__":
    main()
