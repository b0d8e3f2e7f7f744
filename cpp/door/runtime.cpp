// Instruction set, threads, memory, and the arrays that live in the arena.
#include <cxxabi.h>
#include <unistd.h>

#include <cstdlib>

#include "../runtime/arena.h"
#include "../runtime/threads.h"
#include "arrays.h"

namespace minigrad::door {
namespace {

const Isa* chosen = nullptr;
ConvAlgorithm algorithm = ConvAlgorithm::automatic;

void set_isa(const std::string& name) {
    const Isa* found = find_isa(name.c_str());
    if (!found)
        throw py::import_error("MINIGRAD_CPU_ISA=" + name + ": this machine or this build has no such instruction set; there are: " +
                               [] {
                                   std::string all;
                                   for (const char* each : {"portable", "neon", "avx2", "avx512"})
                                       if (find_isa(each)) all += (all.empty() ? "" : ", ") + std::string(each);
                                   return all;
                               }());
    chosen = found;
}

void set_conv_algorithm(const std::string& name) {
    if (name == "auto")
        algorithm = ConvAlgorithm::automatic;
    else if (name == "direct")
        algorithm = ConvAlgorithm::direct;
    else if (name == "gemm")
        algorithm = ConvAlgorithm::gemm;
    else if (name == "winograd")
        algorithm = ConvAlgorithm::winograd;
    else
        throw py::value_error("conv algorithm must be auto, direct, gemm or winograd, but got " + name);
}

void release_block(PyObject* capsule) {
    const auto bytes = reinterpret_cast<size_t>(PyCapsule_GetContext(capsule));
    arena_release(PyCapsule_GetPointer(capsule, nullptr), bytes);
}

std::string shape_text(const int64_t* shape, int ndim) {
    std::string text = "(";
    for (int i = 0; i < ndim; ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + (ndim == 1 ? ",)" : ")");
}

}  // namespace

const Isa& isa() { return *chosen; }
template <>
const Kernels<float>& kernels<float>() {
    return chosen->f32;
}
template <>
const Kernels<double>& kernels<double>() {
    return chosen->f64;
}

// Python's way to end the thread is to unwind its stack, through our frames and their arrays, without
// the GIL. It rests here instead until the process is gone.
void take_gil(PyThreadState* state) {
#ifdef __GLIBCXX__
    try {
        PyEval_RestoreThread(state);
    } catch (abi::__forced_unwind&) {
        for (;;) pause();
    }
#else
    PyEval_RestoreThread(state);
#endif
}

ConvAlgorithm conv_algorithm() { return algorithm; }

py::array make_array(py::handle dtype, const int64_t* shape, int ndim, int64_t item_size) {
    int64_t bytes = item_size;
    bool fits = true;
    for (int i = 0; i < ndim; ++i) fits = fits && !__builtin_mul_overflow(bytes, shape[i], &bytes);
    void* block = nullptr;
    try {
        if (!fits) throw std::bad_alloc();
        block = arena_take(size_t(bytes));
    } catch (const std::bad_alloc&) {
        const std::string size = fits ? std::to_string(bytes) : "over 2**63";
        const std::string what = "can't allocate memory: you tried to allocate " + size + " bytes for shape " + shape_text(shape, ndim);
        PyErr_SetString(PyExc_MemoryError, what.c_str());
        throw py::error_already_set();
    }
    PyObject* capsule = PyCapsule_New(block, nullptr, release_block);
    if (!capsule) {
        arena_release(block, size_t(bytes));
        throw py::error_already_set();
    }
    PyCapsule_SetContext(capsule, reinterpret_cast<void*>(size_t(bytes)));
    const auto owner = py::reinterpret_steal<py::object>(capsule);
    auto& api = py::detail::npy_api::get();
    constexpr int flags = py::detail::npy_api::NPY_ARRAY_WRITEABLE_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
    static_assert(sizeof(Py_intptr_t) == sizeof(int64_t), "shapes are 64-bit");
    PyObject* made = api.PyArray_NewFromDescr_(api.PyArray_Type_, dtype.inc_ref().ptr(), ndim,
                                               reinterpret_cast<const Py_intptr_t*>(shape), nullptr, block, flags, nullptr);
    if (!made) throw py::error_already_set();
    auto array = py::reinterpret_steal<py::array>(made);
    if (api.PyArray_SetBaseObject_(made, owner.inc_ref().ptr()) < 0) throw py::error_already_set();
    return array;
}

std::vector<int64_t> read_shape(py::handle shape) {
    const auto numbers = py::cast<py::sequence>(shape);
    require(numbers.size() == 4, "a shape of 4 numbers was expected");
    std::vector<int64_t> sizes(4);
    for (size_t i = 0; i < 4; ++i) {
        sizes[i] = py::cast<int64_t>(numbers[i]);
        require(sizes[i] >= 0, "a shape has no negative numbers");
    }
    return sizes;
}

WindowArgument read_window(py::handle window) {
    static PyObject* const names[] = {PyUnicode_InternFromString("kernel"), PyUnicode_InternFromString("stride"),
                                      PyUnicode_InternFromString("padding"), PyUnicode_InternFromString("dilation")};
    static PyObject* const ceil_mode = PyUnicode_InternFromString("ceil_mode");
    int64_t values[8];
    for (int i = 0; i < 4; ++i) {
        const auto pair = py::reinterpret_steal<py::object>(PyObject_GetAttr(window.ptr(), names[i]));
        if (!pair) throw py::error_already_set();
        if (!PyTuple_Check(pair.ptr()) || PyTuple_GET_SIZE(pair.ptr()) != 2) throw py::type_error("a window's numbers come in pairs");
        for (int axis = 0; axis < 2; ++axis) {
            const int64_t value = PyLong_AsLongLong(PyTuple_GET_ITEM(pair.ptr(), axis));
            if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
            const int64_t least = i == 2 ? 0 : 1;
            if (value < least || value > 0x7fffffff) throw py::value_error("a window's numbers are out of range");
            values[2 * i + axis] = value;
        }
    }
    const auto ceil = py::reinterpret_steal<py::object>(PyObject_GetAttr(window.ptr(), ceil_mode));
    if (!ceil) throw py::error_already_set();
    return {{values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7]}, ceil.ptr() == Py_True};
}

void out_size(const WindowArgument& window, int64_t h, int64_t w, int64_t& oh, int64_t& ow) {
    const auto along = [&](int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) -> int64_t {
        const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
        if (room < 0 && !(window.ceil_mode && room > -stride)) return 0;
        if (!window.ceil_mode) return room / stride + 1;
        const int64_t count = room < 0 ? 1 : (room + stride - 1) / stride + 1;
        return (count - 1) * stride >= size + padding ? count - 1 : count;
    };
    const WindowShape& s = window.shape;
    oh = along(h, s.kh, s.sh, s.ph, s.dh);
    ow = along(w, s.kw, s.sw, s.pw, s.dw);
    require(oh >= 1 && ow >= 1, "the window does not fit into the padded image");
}

void add_runtime(py::module_& m) {
    const char* wanted = std::getenv("MINIGRAD_CPU_ISA");
    if (wanted && *wanted)
        set_isa(wanted);
    else
        chosen = find_isa(nullptr);
    const char* conv = std::getenv("MINIGRAD_CONV");
    if (conv && *conv) set_conv_algorithm(conv);

    m.def("isa", [] { return isa().name; }, "The instruction set in use.");
    m.def("set_isa", set_isa, "Use another instruction set of this machine.");
    m.def("isas", [] {
        py::list all;
        for (const char* each : {"portable", "neon", "avx2", "avx512"})
            if (find_isa(each)) all.append(each);
        return all;
    }, "All instruction sets of this machine, the best one last.");
    m.def("set_conv_algorithm", set_conv_algorithm);
    m.def("num_threads", num_threads);
    m.def("set_num_threads", set_num_threads);
    m.def("memory_stats", [] {
        const ArenaStats s = arena_stats();
        py::dict d;
        d["allocated"] = s.allocated;
        d["peak"] = s.peak;
        d["reserved"] = s.reserved;
        d["requests"] = s.requests;
        d["fresh"] = s.fresh;
        return d;
    });
    m.def("reset_peak_memory", arena_reset_peak);
    m.def("empty_cache", arena_empty);
    m.def("guard_arena", arena_guard, "For tests: every block ends at a page that nobody may touch.");
    m.def("raise_in_worker", [](int64_t count, int64_t which) {  // for the tests of the thread pool
        int64_t job = which;
        without_gil([&] {
            run_parallel(count, 1, [](void* bad, int64_t begin, int64_t end) {
                const int64_t item = *static_cast<int64_t*>(bad);
                if (item >= begin && item < end) throw std::runtime_error("raised in a worker");
            }, &job);
        });
    });
}

}  // namespace minigrad::door
