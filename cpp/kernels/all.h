// Everything, as one instruction set compiles it: included by isa/*.cpp alone.
#pragma once
#include "columns.h"
#include "elementwise.h"
#include "fused.h"
#include "gemm.h"
#include "norm.h"
#include "softmax.h"

namespace minigrad {
namespace {

template <class T>
void product_of(const ProductShape& s, const T* a, const T* b, const T* bias, T* c) {
    product(Product<T>{s.m, s.n, s.k, {a, s.a_row, s.a_col}, {b, s.b_row, s.b_col}, {c, s.n, nullptr, bias, false, s.relu}});
}

template <class T>
constexpr Kernels<T> table() {
    return {product_of<T>,      im2col<T>,        col2im<T>,         conv<T>,
            conv_input_grad<T>, conv_weight_grad<T>, bias_grad<T>,   conv_relu_pool<T>,
            pool_relu_grad<T>,  conv_relu_pool_weight_grad<T>, max_pool<T>, max_pool_grad<T>,
            max_pool_gather<T>, avg_pool<T>,      avg_pool_grad<T>,  relu<T>,
            relu_grad<T>,       sigmoid<T>,       sigmoid_grad<T>,   tanh<T>,
            tanh_grad<T>,       softmax<T>,       softmax_grad<T>,   cross_entropy<T>,
            cross_entropy_grad<T>, batch_norm<T>, batch_norm_stats<T>, batch_norm_grad<T>,
            sgd_step<T>,        adam_step<T>};
}

}  // namespace
}  // namespace minigrad
