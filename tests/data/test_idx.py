"""The IDX format and bounded gzip."""

import gzip
import struct

import numpy as np
import pytest
from small_mnist import idx

from minigrad.datasets.idx import parse_idx, read_idx


@pytest.mark.parametrize(
    ("kind", "dtype"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (2, 3, 4)])
def test_idx_round_trip(kind, dtype, shape, tmp_path):
    array = (np.arange(np.prod(shape)) - 2).astype(dtype).reshape(shape)
    for content in (idx(array, kind), gzip.compress(idx(array, kind))):
        (tmp_path / "file").write_bytes(content)
        got = read_idx(tmp_path / "file")
        assert got.dtype == np.dtype(dtype) and got.dtype.isnative and got.flags.writeable
        np.testing.assert_array_equal(got, array)


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3), 0x08)
BROKEN = [
    (b"", "not an IDX file: wrong magic number 0x00"),
    (GOOD[:3], "not an IDX file"),
    (b"\1" + GOOD[1:], "wrong magic number 0x01000802"),
    (b"\0\0\7" + GOOD[3:], "wrong magic number 0x00000702"),
    (b"\0\0\10\0" + GOOD[4:], "wrong magic number 0x00000800"),
    (GOOD[:7], "header of 2 axes is not complete"),
    (GOOD[:-1], r"shape \(2, 3\) and type uint8 has 18 bytes, but this one has 17"),
    (GOOD + b"x", r"has 18 bytes, but this one has more"),
    (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**31) + b"x", "but this one has 17"),
]


@pytest.mark.parametrize(("content", "text"), BROKEN)
def test_broken_idx(content, text, tmp_path):
    with pytest.raises(ValueError, match=text):
        parse_idx(content)
    (tmp_path / "file").write_bytes(content)
    if "2147" not in text and len(content) != 17:
        with pytest.raises(ValueError, match=text):
            read_idx(tmp_path / "file")


def test_an_idx_header_that_promises_too_much_is_not_believed(tmp_path):
    bomb = struct.pack(">BBBB2I", 0, 0, 8, 2, 2**31, 2**31) + bytes(1000)
    for content in (bomb, gzip.compress(bomb)):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(ValueError, match=r"declares shape \(2147483648, 2147483648\), 4611686018427387904 bytes"):
            read_idx(tmp_path / "file")
    (tmp_path / "file").write_bytes(GOOD)
    with pytest.raises(ValueError, match="more than the limit of 5"):
        read_idx(tmp_path / "file", limit=5)


@pytest.mark.parametrize("damage", [lambda z: z[:-9], lambda z: z[:-5] + b"\0\0\0\0\0", lambda z: z[:20] + b"\xff" * 9])
def test_a_damaged_gzip_file_is_named(damage, tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(damage(gzip.compress(idx(np.random.RandomState(0).randint(0, 255, 5000).astype(np.uint8), 8))))
    with pytest.raises(ValueError, match=r"file\.gz: (damaged gzip file|an IDX file)"):
        read_idx(path)
