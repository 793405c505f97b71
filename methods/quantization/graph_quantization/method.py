"""Post-training quantization of a graph network: its tables, its weights, and what its layers read."""

from __future__ import annotations

from functools import partial
from typing import Literal, Self

from pydantic import model_validator
from torch import Tensor

from recpress.api import Artefact, Codec, Dense, Field, Method, Params, Shape, Task, Uniform, largest
from recpress.codecs.networks.layered import Activations
from recpress.compression.edges import edge_bytes
from recpress.compression.graph_form import INTEGERS, MATRIX_BYTES, BaseName, base_bytes, encode_base, network_of

WeightName = Literal["fp32", "int8", "int4"]
BITS: dict[WeightName, int] = {"fp32": 32, "int8": 8, "int4": 4}


class GraphQuantizationParams(Params):
    """Bits of tables, weights and activations."""

    values: BaseName = Field("int8", description="How the base tables are stored.")
    weights: WeightName = Field("int8", description="How matrices of layers are stored: a scale per output channel.")
    activations: Activations = Field(
        "fp32", description="int8: layers multiply bytes, with a scale per row; not with fp32 weights."
    )

    @model_validator(mode="after")
    def _bytes_need_bytes(self) -> Self:
        if self.activations == "int8" and self.weights == "fp32":
            raise ValueError("int8 activations need int8 or int4 weights")
        return self


def tensor_bytes(params: GraphQuantizationParams, shape: Shape) -> int:
    """Return the most bytes of base tables, edges and weights.

    Vectors (biases, attention) are fp16. How many matrices there are isn't known: as many as all weights would make.
    """
    tables = base_bytes(shape.entities, shape.base_columns, params.values)
    matrices = -(-shape.weights // shape.base_columns**2)
    vectors = matrices * shape.base_columns * 8
    weights = shape.weights * BITS[params.weights] // 8 + vectors + matrices * MATRIX_BYTES
    return tables + edge_bytes(shape.n_users, shape.n_items, shape.interactions) + weights + 64


def encode_weight(weight: Tensor, name: WeightName) -> Codec:
    """Store a matrix of shape (out, in)."""
    if name == "fp32":
        return Dense.encode(weight)
    return Uniform.encode(weight, BITS[name], "row", symmetric=True)


class GraphQuantization(Method[GraphQuantizationParams]):
    """Round tables per row and weights per output channel (Jacob et al. 2018); nodes are not told apart by degree.

    Of backbones without layer weights the tables alone are rounded, before propagation and not after it.
    """

    Params = GraphQuantizationParams

    def params_for(self, budget: int, shape: Shape) -> GraphQuantizationParams:
        """See `Method.params_for`: the most bits of tables that fit; weights have 8 bits, and 4 where those don't."""
        weights: tuple[WeightName, ...] = ("int8", "int4")
        candidates = [GraphQuantizationParams(values=values, weights=each) for values in INTEGERS for each in weights]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[GraphQuantizationParams]) -> Artefact:
        """See `Method.compress`."""
        params, backbone = task.params, task.backbone
        network = network_of(backbone, task.graph, partial(encode_weight, name=params.weights), params.activations)
        users, items = (encode_base(each, params.values) for each in (backbone.base_users, backbone.base_items))
        return Artefact.propagated(users, items, network)
