"""The one call of cuBLAS that minigrad makes itself, emulated on addresses: column-major matrices, strided batches."""

from __future__ import annotations

import ctypes

import numpy as np

from cupy import _stream

CUBLAS_OP_N, CUBLAS_OP_T = 0, 1
CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F = 68, 70
_TYPES = {2: np.float16, 0: np.float32, 1: np.float64}  # cudaDataType
_COMPUTE = {CUBLAS_COMPUTE_32F: np.float32, CUBLAS_COMPUTE_64F: np.float64}


def _matrices(address: int, kind: int, rows: int, columns: int, leading: int, stride: int, count: int) -> np.ndarray:
    """(count, rows, columns) seen through column-major memory at an address."""
    if leading < max(1, rows):
        raise ValueError(f"CUBLAS_STATUS_INVALID_VALUE: leading dimension {leading} for {rows} rows")
    dtype = np.dtype(_TYPES[kind])
    cells = stride * (count - 1) + leading * (columns - 1) + rows
    memory = (ctypes.c_char * (cells * dtype.itemsize)).from_address(address)
    flat = np.frombuffer(memory, dtype)
    size = dtype.itemsize
    return np.lib.stride_tricks.as_strided(flat, (count, rows, columns), (stride * size, size, leading * size))


def _scalar(address: int, dtype: type) -> float:
    size = np.dtype(dtype).itemsize
    return float(np.frombuffer((ctypes.c_char * size).from_address(address), dtype)[0])


def gemmStridedBatchedEx(
    handle: int, transa: int, transb: int, m: int, n: int, k: int,
    alpha: int, A: int, Atype: int, lda: int, strideA: int,
    B: int, Btype: int, ldb: int, strideB: int,
    beta: int, C: int, Ctype: int, ldc: int, strideC: int,
    batchCount: int, computeType: int, algo: int,
) -> None:  # fmt: skip
    """C = alpha * op(A) @ op(B) + beta * C for every matrix of a batch."""
    if min(m, n, k, batchCount) < 1 or max(m, n, k, lda, ldb, ldc, batchCount) >= 2**31:
        raise ValueError("CUBLAS_STATUS_INVALID_VALUE: sizes")
    a = _matrices(A, Atype, *((m, k) if transa == CUBLAS_OP_N else (k, m)), lda, strideA, batchCount)
    b = _matrices(B, Btype, *((k, n) if transb == CUBLAS_OP_N else (n, k)), ldb, strideB, batchCount)
    c = _matrices(C, Ctype, m, n, ldc, strideC, batchCount)
    a = a if transa == CUBLAS_OP_N else a.swapaxes(1, 2)
    b = b if transb == CUBLAS_OP_N else b.swapaxes(1, 2)
    compute = _COMPUTE[computeType]
    scale, keep = _scalar(alpha, compute), _scalar(beta, compute)

    def run() -> None:
        with np.errstate(all="ignore"):
            product = compute(scale) * np.matmul(a.astype(compute), b.astype(compute))
            c[...] = product + compute(keep) * c if keep else product

    _stream.work(run)
