"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from minigrad.optim.by_parameter import counter
from minigrad.optim.optimizer import Optimizer, betas_in_range, by_kind, grads_of, non_negative


class Adam(Optimizer):
    """Steps of the gradient's running mean over the root of its running square.

    Sources: Kingma and Ba, "Adam" (2014); Reddi et al., "On the convergence of Adam and beyond" (2018), for amsgrad.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps)
        betas_in_range(betas)
        non_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: dict[str, Any], params: list[Any]) -> None:
        """One kernel call for all parameters of a kind that are at the same step."""
        amsgrad = group["amsgrad"]
        states, steps = [], []
        for p in params:
            state = self.state[p]
            if not state:
                state["step"] = counter()
                for name in ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if amsgrad else ())):
                    state[name] = p.new_zeros(p.array.shape)
            state["step"].array += 1
            states.append(state)
            steps.append(int(state["step"].array))
        beta1, beta2 = group["betas"]
        for backend, step, places in by_kind(params, steps):
            backend.adam_step(
                [params[i].array for i in places],
                grads_of(params, places),
                [states[i]["exp_avg"].array for i in places],
                [states[i]["exp_avg_sq"].array for i in places],
                [states[i]["max_exp_avg_sq"].array for i in places] if amsgrad else None,
                step=step,
                lr=float(group["lr"]),
                beta1=beta1,
                beta2=beta2,
                eps=group["eps"],
                weight_decay=group["weight_decay"],
                decoupled=group["decoupled_weight_decay"],
                maximize=group["maximize"],
            )


class AdamW(Adam):
    """Adam whose weight decay acts on the parameters and not on the gradient.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2017).
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip
