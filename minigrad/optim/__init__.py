"""Optimisers: they hold the parameters and move them against their gradients."""

from minigrad.optim import lr_scheduler, swa_utils
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.adam_family import Adamax, NAdam, RAdam
from minigrad.optim.by_parameter import ASGD, Adadelta, Adagrad, RMSprop, Rprop
from minigrad.optim.lbfgs import LBFGS
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.sgd import SGD

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "Optimizer", "RAdam", "RMSprop",
    "Rprop", "lr_scheduler", "swa_utils",
]  # fmt: skip
