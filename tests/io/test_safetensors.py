"""save and load: what comes back, what others read, and what damaged files do."""

import json
import os
import signal
import struct
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest

import minigrad
from minigrad import io
from minigrad.errors import CheckpointError, DtypeError

KINDS = [
    "float64",
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
    "complex64",
]


def nested():
    return {
        "model": OrderedDict(w=minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]), b=minigrad.arange(3)),
        "optimizer": {"state": {0: {"step": minigrad.tensor(3.0)}}, "param_groups": [{"betas": (0.9, 0.99), "lr": 1e-3}]},
        "epoch": 3, "best": float("inf"), "name": "net", "none": None, "flags": [True, False], "raw": b"\x00\xff",
        "size": minigrad.Size([2, 3]), "dtype": minigrad.float16, "device": minigrad.device("cpu"), "of": {1, 2},
    }  # fmt: skip


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, minigrad.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for k in a:
            assert_same(a[k], b[k])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


def test_nested_containers_come_back(tmp_path):
    minigrad.save(nested(), tmp_path / "a")
    assert_same(minigrad.load(tmp_path / "a"), nested())


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_and_shape_is_read_by_the_reference_implementation(kind, tmp_path):
    reference = pytest.importorskip("safetensors.numpy")
    dtype = getattr(minigrad, kind)
    tensors = {str(s): minigrad.zeros(*s, dtype=dtype) + 1 for s in [(), (0,), (3,), (2, 0, 3), (2, 3)]}
    minigrad.save(tensors, tmp_path / "a")
    theirs = reference.load_file(tmp_path / "a")
    ours = minigrad.load(tmp_path / "a")
    assert list(ours) == list(tensors) and set(theirs) == set(tensors)
    for name, t in tensors.items():
        for array in (theirs[name], ours[name].numpy()):
            assert array.dtype == t.numpy().dtype and array.shape == t.shape
            np.testing.assert_array_equal(array, t.numpy())


def test_files_of_the_reference_implementation_are_read(tmp_path):
    reference = pytest.importorskip("safetensors.torch")
    torch = pytest.importorskip("torch")
    theirs = {"a": torch.randn(3, 4), "h": torch.randn(5).bfloat16(), "i": torch.arange(6).view(2, 3)}
    reference.save_file(theirs, tmp_path / "a")
    ours = io.load_file(tmp_path / "a")
    for name, t in theirs.items():
        np.testing.assert_array_equal(ours[name].float().numpy(), t.float().numpy())
        assert str(ours[name].dtype).removeprefix("minigrad") == str(t.dtype).removeprefix("torch")


def test_shared_tensors_are_stored_once_and_shared_again(tmp_path):
    t = minigrad.ones(1000)
    minigrad.save([t, t], tmp_path / "a")
    assert os.path.getsize(tmp_path / "a") < 5000
    a, b = minigrad.load(tmp_path / "a")
    a.zero_()
    assert b.sum().item() == 0


def test_views_and_leaves(tmp_path):
    t = minigrad.arange(6.0).reshape(2, 3).t().requires_grad_()
    minigrad.save(t, tmp_path / "a")
    back = minigrad.load(tmp_path / "a")
    assert back.requires_grad and back.is_leaf and back.tolist() == t.tolist()


def test_keys_that_collide_with_paths(tmp_path):
    obj = {"a": {"b": minigrad.ones(1)}, "a.b": minigrad.zeros(1)}
    minigrad.save(obj, tmp_path / "a")
    assert_same(minigrad.load(tmp_path / "a"), obj)


def test_map_location(tmp_path):
    minigrad.save({"a": minigrad.ones(1)}, tmp_path / "a")
    for where in ("cpu", minigrad.device("cpu"), {"cpu": "cpu"}):
        assert minigrad.load(tmp_path / "a", map_location=where)["a"].device.type == "cpu"
    seen = []

    def where_wanted(storage, where):
        seen.append(where)
        return storage if len(seen) == 1 else None

    for _ in range(2):
        assert minigrad.load(tmp_path / "a", map_location=where_wanted)["a"].tolist() == [1.0]
    assert seen == ["cpu", "cpu"]


@pytest.mark.parametrize("thing", [object(), {"a": {"b": lambda: 0}}, [sys]])
def test_other_objects_are_refused_and_the_old_file_stays(thing, tmp_path):
    minigrad.save({"a": minigrad.ones(1)}, tmp_path / "a")
    with pytest.raises(TypeError, match="cannot save a"):
        minigrad.save(thing, tmp_path / "a")
    assert minigrad.load(tmp_path / "a")["a"].item() == 1
    assert os.listdir(tmp_path) == ["a"]


def test_complex128_has_no_code(tmp_path):
    with pytest.raises(DtypeError, match="safetensors has no type"):
        io.save_file({"a": minigrad.zeros(1, dtype=minigrad.complex128)}, tmp_path / "a")
    assert os.listdir(tmp_path) == []


def file_of(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, offsets, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


LIES = {
    "empty": b"",
    "seven bytes": b"\0" * 7,
    "a header longer than the file": file_of({}, length=100),
    "a header of 2**63 bytes": file_of({}, length=2**63),
    "no JSON": file_of(b"{nope"),
    "no UTF-8": file_of(b'{"\xff": 1}'),
    "a list": file_of([]),
    "deep nesting": file_of(b"[" * 100_000),
    "a name twice": file_of(b'{"a":{},"a":{}}'),
    "an entry that is a number": file_of({"a": 1}),
    "a missing field": file_of({"a": {"dtype": "F32", "shape": [1]}}, b"\0" * 4),
    "an unknown type": file_of({"a": entry([1], [0, 4], "F33")}, b"\0" * 4),
    "a type that is a list": file_of({"a": entry([1], [0, 4], [])}, b"\0" * 4),
    "a shape larger than its place": file_of({"a": entry([2], [0, 4])}, b"\0" * 4),
    "a place larger than the file": file_of({"a": entry([2], [0, 8])}, b"\0" * 4),
    "a terabyte": file_of({"a": entry([2**38], [0, 2**40])}, b"\0" * 4),
    "a product that overflows": file_of({"a": entry([2**32, 2**32], [0, 0])}),
    "a size of 2**64 beside 0": file_of({"a": entry([2**64, 0], [0, 0])}),
    "a negative size": file_of({"a": entry([-1], [0, -4])}),
    "a size that is true": file_of({"a": entry([True], [0, 4])}, b"\0" * 4),
    "a size that is a float": file_of({"a": entry([1.0], [0, 4])}, b"\0" * 4),
    "offsets backwards": file_of({"a": entry([1], [4, 0])}, b"\0" * 4),
    "an overlap": file_of({"a": entry([1], [0, 4]), "b": entry([1], [2, 6])}, b"\0" * 6),
    "the same place twice": file_of({"a": entry([1], [0, 4]), "b": entry([1], [0, 4])}, b"\0" * 4),
    "a gap": file_of({"a": entry([1], [4, 8])}, b"\0" * 8),
    "bytes left over": file_of({"a": entry([1], [0, 4])}, b"\0" * 5),
    "65 dimensions": file_of({"a": entry([1] * 65, [0, 4])}, b"\0" * 4),
    "metadata that is a list": file_of({"__metadata__": []}),
    "a boolean 2": file_of({"a": entry([1], [0, 1], "BOOL")}, b"\2"),
    "a structure that names no tensor": file_of({"__metadata__": {"minigrad.structure": '{"tensor":"b"}'}}),
    "a structure of an unknown kind": file_of({"__metadata__": {"minigrad.structure": '{"eval":"1"}'}}),
    "a structure that is no JSON": file_of({"__metadata__": {"minigrad.structure": "{"}}),
    "a wrong checksum": file_of({"a": entry([1], [0, 4]), "__metadata__": {"minigrad.crc32": "0"}}, b"\0" * 4),
    "a pickle": b"\x80\x02cos\nsystem\n.",
}


@pytest.mark.parametrize("lie", LIES)
def test_headers_that_lie_are_refused(lie, tmp_path):
    (tmp_path / "a").write_bytes(LIES[lie])
    with pytest.raises(CheckpointError):
        minigrad.load(tmp_path / "a")


def test_every_truncation_and_every_flipped_byte_is_an_error_or_harmless(tmp_path):
    minigrad.save({"w": minigrad.arange(3.0), "n": [1, {"k": minigrad.tensor([True])}]}, tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    path = tmp_path / "b"
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises(CheckpointError):
            minigrad.load(path)
    data_from = len(whole) - 13
    for i in range(len(whole)):
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :])
            try:
                minigrad.load(path)
            except CheckpointError:
                continue
            assert i < data_from, f"byte {i} of the tensors was changed unnoticed"


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    minigrad.save({"a": minigrad.ones(1)}, path)
    program = f"""
import minigrad, os, signal
from minigrad.io import safetensors
real = safetensors._bytes_of
def dying(array, count=[0]):
    count[0] += 1
    if count[0] == 4:  # two for the checksum, then the second tensor's bytes
        os.kill(os.getpid(), signal.SIGKILL)
    return real(array)
safetensors._bytes_of = dying
minigrad.save({{"a": minigrad.zeros(100), "b": minigrad.zeros(100)}}, {str(path)!r})
"""
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "MINIGRAD_BACKEND": "numpy"}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert minigrad.load(path)["a"].tolist() == [1.0]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a"
    minigrad.save({"a": minigrad.ones(1)}, path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        minigrad.save({"a": minigrad.zeros(1)}, path)
    assert minigrad.load(path)["a"].item() == 1 and os.listdir(tmp_path) == ["a"]


def test_file_objects(tmp_path):
    import io as python_io

    buffer = python_io.BytesIO()
    minigrad.save(nested(), buffer)
    buffer.seek(0)
    assert_same(minigrad.load(buffer), nested())


def test_headers_of_any_length_are_read(tmp_path):
    """A header of 128 bytes, or 384, begins with the byte that pickles begin with."""
    first = set()
    for extra in range(80):
        path = tmp_path / "x.pt"
        minigrad.save({"w" * (1 + 8 * extra): minigrad.ones(2)}, path)
        first.add(path.read_bytes()[0])
        (loaded,) = minigrad.load(path).values()
        assert loaded.tolist() == [1.0, 1.0]
    assert 0x80 in first


def test_a_bare_pickle_is_refused(tmp_path):
    import pickle

    path = tmp_path / "x.pt"
    path.write_bytes(pickle.dumps({"a": list(range(100))}))
    with pytest.raises(CheckpointError, match="is a pickle"):
        minigrad.load(path)
