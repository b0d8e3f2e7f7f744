"""The exceptions of minigrad.

Each is both the class that Python's habits suggest and `RuntimeError`, which PyTorch raises for
nearly everything, so that scripts written for either catch them.
"""


class ShapeError(ValueError, RuntimeError):
    """A shape, a size or a hyper-parameter that does not fit the operation."""


class DtypeError(TypeError, RuntimeError):
    """An element type that the operation does not accept."""


class DeviceError(ValueError, RuntimeError):
    """Arrays on two devices, or a device that no backend serves."""


class BackendError(ImportError, RuntimeError):
    """A backend that is unknown, or that cannot be loaded on this machine."""


class GraphError(RuntimeError):
    """A graph that cannot be differentiated as asked."""


class CheckpointError(ValueError, RuntimeError):
    """A file of saved tensors that is damaged or that is not one."""
