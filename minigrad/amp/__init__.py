"""Mixed precision: `autocast` chooses the element types, `GradScaler` keeps float16 gradients from vanishing."""

from minigrad.amp.autocast import autocast, is_autocast_available
from minigrad.amp.custom import custom_bwd, custom_fwd
from minigrad.amp.scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
