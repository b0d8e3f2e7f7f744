"""Which GPUs there are, and which one is in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minigrad.device import device as Device
from minigrad.errors import BackendError, DeviceError
from minigrad.registry import get_backend


def backend() -> Any:
    """The CUDA backend.

    Raises:
        BackendError: if it cannot run here; the message says why and what to install.
    """
    return get_backend("cuda")


def cupy() -> Any:
    """CuPy, which the backend's arrays, streams and memory are."""
    return backend().xp


def is_available() -> bool:
    """Whether tensors can live on a GPU here."""
    try:
        backend()
    except BackendError:
        return False
    return True


def device_count() -> int:
    """How many GPUs there are; 0 where CUDA is not available."""
    return int(cupy().cuda.runtime.getDeviceCount()) if is_available() else 0


def current_device() -> int:
    """The number of the GPU in use."""
    return int(cupy().cuda.runtime.getDevice())


def checked_index(device: Any) -> int:
    """A device given as number, string or device, as a number.

    Raises:
        DeviceError: if it is no GPU, or one that is not there.
    """
    if device is None:
        return current_device()
    chosen = Device(device)
    if chosen.type != "cuda":
        raise DeviceError(f"Expected a cuda device, but got: {chosen}")
    index = current_device() if chosen.index is None else chosen.index
    count = device_count()
    if not 0 <= index < count:
        raise DeviceError(f"invalid device ordinal: cuda:{index}, but there {'is' if count == 1 else 'are'} {count}")
    return index


def set_device(device: Any) -> None:
    """Use this GPU. All tensors of a program live on one: choose it before the first, or with CUDA_VISIBLE_DEVICES.

    Raises:
        DeviceError: if there is no such GPU.
    """
    cupy().cuda.Device(checked_index(device)).use()


class device:
    """Use another GPU inside a `with` block; None or a negative number changes nothing.

    Raises (on entering):
        DeviceError: if there is no such GPU.
    """

    def __init__(self, device: Any) -> None:
        self.wanted = device

    def __enter__(self) -> None:
        self.before: int | None = None
        if self.wanted is None or (isinstance(self.wanted, int) and self.wanted < 0):
            return
        chosen = checked_index(self.wanted)
        self.before = current_device()
        cupy().cuda.Device(chosen).use()

    def __exit__(self, *error: object) -> None:
        if self.before is not None:
            cupy().cuda.Device(self.before).use()


@dataclass(frozen=True, slots=True)
class DeviceProperties:
    """What a GPU is."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int
    warp_size: int
    max_threads_per_multi_processor: int
    shared_memory_per_block: int
    regs_per_multiprocessor: int
    L2_cache_size: int


def get_device_properties(device: Any = None) -> DeviceProperties:
    """Name, architecture, memory in bytes, multiprocessors and their limits."""
    index = checked_index(device)
    found = cupy().cuda.runtime.getDeviceProperties(index)
    return DeviceProperties(
        get_device_name(index),
        *get_device_capability(index),
        int(found["totalGlobalMem"]),
        int(found["multiProcessorCount"]),
        int(found.get("warpSize", 32)),
        int(found.get("maxThreadsPerMultiProcessor", 0)),
        int(found.get("sharedMemPerBlock", 0)),
        int(found.get("regsPerMultiprocessor", 0)),
        int(found.get("l2CacheSize", 0)),
    )


def get_arch_list() -> list[str]:
    """Kernels are compiled for the GPU that is there: its architecture, or nothing."""
    return [f"sm_{''.join(map(str, get_device_capability()))}"] if is_available() else []


def get_device_name(device: Any = None) -> str:
    """What the GPU calls itself."""
    name = cupy().cuda.runtime.getDeviceProperties(checked_index(device))["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Its architecture: (8, 0) for sm_80."""
    text = str(cupy().cuda.Device(checked_index(device)).compute_capability)
    return int(text[:-1]), int(text[-1])


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has done all work handed to it.

    Raises:
        IndexError: if a loss since the last wait met a class index out of range.
    """
    checked_index(device)
    backend().synchronize()


def manual_seed(seed: int) -> None:
    """Without effect: numbers on the GPU come from the stream that `minigrad.manual_seed` starts."""


def manual_seed_all(seed: int) -> None:
    """Without effect, as manual_seed."""


def seed() -> None:
    """Without effect, as manual_seed."""


def seed_all() -> None:
    """Without effect, as manual_seed."""


def is_initialized() -> bool:
    """Whether the GPU can be used: nothing else has to be made ready."""
    return is_available()


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """No kernel of the GPU's backend works in bfloat16."""
    return False


def ipc_collect() -> None:
    """Without effect: processes share no memory of the GPU."""
