"""Backends that are right pass: the built-in ones, and one that says nothing but the floor."""

import pytest
from kit_floor import Floor

import minigrad
from minigrad.testing import check_backend

INFOS = minigrad.list_backends()


@pytest.mark.parametrize("info", INFOS, ids=[info.name for info in INFOS])
def test_built_in(info):
    if not info.available:
        pytest.skip(f"{info.name}: {info.reason}")
    report = check_backend(info.name, seed=11)
    assert report.ok, report


def test_three_words_are_enough():
    report = check_backend(Floor())
    assert report.ok, report
    tried = {cell.operation for cell in report.cells}
    assert {"im2col", "conv2d_weight_grad", "adam_step", "F.conv2d", "F.batch_norm"} <= tried
    assert all(cell.cases for cell in report.cells), [cell for cell in report.cells if not cell.cases]


def test_the_same_seed_repeats_a_run_and_another_draws_other_cases():
    def drawn(seed):
        seen = []

        class Listening(Floor):
            def matmul(self, a, b):
                seen.append((a.shape, b.shape, float(a.sum())))
                return super().matmul(a, b)

        assert check_backend(Listening(), seed=seed, operations=["matmul"]).ok
        return seen

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_what_an_operation_is_tried_on_does_not_depend_on_the_others():
    alone = check_backend(Floor(), operations=["linear"])
    together = check_backend(Floor(), operations=["matmul", "linear", "relu"])
    assert [c for c in alone.cells if c.operation == "linear"] == [c for c in together.cells if c.operation == "linear"]


def test_an_unknown_operation():
    with pytest.raises(ValueError, match="no operation is called convolve; there are im2col, col2im"):
        check_backend(Floor(), operations=["convolve"])
