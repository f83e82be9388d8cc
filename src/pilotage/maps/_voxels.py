"""The intrinsic of `octree_sphere`, in numba's terms."""

# pyright: basic, reportOptionalCall=false
from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def voxels(typing_context, data, shape):
    """The numbers behind a pointer as an array of a shape."""
    kind = types.Array(data.dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(kind)(context, builder)
        lengths = cgutils.unpack_tuple(builder, args[1])
        size = ir.Constant(ir.IntType(64), context.get_abi_sizeof(context.get_data_type(data.dtype)))
        strides = [size]
        for length in reversed(lengths[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        context.populate_array(array, data=args[0], shape=lengths, strides=strides, itemsize=size, meminfo=None)
        return array._getvalue()

    return kind(data, shape), generate
