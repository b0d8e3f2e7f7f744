"""Limited-memory BFGS: a quasi-Newton method for losses that can be computed again.

Sources: Nocedal and Wright, "Numerical optimization" (2006), algorithms 7.4 (two-loop recursion), 3.5 and 3.6 (line
search by the strong Wolfe conditions); cubic interpolation as in Schmidt's minFunc.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.autograd.grad_mode import enable_grad, no_grad
from minigrad.ops.base import wrap
from minigrad.optim.optimizer import Optimizer, non_negative, wrote
from minigrad.registry import backend_of

Vector = Any  # all parameters, or their gradients, as one flat array
Evaluate = Callable[[float], tuple[float, Vector]]


class LBFGS(Optimizer):
    """Steps along -H g, where H is the inverse curvature as the last steps have shown it. step() needs a closure."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        non_negative(lr=lr)
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def _gradient(self) -> Vector:
        xp = backend_of(self._params[0].array).xp
        parts = [
            xp.zeros(p.array.size, p.array.dtype) if p.grad is None else p.grad.array.reshape(-1) for p in self._params
        ]
        return xp.concatenate(parts)

    def _place(self) -> list[Vector]:
        return [p.array.copy() for p in self._params]

    def _go(self, start: list[Vector], t: float, direction: Vector) -> None:
        """Put the parameters at start + t * direction."""
        i = 0
        for p, x in zip(self._params, start, strict=True):
            p.array[...] = x + t * direction[i : i + x.size].reshape(x.shape)
            i += x.size
        wrote(self._params, "LBFGS")

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to max_iter steps; closure computes the loss and its gradients, and is called again and again."""
        if closure is None:
            raise TypeError("LBFGS.step() missing 1 required positional argument: 'closure'")
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        calls = 0

        def evaluate() -> Any:
            nonlocal calls
            calls += 1
            with enable_grad():
                return closure()

        first = evaluate()
        loss = float(first)
        state["func_evals"] += 1
        g = self._gradient()
        if abs(g).max() <= group["tolerance_grad"]:
            return first
        memory = _Memory(state, group["history_size"])
        lr, done = float(group["lr"]), 0
        while done < group["max_iter"]:
            done += 1
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                direction = -g
                memory.forget()
            else:
                memory.learn(g, state["prev_flat_grad"].array, state["d"].array * state["t"])
                direction = memory.direction(g)
            before = g.copy()
            old_loss = loss
            t = min(1.0, 1.0 / float(abs(g).sum())) * lr if state["n_iter"] == 1 else lr
            slope = float(g @ direction)
            state.update(d=wrap(direction), t=t, prev_flat_grad=wrap(before), prev_loss=old_loss)
            if slope > -group["tolerance_change"]:
                break
            spent = calls
            start = self._place()
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")

                def at(step: float, start: list[Vector] = start, direction: Vector = direction) -> tuple[float, Vector]:
                    self._go(start, step, direction)
                    value = float(evaluate())
                    gradient = self._gradient()
                    self._go(start, 0.0, direction)
                    return value, gradient

                loss, g, t = strong_wolfe(at, t, direction, loss, g, slope, group["tolerance_change"])
                self._go(start, t, direction)
            else:
                self._go(start, t, direction)
                if done != group["max_iter"]:
                    loss = float(evaluate())
                    g = self._gradient()
            state["t"] = t
            state["func_evals"] += calls - spent
            if (
                calls >= group["max_eval"]
                or abs(g).max() <= group["tolerance_grad"]
                or abs(direction * t).max() <= group["tolerance_change"]
                or abs(loss - old_loss) < group["tolerance_change"]
            ):
                break
        return first


class _Memory:
    """The last steps and the changes of gradient that they brought: what is known of the curvature."""

    def __init__(self, state: dict[str, Any], size: int) -> None:
        self.state, self.size = state, size

    def forget(self) -> None:
        """Start anew."""
        self.state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)

    def learn(self, g: Vector, before: Vector, s: Vector) -> None:
        """Keep a step s and its change of gradient, if the curvature along it is positive."""
        y = g - before
        curvature = float(y @ s)
        if curvature <= 1e-10:
            return
        old = self.state
        if len(old["old_dirs"]) == self.size:
            for name in ("old_dirs", "old_stps", "ro"):
                old[name].pop(0)
        old["old_dirs"].append(wrap(y))
        old["old_stps"].append(wrap(s))
        old["ro"].append(1.0 / curvature)
        old["H_diag"] = curvature / float(y @ y)

    def direction(self, g: Vector) -> Vector:
        """-H g by the two loops."""
        old = self.state
        pairs = [(y.array, s.array, r) for y, s, r in zip(old["old_dirs"], old["old_stps"], old["ro"], strict=True)]
        q = -g
        alphas = []
        for y, s, r in reversed(pairs):
            alphas.append(float(s @ q) * r)
            q = q - alphas[-1] * y
        q = q * old["H_diag"]
        for (y, s, r), alpha in zip(pairs, reversed(alphas), strict=True):
            q = q + s * (alpha - float(y @ q) * r)
        return q


def _cubic(x1: float, f1: float, g1: float, x2: float, f2: float, g2: float, bounds: Any = None) -> float:
    """Where the cubic through two points with these values and slopes has its minimum, within bounds."""
    low, high = bounds if bounds is not None else (min(x1, x2), max(x1, x2))
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1 * d1 - g1 * g2
    if square < 0:
        return (low + high) / 2.0
    d2 = square**0.5
    if x1 <= x2:
        x = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        x = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return float(min(max(x, low), high))


def strong_wolfe(
    at: Evaluate, t: float, direction: Vector, f: float, g: Vector, slope: float, tolerance: float,
    c1: float = 1e-4, c2: float = 0.9, max_ls: int = 25,
) -> tuple[float, Vector, float]:  # fmt: skip
    """A step length that lowers the loss and the slope enough -> (loss, gradient, t)"""
    largest = float(abs(direction).max())
    new_f, new_g = at(t)
    new_slope = float(new_g @ direction)
    last_t, last_f, last_g, last_slope = 0.0, f, g, slope
    ends: list[list[Any]] = []  # the bracket's two points: t, loss, gradient, slope
    done, tries = False, 0
    while tries < max_ls:
        last, new = [last_t, last_f, last_g, last_slope], [t, new_f, new_g, new_slope]
        if new_f > f + c1 * t * slope or (tries > 1 and new_f >= last_f):
            ends = [last, new]
            break
        if abs(new_slope) <= -c2 * slope:
            ends, done = [new], True
            break
        if new_slope >= 0:
            ends = [last, new]
            break
        bounds = (t + 0.01 * (t - last_t), t * 10)
        following = _cubic(last_t, last_f, last_slope, t, new_f, new_slope, bounds)
        last_t, last_f, last_g, last_slope = t, new_f, new_g.copy(), new_slope
        t = following
        new_f, new_g = at(t)
        new_slope = float(new_g @ direction)
        tries += 1
    else:
        ends = [[0.0, f, g, slope], [t, new_f, new_g, new_slope]]
    stuck = False
    low, high = (0, 1) if ends[0][1] <= ends[-1][1] else (1, 0)
    while not done and tries < max_ls:
        if abs(ends[1][0] - ends[0][0]) * largest < tolerance:
            break
        (a_t, a_f, _, a_slope), (b_t, b_f, _, b_slope) = ends
        t = _cubic(a_t, a_f, a_slope, b_t, b_f, b_slope)
        left, right = min(a_t, b_t), max(a_t, b_t)
        eps = 0.1 * (right - left)
        if min(right - t, t - left) < eps:  # too near an end: once is luck, twice is no progress
            if stuck or t >= right or t <= left:
                t = right - eps if abs(t - right) < abs(t - left) else left + eps
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        new_f, new_g = at(t)
        new_slope = float(new_g @ direction)
        tries += 1
        if new_f > f + c1 * t * slope or new_f >= ends[low][1]:
            ends[high] = [t, new_f, new_g.copy(), new_slope]
            low, high = (0, 1) if ends[0][1] <= ends[1][1] else (1, 0)
        else:
            if abs(new_slope) <= -c2 * slope:
                done = True
            elif new_slope * (ends[high][0] - ends[low][0]) >= 0:
                ends[high] = ends[low]
            ends[low] = [t, new_f, new_g.copy(), new_slope]
    best = ends[low if len(ends) > 1 else 0]
    return best[1], best[2], best[0]
