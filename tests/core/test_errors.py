"""Refusals of single operations that are no line of their own elsewhere: class and text."""

import pytest

import minigrad
from minigrad import DtypeError, GraphError, ShapeError, arange, ones, tensor, zeros
from minigrad.ops import conv, index, join, loss, matmul, pool, shape

pytestmark = pytest.mark.usefixtures("backend")
BOOL = tensor([True])

CASES = {
    "no tensor": (lambda: minigrad.exp([1.0]), TypeError, "exp(): argument 'input' (position 1) must be Tensor, not list: got [1.0]"),
    "no operand": (lambda: ones(2) + "a", TypeError, "add(): argument 'other' must be Tensor or a number, not str"),
    "two numbers": (lambda: minigrad.add(1, 2), TypeError, "add(): argument 'input' must be Tensor, not int"),
    "bool minus": (lambda: BOOL - BOOL, DtypeError, "Subtraction, the `-` operator, with a bool tensor is not supported"),
    "minus bool": (lambda: -BOOL, DtypeError, "Negation, the `-` operator, on a bool tensor is not supported"),
    "rounding": (lambda: minigrad.div(ones(1), ones(1), rounding_mode="up"), ShapeError, "but found 'up'"),
    "alpha": (lambda: minigrad.add(arange(2), arange(2), alpha=0.5), DtypeError, "argument alpha must not be a floating point number"),
    "bits of floats": (lambda: ones(1) & 1, DtypeError, "expected integers or bools"),
    "not of floats": (lambda: ~ones(1), DtypeError, "bitwise_not(): expected integers or bools, but got minigrad.float32"),
    "relu of bool": (lambda: BOOL.relu(), DtypeError, "Boolean inputs not supported for relu"),
    "mean of whole": (lambda: arange(2).mean(), DtypeError, "Input dtype must be either a floating point or complex dtype"),
    "var of whole": (lambda: arange(2).var(), DtypeError, "only support floating point and complex dtypes"),
    "softmax of whole": (lambda: arange(2).softmax(0), DtypeError, '"softmax" not implemented for minigrad.int64'),
    "norm of whole": (lambda: arange(2).norm(), DtypeError, "Expected a floating point or complex tensor as input"),
    "norm p": (lambda: ones(2).norm("sum"), ShapeError, "p must be a number, 'fro', 'nuc' or inf, but got 'sum'"),
    "max of nothing": (lambda: zeros(0).max(), ShapeError, "Expected reduction dim to be specified for input.numel() == 0"),
    "max along nothing": (lambda: zeros(0, 2).max(0), IndexError, "Expected reduction dim 0 to have non-zero size"),
    "argmax of nothing": (lambda: zeros(0).argmax(), IndexError, "Expected reduction dim to be specified"),
    "amax along nothing": (lambda: zeros(0, 2).amax(0), IndexError, "to have non-zero size"),
    "dim type": (lambda: ones(2).sum("a"), TypeError, "argument 'dim' must be int, not str"),
    "where": (lambda: minigrad.where(ones(2), 1, 2), TypeError, "expected condition to be a boolean tensor, but got minigrad.float32"),
    "permute": (lambda: ones(2, 3).permute(0), ShapeError, "input.dim() = 2 is not equal to len(dims) = 1"),
    "permute twice": (lambda: ones(2, 3).permute(0, 0), ShapeError, "appears multiple times"),
    "t": (lambda: ones(1, 1, 1).t(), ShapeError, "t() expects a tensor with <= 2 dimensions, but self is 3D"),
    "flatten": (lambda: ones(2, 3).flatten(1, 0), ShapeError, "start_dim cannot come after end_dim"),
    "movedim": (lambda: minigrad.movedim(ones(2, 3), (0, 1), 0), ShapeError, "Invalid source or destination dims"),
    "expand few": (lambda: ones(2, 3).expand(3), ShapeError, "must be greater or equal to the number of dimensions"),
    "expand -1": (lambda: ones(3).expand(-1, 3), ShapeError, "expand(): size -1 is not allowed at dimension 0"),
    "sum_to_size": (lambda: ones(2, 3).sum_to_size(2, 2), ShapeError, "size [2, 2] is not expandable to size [2, 3]"),
    "narrow": (lambda: ones(3).narrow(0, 2, 2), ShapeError, "start (2) + length (2) exceeds dimension size (3)."),
    "roll": (lambda: minigrad.roll(ones(2, 2), 1, (0, 1)), ShapeError, "shifts and dimensions must align. shifts: 1, dims:2"),
    "pad odd": (lambda: shape.pad(ones(2), (1,)), ShapeError, "must be even and at most twice the input's 1 dimensions"),
    "pad away": (lambda: shape.pad(ones(2), (-2, -1)), ShapeError, "resulted in a negative output size"),
    "size": (lambda: zeros(2, "3"), TypeError, "argument 'shape' must be tuple of ints, but found element '3'"),
    "cat nothing": (lambda: join.cat([]), ShapeError, "expected a non-empty list of Tensors"),
    "cat types": (lambda: join.cat([ones(1), 1]), TypeError, "expected Tensor as element 1 in argument 0, but got int"),
    "cat ranks": (lambda: join.cat([ones(1), ones(1, 1)]), ShapeError, "Tensors must have same number of dimensions: got 1 and 2"),
    "stack nothing": (lambda: join.stack([]), ShapeError, "stack expects a non-empty TensorList"),
    "split 0": (lambda: ones(3).split(0), ShapeError, "split_size"),
    "split sum": (lambda: ones(3).split([1, 1]), ShapeError, "expects split_sizes to sum exactly to 3"),
    "chunk": (lambda: ones(3).chunk(0), ShapeError, "chunk expects `chunks` to be greater than 0, got: 0"),
    "repeat": (lambda: ones(2, 3).repeat(2), ShapeError, "can not be smaller than number of dimensions of tensor"),
    "gather type": (lambda: ones(2).gather(0, ones(1)), DtypeError, "gather(): Expected dtype int64 for index, but got minigrad.float32"),
    "gather rank": (lambda: ones(2, 2).gather(0, arange(2)), ShapeError, "must have the same number of dimensions as input tensor"),
    "gather size": (lambda: ones(2, 2).gather(0, zeros(1, 3).long()), ShapeError, "Size does not match at dimension 1"),
    "select rank": (lambda: ones(2).index_select(0, zeros(1, 1).long()), ShapeError, "Index is supposed to be a vector"),
    "select bound": (lambda: ones(2).index_select(0, tensor([2])), IndexError, "index out of range in self"),
    "take bound": (lambda: ones(2).take(tensor([-3])), IndexError, "index -3 is out of bounds for dimension 0 with size 2"),
    "scatter type": (lambda: ones(2).scatter(0, arange(1), ones(1).double()), DtypeError, "Expected self.dtype to be equal to src.dtype"),
    "scatter reduce": (lambda: index.scatter(ones(2), 0, arange(1), ones(1), reduce="max"), ShapeError, "use scatter_reduce"),
    "scatter src": (lambda: ones(3).scatter(0, arange(3), ones(2)), ShapeError, "to be no larger than src [2]"),
    "fill": (lambda: ones(2).fill_(ones(2)), ShapeError, "fill_ only supports 0-dimension value tensor"),
    "masked_fill": (lambda: ones(1).masked_fill(BOOL, ones(2)), ShapeError, "0-dimensional value tensor, but got tensor with 1"),
    "matmul type": (lambda: ones(2) @ [1.0, 2.0], TypeError, "matmul(): argument 'other' must be Tensor, not list"),
    "dot sizes": (lambda: ones(2) @ ones(3), ShapeError, "inconsistent tensor size, expected tensor [2] and src [3]"),
    "dot ranks": (lambda: matmul.dot(ones(2, 2), ones(2)), ShapeError, "1D tensors expected, but got 2D and 1D tensors"),
    "mm": (lambda: matmul.mm(ones(2), ones(2, 2)), ShapeError, "argument 'input' must be a 2-D tensor, but got shape [2]"),
    "matmul stacks": (lambda: ones(2, 1, 3) @ ones(3, 3, 1), ShapeError, "The size of tensor a (2) must match the size of tensor b (3)"),
    "linear weight": (lambda: matmul.linear(ones(2, 3), ones(1, 2, 3)), ShapeError, "weight must be a 1-D or 2-D tensor"),
    "diagonal": (lambda: ones(2, 2).diagonal(0, 1, 1), ShapeError, "diagonal dimensions cannot be identical"),
    "einsum count": (lambda: minigrad.einsum("ij,jk->ik", ones(2, 2)), ShapeError, "with 1 operands"),
    "einsum rank": (lambda: minigrad.einsum("ijk->i", ones(2, 2)), ShapeError, "does not match the number of dimensions (2) for operand 0"),
    "einsum size": (lambda: minigrad.einsum("ij,jk", ones(2, 3), ones(2, 2)), ShapeError, "subscript j has size 2 which does not"),
    "einsum name": (lambda: minigrad.einsum("ij->k", ones(2, 2)), ShapeError, "output subscript k does not appear in the equation"),
    "divisor": (lambda: pool.avg_pool2d(ones(1, 1, 2, 2), 2, divisor_override=0), ShapeError, "divisor must be not zero"),
    "avg of whole": (lambda: pool.avg_pool2d(ones(1, 1, 2, 2).long(), 2), DtypeError, "expected a floating point input"),
    "unpool": (lambda: pool.max_unpool2d(ones(1, 1, 1), zeros(1, 1, 2).long(), 2), ShapeError, "Expected shape of indices"),
    "unfold rank": (lambda: conv.unfold(ones(2, 2), 1), ShapeError, "Expected 3D or 4D (batch mode) tensor for unfold()"),
    "fold rank": (lambda: conv.fold(ones(2), (2, 2), 1), ShapeError, "Expected 2D or 3D (batch mode) tensor for fold()"),
    "smoothing": (lambda: loss.cross_entropy(ones(1, 2), tensor([0]), label_smoothing=2.0), ShapeError, "between 0.0 and 1.0. Got: 2.0"),
    "target shape": (lambda: loss.nll_loss(ones(2, 3, 2), zeros(2, 3).long()), ShapeError, "Expected target size [2, 2], got [2, 3]"),
    "mse target": (lambda: loss.mse_loss(ones(2), [1.0, 2.0]), TypeError, "argument 'target' must be Tensor, not list"),
    "view dtype": (lambda: ones(2, requires_grad=True).view(minigrad.int32).float().sum().backward(), RuntimeError, ""),
    "linspace": (lambda: minigrad.linspace(0, 1, -1), ShapeError, "number of steps must be non-negative, but got -1"),
    "grad batched": (lambda: minigrad.autograd.grad(ones(1), ones(1), is_grads_batched=True), NotImplementedError, "is not supported"),
    "seeds": (lambda: minigrad.autograd.backward([ones(1)], [None, None]), GraphError, "got 1 tensors and 2 gradients"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_class_and_the_text(name):
    call, kind, text = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)
