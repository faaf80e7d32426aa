"""Names of array types by their element; the shape of each array stands in its docstring."""

from typing import Any

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
UInt8Array = npt.NDArray[np.uint8]
Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
UInt32Array = npt.NDArray[np.uint32]
Int64Array = npt.NDArray[np.int64]
UInt64Array = npt.NDArray[np.uint64]
IntegerArray = npt.NDArray[np.integer]
"""Whole numbers of any width: what indexes and labels come as."""
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
FloatingArray = npt.NDArray[np.floating]
"""Floating-point numbers of any width: vectors as a user's file holds them."""
AnyArray = npt.NDArray[Any]
