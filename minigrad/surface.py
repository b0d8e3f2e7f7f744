"""The table of what exists beyond the core: PyTorch's functions, where each one lives and in which forms it comes.

Nothing of it is loaded before it is used. A name is looked up here by `minigrad.f` (the package's `__getattr__`)
and by `Tensor.f`, whose places hold a small stand-in until then; what is found takes the stand-in's place.

A new operation is one function, as a rule in `minigrad/ops`, and one word here. The letters say its forms:

    f  minigrad.f(input, ...)      i  Tensor.f_(...), in place
    m  Tensor.f(...)               p  Tensor.f, a property

Which functions take out= is said in minigrad/ops/out.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

from minigrad.ops.checked import checked
from minigrad.ops.inplace import inplace
from minigrad.ops.numpy_names import renamed
from minigrad.ops.out import RULE, with_out

TABLE: dict[str, dict[str, str]] = {
    "ops.pointwise": {
        "fmi": "addcdiv addcmul bitwise_left_shift bitwise_right_shift clamp_max clamp_min copysign deg2rad exp2 float_power "
        "frac gcd heaviside hypot lcm ldexp lerp logit nan_to_num nextafter rad2deg sgn sinc square xlogy",
        "fm": "fmax fmin isneginf isposinf logaddexp logaddexp2 signbit "
        "frexp isclose isfinite isinf isnan isreal positive",
        "f": "fill rsub",
    },
    "ops.special": {
        "fmi": "digamma erf erfc erfinv i0 igamma igammac lgamma mvlgamma",
        "f": "polygamma",
    },
    "ops.order": {
        "fm": "aminmax argsort cummax cummin isin kthvalue median mode msort nanmedian nanquantile quantile sort topk "
        "unique unique_consecutive",
        "f": "bucketize searchsorted",
    },
    "ops.statistics": {
        "fmi": "renorm",
        "fm": "diff histc logcumsumexp nanmean nansum bincount corrcoef cov dist histogram",
        "f": "cdist cumulative_trapezoid gradient trapezoid",
    },
    "ops.matrices": {
        "fmi": "addbmm addmv addr tril triu",
        "fm": "cross diag inner kron vdot diag_embed diagflat trace",
        "f": "block_diag cartesian_prod chain_matmul combinations meshgrid tril_indices triu_indices vander",
    },
    "ops.linalg": {
        "fm": "det logdet matrix_exp matrix_power",
    },
    "ops.views": {
        "fm": "argwhere as_strided dsplit fliplr flipud hsplit narrow_copy nonzero_static ravel repeat_interleave rot90 select "
        "split_with_sizes tensor_split vsplit",
        "m": "bfloat16 unfold",
        "f": "alias_copy as_strided_copy atleast_1d atleast_2d atleast_3d  broadcast_tensors constant_pad_nd "
        "diagonal_copy expand_copy permute_copy  select_copy split_copy split_with_sizes_copy squeeze_copy t_copy "
        "transpose_copy unbind_copy unfold_copy unsqueeze_copy view_copy "
        "column_stack dstack hstack vstack",
    },
    "ops.draws": {
        "m": "bernoulli_ cauchy_ exponential_ geometric_ log_normal_ normal_ random_ uniform_",
    },
    "extras": {
        "fm": "adjoint cholesky conj is_nonzero is_pinned qr real slogdet svd",
        "m": "ndimension new pin_memory register_post_accumulate_grad_hook share_memory_",
        "p": "is_cpu is_quantized is_sparse itemsize mH nbytes",
        "f": "BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor LongTensor ShortTensor "
        "are_deterministic_algorithms_enabled asarray broadcast_shapes compile get_default_device get_float32_matmul_precision "
        "get_num_interop_threads is_complex result_type set_flush_denormal set_num_interop_threads set_warn_always "
        "scalar_tensor set_default_device set_default_tensor_type set_float32_matmul_precision typename unravel_index "
        "use_deterministic_algorithms vmap",
    },
    "sparse": {
        "f": "sparse_coo_tensor spmm",
        "m": "coalesce to_dense to_sparse",
    },
    "amp.autocast": {
        "f": "clear_autocast_cache get_autocast_dtype is_autocast_cache_enabled is_autocast_enabled set_autocast_cache_enabled "
        "set_autocast_dtype",
    },
    "ops.norms": {
        "fm": "norm",
    },
    "memory": {
        "fm": "is_conj is_distributed is_neg is_same_size resize_as_ resolve_conj resolve_neg",
        "f": "detach get_device is_signed",
        "m": "dim_order is_set_to is_shared map2_ map_ resize_ set_ storage storage_offset untyped_storage",
        "p": "H is_ipu is_maia is_meta is_mkldnn is_mps is_mtia is_nested is_sparse_csr is_vulkan is_xla is_xpu retains_grad",
    },
    "ops.householder": {
        "fm": "geqrf",
    },
    "ops.shape_inplace": {
        "m": "fill_diagonal_ squeeze_ t_ transpose_ unsqueeze_",
    },
    "ops.writes": {
        "fm": "as_strided_scatter diagonal_scatter select_scatter slice_scatter",
        "fmi": "index_copy index_put index_reduce masked_scatter put scatter_reduce",
    },
}

# Other names of the same functions; the target may be one of the core's.
ALIASES: dict[str, str] = {
    "allclose": "allclose", "bernoulli": "creation.bernoulli", "equal": "equal", "multinomial": "creation.multinomial",
    "inverse": "linalg.inv", "pinverse": "linalg.pinv", "row_stack": "vstack", "trapz": "trapezoid",
    "unsafe_chunk": "chunk", "unsafe_split": "split", "unsafe_split_with_sizes": "split_with_sizes",
}  # fmt: skip


# What stands in nn.functional and is also a function of minigrad itself, as in PyTorch.
DOORS = (
    "adaptive_avg_pool1d adaptive_max_pool1d alpha_dropout avg_pool1d batch_norm bilinear celu celu_ channel_shuffle conv1d conv3d "
    "conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity dropout feature_alpha_dropout group_norm hardshrink "
    "layer_norm max_pool1d max_pool3d pairwise_distance pdist pixel_shuffle pixel_unshuffle prelu rms_norm rrelu selu selu_ "
    "threshold threshold_"
)
ALIASES.update({name: f"nn.functional.{name}" for name in DOORS.split()})

# In-place methods that PyTorch has as functions, too.
IN_PLACE_FUNCTIONS = (
    "abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_ ceil_ clamp_ "
    "clamp_max_ clamp_min_ clip_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp_ exp2_ expm1_ fill_ fix_ floor_ frac_ gcd_ i0_ "
    "index_put_ lcm_ ldexp_ log_ log10_ log1p_ log2_ logit_ nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_ round_ "
    "rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_"
)


class Entry(NamedTuple):
    """Where an operation is defined and in which forms it comes."""

    module: str
    forms: str


ENTRIES: dict[str, Entry] = {
    name: Entry(module, forms)
    for module, rows in TABLE.items()
    for forms, names in rows.items()
    for name in names.split()
}


def operation(name: str) -> Any:
    """The operation's plain function."""
    return getattr(import_module(f"minigrad.{ENTRIES[name].module}"), name)


def function(name: str) -> Any:
    """What `minigrad.name` is; None if there is no such function."""
    if name in ALIASES:
        module, _, target = f"minigrad.{ALIASES[name]}".rpartition(".")
        return behind_door(name, getattr(import_module(module), target))
    if name in IN_PLACE_FUNCTIONS.split():
        return getattr(import_module("minigrad.tensor").Tensor, name)
    entry = ENTRIES.get(name)
    if entry is None or "f" not in entry.forms:
        return None
    return behind_door(name, operation(name))


def behind_door(name: str, found: Any) -> Any:
    """What `minigrad.name` is, if the plain function is found: its arguments checked, and with out=, where it has that."""
    if found.__module__ == "minigrad":
        return found
    found = checked(found)
    return renamed(with_out(name, found) if name in RULE else found)


def functions() -> Iterator[str]:
    """The names of all functions that the table adds to minigrad."""
    yield from ALIASES
    yield from IN_PLACE_FUNCTIONS.split()
    for name, (_, forms) in ENTRIES.items():
        if "f" in forms:
            yield name


def methods() -> Iterator[str]:
    """The names of all methods that the table adds to Tensor, in-place forms included."""
    for name, (_, forms) in ENTRIES.items():
        if "m" in forms or "p" in forms:
            yield name
        if "i" in forms:
            yield f"{name}_"
    for alias, name in ALIASES.items():
        if not name.startswith("nn.") and (name not in ENTRIES or "m" in ENTRIES[name].forms):
            yield alias


def method(name: str) -> Any:
    """What `Tensor.name` is."""
    if name in ALIASES:
        return function(name)
    if name in ENTRIES:
        return property(operation(name)) if "p" in ENTRIES[name].forms else renamed(checked(operation(name)))
    return inplace(name, checked(operation(name[:-1])))


class Later:
    """A method that takes its own place in the class when it is first asked for."""

    __slots__ = ("name", "owner")

    def __init__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner, name

    def __get__(self, instance: Any, owner: type) -> Any:
        found = method(self.name)
        setattr(self.owner, self.name, found)
        return found.__get__(instance, owner) if instance is not None else found


def hang_on(cls: type) -> None:
    """Give a class all methods of the table, to be loaded when they are used."""
    for name in methods():
        setattr(cls, name, Later(cls, name))
