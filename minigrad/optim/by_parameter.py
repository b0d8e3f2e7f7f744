"""Optimisers that take their parameters one by one, in plain array arithmetic."""

from __future__ import annotations

from typing import Any

from minigrad.creation import zeros
from minigrad.dtypes import float32, float64, get_default_dtype
from minigrad.errors import GraphError
from minigrad.optim.optimizer import Optimizer, non_negative
from minigrad.registry import backend_of


class ByParameter(Optimizer):
    """The frame: a subclass says `start(state, p, group)` and `move(xp, x, g, state, group)`, which writes x."""

    def update(self, group: dict[str, Any], params: list[Any]) -> None:
        """Move one parameter after the other."""
        if backend_of(params[0].array).capturing:
            raise GraphError(
                f"{type(self).__name__} cannot be captured in a CUDA graph: it computes with numbers of the host (learning rate, "
                "count of steps), which a replay would not renew; SGD, Adam and AdamW can"
            )
        coupled = group["weight_decay"] and not group.get("decoupled_weight_decay")
        for p in params:
            state = self.state[p]
            if "step" not in state:
                state["step"] = counter()
                self.start(state, p, group)
            state["step"].array += 1
            x, g = p.array, p.grad.array
            if group["maximize"]:
                g = -g
            if coupled:
                g = g + group["weight_decay"] * x
            self.move(backend_of(x).xp, x, g, state, group)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """Make a parameter's state."""
        raise NotImplementedError

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Write the new parameter into x, and update the state."""
        raise NotImplementedError


def counter(value: float = 0.0) -> Any:
    """A number in the state, as PyTorch stores it: a tensor without dimensions, of 64 bits if that is the default."""
    return zeros((), dtype=float64 if get_default_dtype() is float64 else float32, device="cpu") + value


def like(p: Any, value: float = 0.0) -> Any:
    """A tensor of the parameter's shape, filled with a number."""
    return p.new_full(p.array.shape, value) if value else p.new_zeros(p.array.shape)


def move_average(average: Any, new: Any, keep: float) -> None:
    """average = keep * average + (1 - keep) * new, in place."""
    average *= keep
    average += (1 - keep) * new


class RMSprop(ByParameter):
    """Steps of the gradient over the root of its running square.

    Sources: Hinton's lecture 6e (2012); Graves, "Generating sequences with recurrent neural networks" (2013), for
    `centered`.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """Zeros."""
        state["square_avg"] = like(p)
        if group["momentum"] > 0:
            state["momentum_buffer"] = like(p)
        if group["centered"]:
            state["grad_avg"] = like(p)

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """x -= lr * g / (sqrt(v) + eps)"""
        alpha, square = group["alpha"], state["square_avg"].array
        square *= alpha
        square += (1 - alpha) * g * g
        root = square
        if group["centered"]:
            mean = state["grad_avg"].array
            mean += (1 - alpha) * (g - mean)
            root = square - mean * mean
        step = g / (xp.sqrt(root) + group["eps"])
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"].array
            buffer *= group["momentum"]
            buffer += step
            step = buffer
        x -= float(group["lr"]) * step


class Adagrad(ByParameter):
    """Steps of the gradient over the root of the sum of its squares.

    Source: Duchi et al., "Adaptive subgradient methods for online learning" (2011).
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        non_negative(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        non_negative(initial_accumulator_value=initial_accumulator_value, eps=eps)
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:  # unlike others, the state is there from the start
            for p in group["params"]:
                self.state[p]["step"] = counter()
                self.start(self.state[p], p, group)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """The initial sum."""
        state["sum"] = like(p, group["initial_accumulator_value"])

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """x -= lr * g / (sqrt(sum) + eps)"""
        lr = float(group["lr"]) / (1 + (float(state["step"].array) - 1) * group["lr_decay"])
        total = state["sum"].array
        total += g * g
        x -= lr * g / (xp.sqrt(total) + group["eps"])


class Adadelta(ByParameter):
    """Steps of the gradient, scaled by the ratio of the steps' and the gradients' running squares.

    Source: Zeiler, "ADADELTA: an adaptive learning rate method" (2012).
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        non_negative(eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """Zeros."""
        state["square_avg"], state["acc_delta"] = like(p), like(p)

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """x -= lr * sqrt(u + eps) / sqrt(v + eps) * g"""
        rho, eps = group["rho"], group["eps"]
        square, moved = state["square_avg"].array, state["acc_delta"].array
        move_average(square, g * g, rho)
        delta = xp.sqrt(moved + eps) / xp.sqrt(square + eps) * g
        move_average(moved, delta * delta, rho)
        x -= float(group["lr"]) * delta


class ASGD(ByParameter):
    """Stochastic gradient descent that also keeps the average of its way, in state["ax"].

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992).
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        non_negative(lr=lr, weight_decay=weight_decay)
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """eta is the present learning rate, mu the weight of the present place in the average."""
        state["eta"], state["mu"], state["ax"] = counter(float(group["lr"])), counter(1.0), like(p)

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """x -= eta * (g + lambd * x)"""
        eta, mu, average = state["eta"].item(), state["mu"].item(), state["ax"].array
        x *= 1 - group["lambd"] * eta
        x -= eta * g
        if mu == 1:
            average[...] = x
        else:
            average += (x - average) * mu
        step, lr = state["step"].item(), float(group["lr"])
        state["eta"].array[...] = lr / ((1 + group["lambd"] * lr * step) ** group["alpha"])
        state["mu"].array[...] = 1 / max(1, step - group["t0"])


class Rprop(ByParameter):
    """Steps whose size grows while a gradient keeps its sign and shrinks when it changes.

    Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning" (1993).
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: dict[str, Any], params: list[Any]) -> None:
        """As the others, without weight decay."""
        super().update({**group, "weight_decay": 0}, params)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """No gradient yet, and a first step size."""
        state["prev"], state["step_size"] = like(p), like(p, float(group["lr"]))

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """x -= sign(g) * size, and no move where the sign has changed."""
        previous, size = state["prev"].array, state["step_size"].array
        agree = g * previous
        shrink, grow = group["etas"]
        size *= xp.where(agree > 0, x.dtype.type(grow), xp.where(agree < 0, x.dtype.type(shrink), x.dtype.type(1)))
        xp.clip(size, *group["step_sizes"], out=size)
        g = xp.where(agree < 0, x.dtype.type(0), g)
        x -= xp.sign(g) * size
        previous[...] = g
