"""Layers of Keras as nodes of a graph: a function for each class of layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.errors import InputError
from voicetraits.export.graph import Graph
from voicetraits.networks.convolution import Conv3x3
from voicetraits.networks.convolution1d import TimeConvolution
from voicetraits.networks.dense import SteadyDense
from voicetraits.networks.layers import HalvingPool, MinMaxScaling
from voicetraits.networks.pooling import LEAST_VARIANCE, AttentiveStatistics, SqueezeExcitation

# What Keras calls an activation, and ONNX an operator.
_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
_TIME = np.array([1])  # axis of (clips, frames, channels)


def add_network(graph: Graph, network: Any, inputs: list[str]) -> list[str]:
    """Add all layers of a network, and of the networks in it.

    Args:
        graph: What to add to.
        network: A keras.Model made of layers that are in LAYERS.
        inputs: Names of its inputs.

    Returns:
        Names of its outputs.

    Raises:
        InputError: If it has a layer of another class.
    """
    names = {id(each): name for each, name in zip(network.inputs, inputs, strict=True)}

    def name_of(tensor: Any) -> str:
        if id(tensor) not in names:
            layer, call, _ = tensor._keras_history
            node = layer._inbound_nodes[call]
            found = _add_layer(graph, layer, [name_of(each) for each in node.input_tensors])
            for output, name in zip(node.output_tensors, found, strict=True):
                names[id(output)] = name
        return names[id(tensor)]

    return [name_of(each) for each in network.outputs]


def _add_layer(graph: Graph, layer: Any, inputs: list[str]) -> list[str]:
    if isinstance(layer, keras.Model):
        return add_network(graph, layer, inputs)
    if type(layer) not in LAYERS:
        raise InputError(
            f"layer {layer.name}: no ONNX for the class {type(layer).__name__}; add a function to "
            "LAYERS in src/voicetraits/export/layers.py"
        )
    return [LAYERS[type(layer)](graph, layer, *inputs)]


def _dense(graph: Graph, layer: Any, x: str) -> str:
    product = graph.add("MatMul", x, graph.weights(_values(layer.kernel), outputs=-1))
    return _activated(graph, layer, graph.add("Add", product, _values(layer.bias)))


def _time_convolution(graph: Graph, layer: Any, x: str) -> str:
    (stride,), (dilation,) = layer.strides, layer.dilation_rate
    padding: dict[str, Any] = {"auto_pad": "SAME_UPPER"}
    if stride == 1:  # ONNX has no "same" for taps that lie apart; Keras, no stride with them
        beyond = (layer.kernel_size[0] - 1) * dilation
        padding = {"pads": [beyond // 2, beyond - beyond // 2]}
    kernel = graph.weights(_values(layer.kernel).transpose(2, 1, 0), outputs=0)
    x = graph.add("Transpose", x, perm=[0, 2, 1])
    x = graph.add("Conv", x, kernel, strides=[stride], dilations=[dilation], **padding)
    x = graph.add("Transpose", x, perm=[0, 2, 1])
    return _activated(graph, layer, _biased(graph, layer, x))


def _convolution(graph: Graph, layer: Any, x: str) -> str:
    kernel = graph.weights(_values(layer.kernel).transpose(3, 2, 0, 1), outputs=0)
    x = _channels_last(graph, x, "Conv", kernel, pads=[1, 1, 1, 1])
    return _activated(graph, layer, _biased(graph, layer, x))


def _halving_pool(graph: Graph, layer: Any, x: str) -> str:
    return _channels_last(graph, x, "MaxPool", kernel_shape=[2, 2], strides=[2, 2])


def _channels_last(graph: Graph, x: str, operator: str, *others: str, **attributes: Any) -> str:
    """An operator on images whose channels come first, given one whose channels come last."""
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.add(operator, x, *others, **attributes)
    return graph.add("Transpose", x, perm=[0, 2, 3, 1])


def _normalisation(graph: Graph, layer: Any, x: str) -> str:
    gamma, beta, mean, variance = map(
        _values, (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    scale = gamma / np.sqrt(variance + np.float32(layer.epsilon))
    return graph.add("Add", graph.add("Mul", x, scale), beta - mean * scale)


def _scaling(graph: Graph, layer: Any, x: str) -> str:
    difference = graph.add("Sub", x, _values(layer.low))
    return graph.add("Unsqueeze", graph.add("Mul", difference, _values(layer.scale)), np.array([3]))


def _squeeze_excitation(graph: Graph, layer: Any, x: str) -> str:
    squeezed = _dense(graph, layer.squeeze, graph.add("ReduceMean", x, _TIME))
    return graph.add("Mul", x, _dense(graph, layer.excite, squeezed))


def _attentive_statistics(graph: Graph, layer: Any, x: str) -> str:
    scores = _dense(graph, layer.score, _dense(graph, layer.look, x))
    weights = graph.add("Softmax", scores, axis=1)

    def mean(values: str) -> str:
        return graph.add("ReduceSum", graph.add("Mul", weights, values), _TIME)

    middle = mean(x)
    difference = graph.add("Sub", x, middle)
    variance = mean(graph.add("Mul", difference, difference))
    deviation = graph.add("Sqrt", graph.add("Add", variance, np.float32(LEAST_VARIANCE)))
    return graph.add("Squeeze", graph.add("Concat", middle, deviation, axis=2), _TIME)


def _permuted(graph: Graph, layer: Any, x: str) -> str:
    return graph.add("Transpose", x, perm=[0, *layer.dims])


def _activated(graph: Graph, layer: Any, x: str) -> str:
    name = layer.activation.__name__
    if name == "linear":
        return x
    if name == "softmax":
        return graph.add("Softmax", x, axis=-1)
    if name not in _ACTIVATIONS:
        raise InputError(
            f"layer {layer.name}: no ONNX for the activation {name}; add it to _ACTIVATIONS in "
            "src/voicetraits/export/layers.py"
        )
    return graph.add(_ACTIVATIONS[name], x)


def _biased(graph: Graph, layer: Any, x: str) -> str:
    return graph.add("Add", x, _values(layer.bias)) if layer.use_bias else x


def _values(variable: Any) -> np.ndarray:
    return np.asarray(variable, dtype=np.float32)


LAYERS: dict[type, Callable[..., str]] = {
    AttentiveStatistics: _attentive_statistics,
    Conv3x3: _convolution,
    HalvingPool: _halving_pool,
    MinMaxScaling: _scaling,
    SqueezeExcitation: _squeeze_excitation,
    SteadyDense: _dense,
    TimeConvolution: _time_convolution,
    keras.layers.Add: lambda graph, _, *inputs: graph.add("Sum", *inputs),
    keras.layers.Average: lambda graph, _, *inputs: graph.add("Mean", *inputs),
    keras.layers.BatchNormalization: _normalisation,
    keras.layers.Concatenate: lambda graph, _, *inputs: graph.add("Concat", *inputs, axis=-1),
    keras.layers.Dropout: lambda _, __, x: x,
    keras.layers.Flatten: lambda graph, _, x: graph.add("Flatten", x, axis=1),
    keras.layers.Permute: _permuted,
    keras.layers.ReLU: lambda graph, _, x: graph.add("Relu", x),
}
