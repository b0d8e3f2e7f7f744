"""gradcheck and gradgradcheck: what backward says, held against finite differences.

The slope of f along a small step is (f(x + eps*v) - f(x - eps*v)) / (2*eps), with an error of the order of
eps**2 and of rounding / eps; so inputs should be float64. The full mode steps along every single element and compares
whole Jacobians; the fast mode steps in one random direction and compares one number per input and output.
Source: Griewank and Walther, "Evaluating Derivatives" (2008), chapter 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import product
from random import Random
from typing import Any

from minigrad.autograd.engine import grad
from minigrad.autograd.grad_mode import enable_grad, no_grad
from minigrad.autograd.graph import Variable
from minigrad.errors import GraphError

Array = Any


class GradcheckError(GraphError):
    """An analytical gradient that finite differences do not confirm."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    fast_mode: bool = False,
) -> bool:
    """Check the gradients of func's outputs in those inputs that require one.

    func takes the inputs and returns a tensor or a tuple; it must be deterministic and free of kinks nearby.
    `check_undefined_grad` differentiates each output alone, the others' gradients being undefined rather than zero.

    Raises:
        GradcheckError: if a gradient is wrong, is not proportional to the incoming one, varies from call to call or,
            with `check_grad_dtypes`, has another type than its input. With raise_exception=False: False instead.
        ValueError: if no input requires a gradient.
    """
    arguments = _tuple(inputs)
    try:
        wanted = _checked_inputs(arguments)
        with enable_grad():
            outputs = [y for y in _tuple(func(*arguments)) if isinstance(y, Variable)]
        check = _Check(func, arguments, wanted, eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes)
        for number, y in enumerate(outputs):
            if not _real(y):
                continue
            if not y.tracked:
                check.is_constant(number)
            elif fast_mode:
                check.along_random_direction(outputs, number)
            else:
                check.every_element(outputs, number)
        check.proportional(outputs)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    fast_mode: bool = False,
) -> bool:
    """Check the gradients of func's gradients, in inputs and in grad_outputs (random ones, if none are given).

    Raises:
        GradcheckError, ValueError: as gradcheck.
    """
    arguments = _tuple(inputs)
    with enable_grad():
        outputs = _differentiable(func(*arguments))
    if grad_outputs is None:
        draw = Random(0)
        given = tuple(_random_like(y, draw, gen_non_contig_grad_outputs) for y in outputs)
    else:
        given = _tuple(grad_outputs)
        if len(given) != len(outputs):
            raise ValueError(f"gradgradcheck(): got {len(given)} grad_outputs for {len(outputs)} outputs")
    count = len(arguments)

    def gradients(*all_inputs: Any) -> tuple[Any, ...]:
        xs, gys = all_inputs[:count], all_inputs[count:]
        wanted = [x for x in xs if isinstance(x, Variable) and x.tracked]
        with enable_grad():
            ys = _differentiable(func(*xs))
            found = grad(ys, wanted, gys, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        (*arguments, *given),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        fast_mode=fast_mode,
    )


class _Check:
    """One function at one point, and how exactly its gradients are to agree."""

    def __init__(
        self,
        func: Callable[..., Any],
        arguments: tuple[Any, ...],
        wanted: list[int],
        eps: float,
        atol: float,
        rtol: float,
        nondet_tol: float,
        undefined: bool,
        dtypes: bool,
    ) -> None:
        self.func, self.arguments, self.wanted = func, arguments, wanted
        self.eps, self.atol, self.rtol, self.nondet_tol = eps, atol, rtol, nondet_tol
        self.undefined, self.dtypes = undefined, dtypes
        self.draw = Random(0)

    def values(self, number: int) -> Array:
        """One output's elements, computed afresh: (M,)"""
        with no_grad():
            y = [y for y in _tuple(self.func(*self.arguments)) if isinstance(y, Variable)][number]
        return y.array.reshape(-1).copy()

    def slope(self, x: Variable, number: int, places: Sequence[tuple[int, ...]], steps: Sequence[float]) -> Array:
        """The change of one output per unit of a step away from x: (M,)"""
        before = x.array.copy()
        try:
            for place, step in zip(places, steps, strict=True):
                x.array[place] = before[place] + self.eps * step
            ahead = self.values(number)
            for place, step in zip(places, steps, strict=True):
                x.array[place] = before[place] - self.eps * step
            behind = self.values(number)
        finally:
            x.array[...] = before
        return (ahead - behind) / (2 * self.eps)

    def gradients(self, outputs: list[Any], number: int, seed: Any) -> list[Any]:
        """Backward's answer for one output, twice, to see that it is the same."""
        found = []
        for _ in range(2):
            ys, seeds = [outputs[number]], [seed]
            if not self.undefined:
                others = [y for i, y in enumerate(outputs) if i != number and y.tracked]
                ys += others
                seeds += [y.new_zeros(y.array.shape) for y in others]
            inputs = [self.arguments[i] for i in self.wanted]
            found.append(grad(ys, inputs, seeds, retain_graph=True, allow_unused=True))
        for x, g, again in zip(inputs, *found, strict=True):
            if g is None:
                continue
            if g.array.shape != x.array.shape:
                raise GradcheckError("Analytical gradient has incorrect size")
            if self.dtypes and g.array.dtype != x.array.dtype:
                raise GradcheckError("Gradient has dtype mismatch")
            if g.array.size and float(abs(g.array - again.array).max()) > self.nondet_tol:
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    "gives different values, although analytical gradient matches numerical gradient. "
                    f"The tolerance for nondeterminism was {self.nondet_tol}."
                )
        return list(found[0])

    def every_element(self, outputs: list[Any], number: int) -> None:
        """Compare Jacobians: one column per element of the input, one row per element of the output."""
        y = outputs[number]
        rows: list[list[Any]] = []
        for place in _places(y):
            seed = y.new_zeros(y.array.shape)
            seed.array[place] = 1
            rows.append(self.gradients(outputs, number, seed))
        for k, i in enumerate(self.wanted):
            x = self.arguments[i]
            numerical = x.new_zeros((x.array.size, y.array.size)).array  # (K, M)
            analytical = x.new_zeros((x.array.size, y.array.size)).array
            for column, place in enumerate(_places(x)):
                numerical[column] = self.slope(x, number, [place], [1.0])
            for row, found in enumerate(rows):
                if found[k] is not None:
                    analytical[:, row] = found[k].array.reshape(-1)
            self.compare(number, i, numerical, analytical, self.atol)

    def along_random_direction(self, outputs: list[Any], number: int) -> None:
        """Compare u . J . v for random directions u of the output and v of each input."""
        y = outputs[number]
        u = _random_like(y, self.draw, False)
        found = self.gradients(outputs, number, u)
        for k, i in enumerate(self.wanted):
            x = self.arguments[i]
            v = _random_like(x, self.draw, False)
            places = list(_places(x))
            steps = [float(v.array[place]) for place in places]
            numerical = (self.slope(x, number, places, steps) * u.array.reshape(-1)).sum()
            analytical = numerical * 0 if found[k] is None else (found[k].array * v.array).sum()
            # As many errors add up as there are pairs of elements.
            scale = float(abs(u.array).sum()) * float(abs(v.array).sum())
            self.compare(number, i, numerical, analytical, self.atol * max(scale, 1.0), "\nin a random direction")

    def is_constant(self, number: int) -> None:
        """An output without gradient must not depend on any input."""
        for i in self.wanted:
            x = self.arguments[i]
            for place in _places(x):
                if (abs(self.slope(x, number, [place], [1.0])) > self.atol).any():
                    raise GradcheckError("Numerical gradient for function expected to be zero")

    def proportional(self, outputs: list[Any]) -> None:
        """Where the incoming gradient is zero, so is every outgoing one."""
        ys = [y for y in outputs if y.tracked]
        if not ys:
            return
        zeros = [y.new_zeros(y.array.shape) for y in ys]
        for g in grad(ys, [self.arguments[i] for i in self.wanted], zeros, retain_graph=True, allow_unused=True):
            if g is not None and (g.array != 0).any():
                raise GradcheckError("backward not multiplied by grad_output")

    def compare(self, output: int, i: int, numerical: Array, analytical: Array, atol: float, where: str = "") -> None:
        """Raise unless |a - n| <= atol + rtol * |n| everywhere; NaN agrees with NaN."""
        near = abs(analytical - numerical) <= atol + self.rtol * abs(numerical)
        near = near | ((analytical != analytical) & (numerical != numerical))
        if not near.all():
            raise GradcheckError(
                f"Jacobian mismatch for output {output} with respect to input {i},{where}\n"
                f"numerical:{numerical}\nanalytical:{analytical}\n"
            )


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _real(v: Variable) -> bool:
    return v.array.dtype.kind not in "iub"


def _differentiable(outputs: Any) -> list[Any]:
    return [y for y in _tuple(outputs) if isinstance(y, Variable) and y.tracked]


def _places(v: Variable) -> Any:
    return product(*map(range, v.array.shape))


def _random_like(v: Any, draw: Random, spread_out: bool) -> Any:
    """Random numbers of [-1, 1] in a tensor's shape, requiring grad; `spread_out` in memory, if asked."""
    shape = v.array.shape
    if spread_out and shape:
        wide = v.new_empty((*shape[:-1], 2 * shape[-1])).detach()
        y = wide[..., ::2].detach()
    else:
        y = v.new_empty(shape).detach()
    for place in _places(y):
        y.array[place] = draw.uniform(0.1, 1.0) * draw.choice((-1, 1))
    return y.requires_grad_()


def _checked_inputs(arguments: tuple[Any, ...]) -> list[int]:
    """The numbers of the arguments to be checked."""
    wanted = [i for i, x in enumerate(arguments) if isinstance(x, Variable) and x.tracked]
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, "
            "but none of the them have requires_grad=True."
        )
    for i in wanted:
        array = arguments[i].array
        if array.dtype.itemsize < 8:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. "
                "This check will likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=3,
            )
        if array.size and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True)):
            raise GraphError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. "
                "You should call .contiguous on the input before passing it to gradcheck."
            )
    return wanted


__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
