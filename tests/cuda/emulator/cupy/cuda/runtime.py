"""cupy.cuda.runtime, emulated."""

from __future__ import annotations

from .._stream import CUDARuntimeError, synchronisation

streamCaptureModeGlobal = 0
streamCaptureModeThreadLocal = 1
streamCaptureModeRelaxed = 2


def getDeviceCount() -> int:
    return 1


def getDevice() -> int:
    return 0


def deviceSynchronize() -> None:
    synchronisation("waiting for the device")


def getDeviceProperties(device: int) -> dict[str, object]:
    return {"name": b"emulated device", "multiProcessorCount": 4, "totalGlobalMem": 16 << 30}


__all__ = ["CUDARuntimeError"]
