"""The operations: one op is one class, its forward and its derivative side by side.

Ops work on arrays through their backend and differentiate themselves with other ops, called as
functions. `minigrad.tensor` hangs them on Tensor as methods.
"""
