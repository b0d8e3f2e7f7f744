"""PyTorch's .pt files: tensors come back, programs do not run."""

import os
import pickle
import zipfile

import numpy as np
import pytest

import minigrad
from minigrad.errors import CheckpointError

torch = pytest.importorskip("torch")


def test_a_training_checkpoint(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    net(torch.randn(4, 2)).sum().backward()
    optimizer.step()
    theirs = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": np.float64(0.5)}
    torch.save(theirs, tmp_path / "a.pt")
    ours = minigrad.load(tmp_path / "a.pt")
    assert list(ours["net"]) == list(theirs["net"]) and ours["epoch"] == 3 and ours["best"] == 0.5
    for name, t in theirs["net"].items():
        np.testing.assert_array_equal(ours["net"][name].numpy(), t.numpy())
    assert ours["optimizer"]["param_groups"] == theirs["optimizer"]["param_groups"]
    for key, state in theirs["optimizer"]["state"].items():
        for name, t in state.items():
            np.testing.assert_array_equal(ours["optimizer"]["state"][key][name].numpy(), t.numpy())


KINDS = [
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
    "complex64",
    "complex128",
]


@pytest.mark.parametrize("kind", KINDS)
def test_types_strides_and_sharing(kind, tmp_path):
    base = torch.arange(12).to(getattr(torch, kind)).reshape(3, 4)
    views = [base, base.t(), base[1:, ::2], base[1, 2], base[:0], torch.zeros((), dtype=base.dtype)]
    torch.save(views, tmp_path / "a.pt")
    ours = minigrad.load(tmp_path / "a.pt")
    for a, b in zip(ours, views, strict=True):
        assert a.dtype.name == kind and tuple(a.shape) == tuple(b.shape)
        wide = torch.complex128 if b.is_complex() else torch.float64
        np.testing.assert_array_equal(a.numpy().astype(str(wide)[6:]), b.to(wide).numpy())
    ours[0].zero_()
    assert not ours[1].any()


def test_plain_values(tmp_path):
    p = torch.nn.Parameter(torch.ones(2))
    torch.save(
        {"p": p, "size": torch.Size([1, 2]), "d": torch.device("cpu"), "t": torch.float16, "s": {1}}, tmp_path / "a"
    )
    ours = minigrad.load(tmp_path / "a")
    assert isinstance(ours["p"], minigrad.nn.Parameter) and ours["p"].requires_grad
    assert ours["size"] == (1, 2) and ours["d"].type == "cpu" and ours["t"] is minigrad.float16 and ours["s"] == {1}


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/minigrad-was-here",)


def archive(path, pickled, members=(), compress=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compress) as z:
        z.writestr("a/data.pkl", pickled)
        for name, data in members:
            z.writestr(f"a/{name}", data)


def test_programs_are_refused(tmp_path):
    mark = "/tmp/minigrad-was-here"
    archive(tmp_path / "a", pickle.dumps(Evil(), 2))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "b")
    for name in ("a", "b"):
        with pytest.raises(CheckpointError, match="neither a tensor nor a plain value"):
            minigrad.load(tmp_path / name)
    (tmp_path / "c").write_bytes(pickle.dumps(Evil(), 2))
    with pytest.raises(CheckpointError, match="not read"):
        minigrad.load(tmp_path / "c")
    assert not os.path.exists(mark)


@pytest.mark.parametrize(
    "module, name",
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch._utils", "__builtins__"),
        ("torch", "load"),
        ("os", "system"),
    ],
)
def test_other_names_are_refused(module, name, tmp_path):
    archive(tmp_path / "a", b"\x80\x02c" + f"{module}\n{name}\n".encode() + b".")
    with pytest.raises(CheckpointError, match="is not loaded"):
        minigrad.load(tmp_path / "a")


def rebuilt(offset, size, stride, numel=4, key="0", kind="FloatStorage"):
    """The pickle of one tensor, by hand."""

    class Storage:
        pass

    class Pickler(pickle._Pickler):
        def persistent_id(self, obj):
            return ("storage", Global("torch", kind), key, "cpu", numel) if isinstance(obj, Storage) else None

        def save_global(self, obj, name=None):
            self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())

        def save(self, obj, save_persistent_id=True):
            if isinstance(obj, Global):
                return self.save_global(obj)
            return super().save(obj, save_persistent_id)

    class Global:
        def __init__(self, module, name):
            self.module, self.name = module, name

    import io

    file = io.BytesIO()
    p = Pickler(file, 2)
    p.write(b"\x80\x02")
    p.save(Global("torch._utils", "_rebuild_tensor_v2"))
    p.save((Storage(), offset, size, stride, False, None))
    p.write(b"R.")
    return file.getvalue()


DATA = np.arange(4, dtype=np.float32).tobytes()


def test_the_hand_made_pickle_is_read_when_it_is_right(tmp_path):
    archive(tmp_path / "a", rebuilt(1, (3,), (1,)), [("data/0", DATA)])
    assert minigrad.load(tmp_path / "a").tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "pickled, data",
    [
        (rebuilt(0, (5,), (1,)), DATA),
        (rebuilt(2, (3,), (1,)), DATA),
        (rebuilt(0, (2,), (4,)), DATA),
        (rebuilt(0, (2,), (-1,)), DATA),
        (rebuilt(-1, (2,), (1,)), DATA),
        (rebuilt(0, (2**62,), (0,)), DATA),
        (rebuilt(0, (2, 2), (1,)), DATA),
        (rebuilt(0, (2.0,), (1,)), DATA),
        (rebuilt(0, (1,) * 65, (1,) * 65), DATA),
        (rebuilt(0, (4,), (1,), numel=2**60), DATA),
        (rebuilt(0, (4,), (1,), numel=-1), DATA),
        (rebuilt(0, (4,), (1,), key="../../etc/passwd"), DATA),
        (rebuilt(0, (4,), (1,), key="1"), DATA),
        (rebuilt(0, (4,), (1,)), DATA[:-1]),
        (rebuilt(0, (4,), (1,)), DATA + b"\0"),
        (rebuilt(0, (4,), (1,), kind="BoolStorage"), b"\0\1\2\0"),
        (rebuilt(0, (4,), (1,), kind="Module"), DATA),
    ],
)
def test_tensors_that_do_not_fit_their_storage_are_refused(pickled, data, tmp_path):
    archive(tmp_path / "a", pickled, [("data/0", data)])
    with pytest.raises(CheckpointError):
        minigrad.load(tmp_path / "a")


def test_compressed_members_are_refused(tmp_path):
    archive(tmp_path / "a", rebuilt(0, (4,), (1,)), [("data/0", DATA)], zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="compressed"):
        minigrad.load(tmp_path / "a")


def test_damaged_archives(tmp_path):
    torch.save({"a": torch.arange(4.0)}, tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    path = tmp_path / "b"
    for n in range(4, len(whole), 7):
        path.write_bytes(whole[:n])
        with pytest.raises(CheckpointError):
            minigrad.load(path)
    for i in range(4, len(whole), 3):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1 :])
        try:
            ours = minigrad.load(path)
        except CheckpointError:
            continue
        assert all(t.tolist() == [0.0, 1.0, 2.0, 3.0] for t in ours.values())


def test_archives_of_other_programs(tmp_path):
    with zipfile.ZipFile(tmp_path / "a", "w") as z:
        z.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"no data.pkl"):
        minigrad.load(tmp_path / "a")
