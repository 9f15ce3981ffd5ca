"""An ONNX graph while it is built: nodes one after the other, and nothing twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

# ReduceMax, ReduceMean and their like take axes as an input from 18 on; every onnxruntime that the
# project allows knows both numbers.
_OPSET, _IR = 18, 9
# Weights from which their bytes count. The first convolution of the original network, which would
# cost the most digits, has fewer.
_LARGE = 8_000
# Bits of a small weight, and what is added to it so that none is negative. Four lie in three bytes.
_BITS, _MIDDLE = 6, 32
_TOGETHER, _BYTES = 4, 3


class Graph:
    """Nodes and constants, to which functions add what they compute.

    Args:
        small: Store large matrices of weights in 6 bits each and a scale for each output, less than
            a fifth of the bytes. They are read as float32.
    """

    def __init__(self, *, small: bool = False) -> None:
        self._small = small
        self._packed: list[np.ndarray] = []
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._names: dict[tuple[Any, ...], str] = {}
        self._found: dict[tuple[Any, ...], str] = {}

    def add(self, operator: str, *inputs: str | np.ndarray | np.generic, **attributes: Any) -> str:
        """Add a node with one output, or find the one that computes the same.

        Networks that begin with the same layers share them.

        Args:
            operator: Name in ONNX.
            inputs: Names of what is in the graph, and constants, whose dtype counts.
            attributes: Of the operator.

        Returns:
            The name of the output.
        """
        given = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        key = (operator, *given, *sorted((name, str(each)) for name, each in attributes.items()))
        if key in self._found:
            return self._found[key]
        self._found[key] = name = f"{operator}_{len(self._nodes)}"
        # The first output alone: of TopK and Unique, the others are of no use here.
        outputs = [name, f"{name}_places"] if operator == "TopK" else [name]
        self._nodes.append(helper.make_node(operator, given, outputs, **attributes))
        return name

    def constant(self, values: np.ndarray | np.generic) -> str:
        """Add a constant, or find the same one."""
        array = np.asarray(values)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = name = f"constant_{len(self._constants)}"
            self._constants.append(numpy_helper.from_array(array, name))
        return self._names[key]

    def weights(self, values: np.ndarray, *, outputs: int) -> str:
        """Add weights, float32 whatever they are stored in.

        Args:
            values: The weights.
            outputs: The axis that has an entry for each output.
        """
        if not self._small or values.size < _LARGE:
            return self.constant(values.astype(np.float32))
        inputs = tuple(axis for axis in range(values.ndim) if axis != outputs % values.ndim)
        largest = np.maximum(np.abs(values).max(axis=inputs, keepdims=True), 1e-30)
        scale = largest / (_MIDDLE - 1)
        whole = self.add("Reshape", self._part(np.round(values / scale)), np.array(values.shape))
        return self.add("Mul", whole, scale.astype(np.float32))

    def _part(self, values: np.ndarray) -> str:
        """Add whole numbers to what is packed, or find the same ones."""
        numbers = values.astype(np.int32).ravel()
        key = ("packed", numbers.tobytes())
        if key not in self._names:
            self._names[key] = f"part_{len(self._packed)}"
            self._packed.append(numbers)
        return self._names[key]

    def mostly_zero(self, values: np.ndarray) -> str:
        """Add a matrix of which few numbers are others than 0, of type float32."""
        places = np.flatnonzero(values)
        flat = self.add("ConstantOfShape", np.array([values.size]))
        others = values.ravel()[places].astype(np.float32)
        filled = self.add("ScatterElements", flat, places.astype(np.int32), others)
        return self.add("Reshape", filled, np.array(values.shape))

    def cast(self, name: str | np.ndarray, dtype: Any) -> str:
        """Add a conversion to another type."""
        return self.add("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def size(self, name: str, *, axis: int = 0) -> str:
        """Add the length of one axis, a number of type int64."""
        shape = self.add("Shape", name, start=axis, end=axis + 1)
        return self.add("Squeeze", shape)

    def range(self, count: str) -> str:
        """Add the numbers from 0 up to a count."""
        return self.add("Range", np.int64(0), count, np.int64(1))

    def name(self, found: str, output: str) -> None:
        """Give a value the name by which callers ask for it."""
        self._nodes.append(helper.make_node("Identity", [found], [output]))

    def model(self, outputs: dict[str, int], *, metadata: dict[str, str]) -> onnx.ModelProto:
        """The checked model.

        Args:
            outputs: Output to its length.
            metadata: What the file says of itself.
        """
        nodes = [*self._unpack(), *self._nodes]
        samples = helper.make_tensor_value_info("samples", onnx.TensorProto.FLOAT, ["n"])
        graph = helper.make_graph(
            nodes,
            "voicetraits",
            [samples],
            [
                helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [length])
                for name, length in outputs.items()
            ],
            self._constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR,
            producer_name="voicetraits",
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _unpack(self) -> list[onnx.NodeProto]:
        """Nodes that give every part of what is packed its name.

        onnxruntime runs them once, when it loads the file, unless it is told not to optimise.
        """
        if not self._packed:
            return []
        last = len(self._nodes)
        self._found = {}  # what comes first takes nothing of what comes later
        together = np.array([1 << 8 * place for place in range(_BYTES)], np.int32)
        apart = np.array([1 << _BITS * place for place in range(_TOGETHER)], np.int32)
        values = np.concatenate(self._packed) + _MIDDLE
        values = np.pad(values, (0, -len(values) % _TOGETHER)).reshape(-1, _TOGETHER)
        packed = (values @ apart)[:, None] // together % 256
        four = self.add("MatMul", self.cast(packed.astype(np.uint8), np.int32), together[:, None])
        each = self.add("Mod", self.add("Div", four, apart), np.int32(1 << _BITS))
        number = self.cast(self.add("Sub", each, np.int32(_MIDDLE)), np.float32)
        flat = self.add("Reshape", number, np.array([-1]))
        sizes = [part.size for part in self._packed]
        used = self.add("Slice", flat, np.array([0]), np.array([sum(sizes)]))
        parts = [f"part_{number}" for number in range(len(sizes))]
        split = helper.make_node("Split", [used, self.constant(np.array(sizes))], parts)
        unpacking = [*self._nodes[last:], split]
        del self._nodes[last:]
        return unpacking
