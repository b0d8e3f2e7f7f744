"""What differs from PyTorch, and why: read by the tests and by the command. Whatever starts to agree must leave these tables."""

from __future__ import annotations

ALL = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool"
WHOLE = "int64 int32 int16 int8 uint8"
NARROW = "float16 bfloat16"

# Results and gradients in float64.
DIFFERENT = {
    "as_strided.partial_views": "strides refer to the tensor's own elements, not to a larger memory that it is a view of",
    "as_strided_scatter": "PyTorch's gradient of a replaced element is 1, not 0, where size is ()",
    "cov": "PyTorch's second gradient in float32 weights of float64 data is rounded to float32 on another way",
    "histogram": "the edges for a tensor without elements",
    "nextafter": "PyTorch says its result can be differentiated, and then refuses",
    "special.bessel_j0": "PyTorch's is exact to seven digits only for negative numbers",
    "special.bessel_j1": "PyTorch's is exact to seven digits only for negative numbers",
    "special.bessel_y1": "PyTorch's is exact to seven digits only around its zeros",
}

EMPTY = "PyTorch looks at the type after it has found nothing to do"

# Element types: entry -> (types, reason).
TYPES = {
    "as_strided.partial_views": (ALL, DIFFERENT["as_strided.partial_views"]),
    "nn.functional.avg_pool1d": ("int64", "averages of integers, of which PyTorch has those of int64"),
    "nn.functional.avg_pool2d": ("int64", "averages of integers, of which PyTorch has those of int64"),
    "nn.functional.avg_pool3d": (
        f"int64 {NARROW}",
        "int64 as above; half precision, which PyTorch has on GPUs alone, is served",
    ),
    "nn.functional.local_response_norm": ("int64", "averages of integers, of which PyTorch has those of int64"),
    "nn.functional.conv1d": ("int32 int16 int8 uint8 bool", "integers are served with dilation, too, and truth values"),
    "nn.functional.conv2d": ("int32 int16 int8 uint8 bool", "integers are served with dilation, too, and truth values"),
    "nn.functional.conv3d": ("int32 int16 int8 uint8 bool", "integers are served with dilation, too, and truth values"),
    "nn.functional.linear": ("bool", "truth values are served"),
    "nn.functional.max_pool1d": (WHOLE, "integers are served, with and without return_indices"),
    "nn.functional.max_pool2d": ("bool", "truth values are served"),
    "nn.functional.interpolate.bicubic": (
        "uint8",
        "pixels beyond the range are cut off at the end, not after every axis",
    ),
    "nn.functional.embedding_bag": (f"{WHOLE} bool", "integers as weights are served"),
    "nn.functional.mse_loss": (WHOLE, "integers are served where nothing is averaged"),
    "nn.functional.hinge_embedding_loss": ("uint8", "a margin below 0 wraps around elsewhere"),
    "round.decimals_0": (WHOLE, "0 decimals are none: PyTorch accepts that of integers only if they are not mentioned"),
    "index_reduce.amax": ("bool", EMPTY),
    "index_reduce.amin": ("bool", EMPTY),
    "index_reduce.prod": ("bool", EMPTY),
    "kthvalue": ("bool", "PyTorch looks at the type after it has found a single element"),
    "log_softmax": (f"{WHOLE} bool", EMPTY),
    "softmax": (f"{WHOLE} bool", EMPTY),
    "nn.functional.softmin": (WHOLE, EMPTY),
    "nn.functional.embedding": (f"{WHOLE} bool", "integers as weights are served, with max_norm, too"),
    "masked.median": (f"{WHOLE} bool", "a row of integers of which the mask shows nothing is refused by PyTorch"),
    "histogram": (NARROW, EMPTY),
    "nn.functional.pdist": (NARROW, EMPTY),
    "scatter_reduce.mean": ("bool", "truth values are served"),
    "addmm.decomposed": ("bool", "truth values are served"),
    "tensordot": ("bool", "truth values are multiplied by matmul, which refuses them"),
    "special.bessel_j0": ("float64", DIFFERENT["special.bessel_j0"]),
    "special.bessel_j1": ("float64", DIFFERENT["special.bessel_j1"]),
    "special.bessel_y0": (f"float32 {WHOLE} bool", "at 0 PyTorch's float32 gives nan, not -inf"),
    "special.bessel_y1": (f"float64 float32 {WHOLE} bool", "at 0 PyTorch's float32 gives nan, not -inf"),
}

NONE = "None in place of an argument counts as none given"
LATE = "PyTorch notices it before it looks whether there is anything to do"
OUT = "out= may share memory with the inputs: the result is computed first"

# Bad calls.
CALLS = {
    "nn.functional.avg_pool1d": TYPES["nn.functional.avg_pool1d"][1],
    "nn.functional.avg_pool2d": TYPES["nn.functional.avg_pool2d"][1],
    "nn.functional.avg_pool3d": TYPES["nn.functional.avg_pool1d"][1],
    "nn.functional.local_response_norm": TYPES["nn.functional.avg_pool1d"][1],
    "nn.functional.conv3d": "integers as the bias of floating weights",
    "nn.functional.instance_norm": "integers as running statistics",
    "nn.functional.rms_norm": "integers as weights",
    "arange": "a step that rounds to 0 in an integer type",
    "cat": "a tensor counts as the list of its rows; out= may share memory with the inputs",
    "cumulative_trapezoid": f"{NONE}; x and y of different ranks",
    "diff": "no dimension is refused where there are no elements, except one that does not exist",
    "gather": OUT,
    "index_select": OUT,
    "logaddexp2": "integers beside float64 are promoted before, not after, the first logarithm",
    "masked.median": NONE,
    "masked.logaddexp": "integers beside float64 give integers in PyTorch",
    "masked_fill": "a complex number into integers",
    "masked_select": OUT,
    "max.binary": NONE,
    "max.reduction_with_dim": NONE,
    "median": NONE,
    "min.binary": NONE,
    "min.reduction_with_dim": NONE,
    "nanmedian": NONE,
    "nanquantile": "a list of numbers is taken for q",
    "narrow": "a truth value as start",
    "narrow_copy": "1.5 as start is cut to 1",
    "nn.functional.adaptive_max_pool1d": NONE,
    "nn.functional.batch_norm": "parameters must be vectors, not tensors of as many elements",
    "nn.functional.gaussian_nll_loss": "integers as variances",
    "nn.functional.linear_cross_entropy": "ignore_index beside probabilities; images of classes",
    "nn.functional.linear_cross_entropy.chunked": "ignore_index beside probabilities; images of classes",
    "nn.functional.linear_cross_entropy.chunked_none": "ignore_index beside probabilities; images of classes",
    "nn.functional.max_pool1d": TYPES["nn.functional.max_pool1d"][1],
    "polygamma.polygamma_n_0": "the 1000th derivative, whose factor is beyond float64",
    "polygamma.polygamma_n_1": "the 1000th derivative, whose factor is beyond float64",
    "polygamma.polygamma_n_2": "the 1000th derivative, whose factor is beyond float64",
    "polygamma.polygamma_n_3": "the 1000th derivative, whose factor is beyond float64",
    "polygamma.polygamma_n_4": "the 1000th derivative, whose factor is beyond float64",
    "prod": NONE,
    "quantile": "a list of numbers is taken for q",
    "roll": LATE,
    "round.decimals_0": TYPES["round.decimals_0"][1],
    "special.bessel_j0": DIFFERENT["special.bessel_j0"],
    "special.bessel_j1": DIFFERENT["special.bessel_j1"],
    "special.bessel_y0": TYPES["special.bessel_y0"][1],
    "special.bessel_y1": TYPES["special.bessel_y1"][1],
    "special.polygamma.special_polygamma_n_0": "the 1000th derivative, whose factor is beyond float64",
    "take": OUT,
    "take_along_dim": "PyTorch reads beyond the dimension",
    "to": "3 as a device, 2.5 as a truth value, a memory format for a rank that has none",
    "trapezoid": f"{NONE}; x and y of different ranks",
    "trapz": f"{NONE}; x and y of different ranks",
    "unfold_copy": "1.5 as step is cut to 1",
    "unravel_index": "PyTorch does not look whether an index is in the shape",
}

# Tensors laid out otherwise.
LAYOUTS = {
    "as_strided": "strides refer to the order of elements, not to the memory of a transposed tensor",
    "as_strided.partial_views": DIFFERENT["as_strided.partial_views"],
    "as_strided_copy": "strides refer to the order of elements, not to the memory of a transposed tensor",
    "as_strided_scatter": DIFFERENT["as_strided_scatter"],
    "masked.std": "PyTorch's gradient of a row of which the mask shows nothing is nan, not 0",
    "masked.median": "PyTorch reads beyond the memory of an expanded tensor",
    "median": "PyTorch reads beyond the memory of an expanded tensor",
    "nanmedian": "PyTorch reads beyond the memory of an expanded tensor",
    "nextafter": DIFFERENT["nextafter"],
    "norm.nuc": "the second derivative where singular values are equal",
    "nn.functional.ctc_loss": "PyTorch has no second derivative",
}

# Other forms: methods, in-place methods.
FORMS = {
    "addbmm": "addbmm_ gives a vector of one element the result's shape in PyTorch",
    "as_strided": "Tensor.as_strided_ is missing",
    "as_strided.partial_views": DIFFERENT["as_strided.partial_views"],
}

# Operators on pairs of types.
PAIRS = {
    "pow": "a Python number that int8 or uint8 cannot hold wraps around",
    "ipow": "a Python number that int8 or uint8 cannot hold wraps around",
    "where": "a Python number that int8 or uint8 cannot hold wraps around",
    "clamp_min": "a bound below 0 for uint8 is refused",
}
