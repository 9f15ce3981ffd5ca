"""Constants of an exported graph: however they are stored, they are read as they were."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from voicetraits.export.graph import Graph

LARGE = 8_000  # weights, from which they are stored in few bits


def read_back(
    graph: Graph, names: dict[str, str], sizes: dict[str, int]
) -> tuple[dict[str, np.ndarray], int]:
    """What onnxruntime makes of values of a graph, and the bytes of its constants."""
    for output, name in names.items():
        flat = graph.add("Reshape", name, np.array([-1]))
        # What does not depend on the input would be no output.
        nothing = graph.add("Mul", graph.add("ReduceSum", "samples", keepdims=0), np.float32(0))
        graph.name(graph.add("Add", flat, nothing), output)
    model = graph.model(sizes, metadata={})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run(list(names), {"samples": np.zeros(3, np.float32)})
    stored = sum(onnx.numpy_helper.to_array(each).nbytes for each in model.graph.initializer)
    return dict(zip(names, found, strict=True)), stored


def test_small_weights_are_whole_parts_of_the_largest_of_their_output():
    rng = np.random.default_rng(0)
    # "b" is too small to be packed; no size of the others is a multiple of four.
    shapes = {"a": (101, 81), "b": (3, 7), "c": (3, 67, 41)}
    weights = {
        name: rng.integers(-31, 32, shape).astype(np.float32) for name, shape in shapes.items()
    }
    weights["a"][0], weights["c"][0, 0] = 31, -31
    factors = {"a": 0.25, "b": 0.1, "c": 3.0}
    graph = Graph(small=True)
    names = {
        name: graph.weights(values * np.float32(factors[name]), outputs=-1)
        for name, values in weights.items()
    }
    found, _ = read_back(graph, names, {name: values.size for name, values in weights.items()})
    for name, values in weights.items():
        np.testing.assert_allclose(found[name], values.ravel() * factors[name], rtol=1e-6)


@pytest.mark.parametrize("outputs", [0, 1])
def test_a_small_weight_is_off_by_half_a_part_at_most_and_takes_six_bits(outputs):
    weights = np.random.default_rng(1).normal(size=(200, 300)).astype(np.float32)
    weights[:, 3] *= 100  # an output of its own scale
    graph = Graph(small=True)
    name = graph.weights(weights, outputs=outputs)
    found, stored = read_back(graph, {"all": name}, {"all": weights.size})
    largest = np.abs(weights).max(axis=1 - outputs, keepdims=True)
    difference = np.abs(found["all"].reshape(weights.shape) - weights)
    assert np.all(difference <= largest / 62 * 1.001)
    assert difference.max() > 0
    assert stored < weights.size * 6 / 8 + 4 * 300 + 200


def test_weights_that_are_few_or_not_to_be_small_are_kept():
    weights = np.random.default_rng(2).normal(size=(LARGE // 50, 50)).astype(np.float32)
    for small, values in ((False, weights), (True, weights[1:])):
        graph = Graph(small=small)
        name = graph.weights(values, outputs=-1)
        found, _ = read_back(graph, {"all": name}, {"all": values.size})
        np.testing.assert_array_equal(found["all"], values.ravel())


def test_a_matrix_of_few_numbers_is_stored_as_these():
    matrix = np.zeros((64, 257))
    matrix[np.arange(64), np.arange(64) * 4] = np.arange(64) / 3
    graph = Graph()
    name = graph.mostly_zero(matrix)
    found, stored = read_back(graph, {"all": name}, {"all": matrix.size})
    np.testing.assert_array_equal(found["all"].reshape(64, 257), matrix.astype(np.float32))
    assert stored < 64 * 8 + 200
