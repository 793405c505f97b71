"""Graph networks with fewer channels between their layers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from recpress.api import Artefact, Backbone, Codec, Dense, Encoder, Field, Method, Params, Shape, Task, Uniform, largest
from recpress.backbones.pruning.channels import Criterion, pruned
from recpress.backbones.training.retrain import spread_directions
from recpress.codecs.networks.layered import LayeredNetwork
from recpress.compression.edges import edge_bytes
from recpress.compression.graph_form import INTEGERS, MATRIX_BYTES, BaseName, base_bytes, encode_base, network_of

# A budget is met with an eighth of the channels or more: heads, of which each keeps one, may need as many.
FEWEST = 8


class ChannelParams(Params):
    """Number and choice of the remaining channels, and their storage."""

    keep: float = Field(
        0.75, gt=0, le=1, description="Share of channels kept in each layer and in the base table, rounded down."
    )
    values: BaseName = Field(
        "int8", description="How the base tables are stored; matrices of layers so too, but in 8 bits at the least."
    )
    criterion: Criterion = Field(
        "reconstruction",
        description="reconstruction: channels go by what the layers that read them lose. magnitude: by their weights.",
    )
    refit: bool = Field(True, description="Fit the weights that stay, by least squares, to what layers wrote before.")


def channels(keep: float, dim: int) -> int:
    """Return how many channels stay of so many."""
    # The share is a decimal: 0.7 of 10 are 7, although 0.7 * 10 may be less in floats.
    return max(int(keep * dim + 1e-9), 1)


def tensor_bytes(params: ChannelParams, shape: Shape) -> int:
    """Return the most bytes of base tables, edges and weights; heads that don't divide the channels make it fewer."""
    dim = channels(params.keep, shape.base_columns)
    matrices = -(-shape.weights // shape.base_columns**2)
    # A row of a matrix in bytes has a scale; biases and the vectors of attention have 16 bits, or 32.
    weights = base_bytes(matrices * dim, dim, stored(params.values)) + matrices * (16 * dim + MATRIX_BYTES)
    edges = edge_bytes(shape.n_users, shape.n_items, shape.interactions)
    return base_bytes(shape.entities, dim, params.values) + edges + weights + 64


def stored(values: BaseName) -> BaseName:
    """Return how the matrices are stored where base tables are stored in a way."""
    return values if values in ("fp32", "fp16") else "int8"


def encode_weight(weight: Tensor, values: BaseName) -> Codec:
    """Store a matrix of shape (out, in)."""
    name = stored(values)
    if name == "fp32" or name == "fp16":
        return Dense.encode(weight, name)
    return Uniform.encode(weight, 8, "row", symmetric=True)


class ChannelPruning(Method[ChannelParams]):
    """Take whole channels out of `sage`, `gat` or `ngcf` (He, Zhang and Sun 2017).

    See `recpress.backbones.pruning.channels`.

    A backbone that propagates without weights has no layers to fit: its channels are the columns of its base table,
    on their principal axes unless the criterion is magnitude, and each is propagated by itself. `mf` is refused.
    """

    Params = ChannelParams

    def params_for(self, budget: int, shape: Shape) -> ChannelParams:
        """See `Method.params_for`: bits go before channels, better or a tie on valid (ml-100k, sage, gat, ngcf)."""
        dim = shape.base_columns
        candidates = [ChannelParams(keep=1, values=values) for values in INTEGERS]
        fewest = max(dim // FEWEST, 1)
        candidates += [ChannelParams(keep=kept / dim, values=INTEGERS[-1]) for kept in range(dim - 1, fewest - 1, -1)]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[ChannelParams]) -> Artefact:
        """See `Method.compress`."""
        params, backbone = task.params, task.backbone
        weight: Encoder = partial(encode_weight, values=params.values)
        kept = channels(params.keep, backbone.base_users.shape[1])
        if backbone.weights:
            narrow = pruned(
                backbone,
                task.graph,
                kept,
                task.generator,
                params.criterion,
                params.refit,
                stored=lambda table: encode_base(table, params.values).decode(),
            )
            network, tables = network_of(narrow, task.graph, weight), (narrow.base_users, narrow.base_items)
            if params.values == "fp32" and isinstance(network, LayeredNetwork):
                exact: dict[str, Codec] = {
                    name: Dense.encode(each.view(-1, each.shape[-1])) for name, each in narrow.weights.items()
                }
                network = replace(network, weights=exact)
        else:
            network = network_of(backbone, task.graph, weight)
            tables = columns(backbone, kept, params.criterion, task.generator)
        users, items = (encode_base(each, params.values) for each in tables)
        return Artefact.propagated(users, items, network)


def columns(backbone: Backbone, kept: int, criterion: Criterion, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return base tables with fewer columns, of a backbone that propagates each column by itself."""
    users, items = backbone.base_users, backbone.base_items
    if kept == users.shape[1]:
        return users, items
    if criterion == "reconstruction":
        axes = spread_directions(torch.cat([backbone.users, backbone.items]), kept, generator)
        return users @ axes, items @ axes
    widest = torch.cat([users, items]).square().sum(0).argsort(descending=True, stable=True)[:kept].sort().values
    return users[:, widest], items[:, widest]
