"""From a frozen backbone to an artefact of the serve form `graph`: what methods of that form share."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recpress.backbones.base import Backbone
from recpress.backbones.config import TrainingConfig
from recpress.backbones.training.retrain import linear_config, of_nodes
from recpress.codecs.artefact import Artefact
from recpress.codecs.base import Codec, Encoder
from recpress.codecs.networks.layered import FORWARD, Activations, LayeredNetwork
from recpress.codecs.networks.linear import LinearNetwork, Network, narrow_degrees
from recpress.codecs.packing import row_bytes
from recpress.codecs.tables.constant import Constant
from recpress.codecs.tables.dense import Dense
from recpress.codecs.tables.uniform import Uniform
from recpress.compression.clipping import clipped
from recpress.compression.edges import encode_edges
from recpress.core.errors import UserError
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems

BaseName = Literal["fp32", "fp16", "int8", "int6", "int4", "int3", "int2"]
Coefficients = Literal["fitted", "mean"]
# Integers are min–max grids per row, clipped below 4 bits, where the widest value costs the others most.
ENCODERS: dict[BaseName, Encoder] = {
    "fp32": Dense.encode,
    "fp16": partial(Dense.encode, values="fp16"),
    "int8": partial(Uniform.encode, bits=8),
    "int6": partial(Uniform.encode, bits=6),
    "int4": partial(Uniform.encode, bits=4),
    "int3": partial(clipped, bits=3, granularity="row", symmetric=False),
    "int2": partial(clipped, bits=2, granularity="row", symmetric=False),
}
# The integer types by bytes, the largest first.
INTEGERS: tuple[BaseName, ...] = ("int8", "int6", "int4", "int3", "int2")
# A matrix's part of header and manifest, with the vectors that go with it.
MATRIX_BYTES = 720


def propagating_config(backbone: Backbone, graph: Graph) -> TrainingConfig:
    """Return the training config of a backbone that propagates linearly, in one step or more.

    Raises
    ------
    UserError
        When it doesn't.
    """
    config = linear_config(backbone, graph)
    if config is None or config.layers < 1:
        raise UserError(f"{backbone.name} doesn't propagate linearly: choose lightgcn or xsimgcl.")
    return config


def encode_base(table: Tensor, values: BaseName) -> Codec:
    """Store a base table; one of zeros (users that are functions of their items) takes four bytes."""
    return ENCODERS[values](table) if table.any() else Constant.encode(table)


def base_bytes(rows: int, columns: int, values: BaseName) -> int:
    """Return the bytes of base tables of so many rows together."""
    if values in ("fp32", "fp16"):
        return rows * columns * (4 if values == "fp32" else 2)
    return rows * (row_bytes(columns, int(values.removeprefix("int"))) + 4)


def mean_coefficients(config: TrainingConfig, layers: int) -> Tensor:
    """Return the coefficients of the mean of steps that a training config takes, of as many as are left."""
    first = min(config.first_layer, layers)
    found = torch.zeros(layers + 1)
    found[first:] = 1 / (layers + 1 - first)
    return found


def fitted_coefficients(network: LinearNetwork, base: Tensor, target: Tensor) -> Tensor:
    """Return the coefficients of least squared error, ``min_c |Σ_l c_l Ã^l E⁰ - E|²`` over all entries.

    Parameters
    ----------
    network : LinearNetwork
        Whose coefficients are replaced; their number stays.
    base : float32 Tensor of shape (n_nodes, d)
        As it is stored.
    target : float32 Tensor of the same shape
        What the frozen backbone propagates to, before any scaling of rows.
    """
    powers = torch.stack([power.flatten() for power in network.powers(base)]).double()
    # lstsq and not a solve: with hardly any edges left the powers may be dependent.
    fitted: Tensor = torch.linalg.lstsq(powers @ powers.T, powers @ target.flatten().double(), driver="gelsd").solution
    return fitted.float()


def linear_artefact(
    backbone: Backbone,
    graph: Graph,
    edges: UserItems,
    *,
    layers: int,
    values: BaseName,
    coefficients: Coefficients = "mean",
    original_degrees: bool = False,
    base: tuple[Tensor, Tensor] | None = None,
) -> Artefact:
    """Return the artefact of a linear backbone with some of its edges and some of its layers.

    Parameters
    ----------
    backbone : Backbone
    graph : Graph
    edges : UserItems
        Those that stay.
    layers : int
        At most as many as the backbone has. With 0, no edge is stored.
    values : str
        How base tables are stored.
    coefficients : {"mean", "fitted"}
        fitted: to the frozen backbone's final tables (see `fitted_coefficients`).
    original_degrees : bool
        Store the degrees of the whole graph and normalise by them.
    base : two float32 Tensors, optional
        Base tables of users and items, if not the backbone's.
    """
    config = propagating_config(backbone, graph)
    layers = min(layers, config.layers)
    if not layers:
        edges = UserItems(np.zeros_like(edges.indptr), edges.items[:0], edges.n_items)
    degrees = narrow_degrees(graph) if original_degrees and layers else None
    network = LinearNetwork(
        encode_edges(edges),
        graph.bipartite,
        mean_coefficients(config, layers),
        degrees,
        config.cosine,
        config.precision,
    )
    users, items = (encode_base(each, values) for each in base or (backbone.base_users, backbone.base_items))
    if coefficients == "fitted":
        whole = replace(
            network,
            edges=encode_edges(graph.user_items),
            degrees=None,
            coefficients=mean_coefficients(config, config.layers),
            cosine=False,
        )
        target = whole.final(of_nodes(backbone.base_users, backbone.base_items, graph))
        fitted = fitted_coefficients(network, of_nodes(users.decode(), items.decode(), graph), target)
        network = replace(network, coefficients=fitted)
    return Artefact.propagated(users, items, network)


def network_of(backbone: Backbone, graph: Graph, weight: Encoder, activations: Activations = "fp32") -> Network:
    """Return the whole network of a backbone, its matrices stored by an encoder and its vectors in fp16.

    Raises
    ------
    UserError
        When its final tables don't come of a graph, or of one with more than the interactions.
    """
    if backbone.config.relations:
        raise UserError(
            f"{backbone.name} was trained on more edges than the interactions, {', '.join(backbone.config.relations)}, "
            "which the serve form graph does not store: choose a method that stores tables."
        )
    edges = encode_edges(graph.user_items)
    if not backbone.weights:
        config = propagating_config(backbone, graph)
        means = mean_coefficients(config, config.layers)
        return LinearNetwork(edges, graph.bipartite, means, None, config.cosine, config.precision)
    kept = backbone.config.model_dump(include=set(FORWARD), exclude_defaults=True)
    weights: dict[str, Codec] = {}
    for name in sorted(backbone.weights):
        value = backbone.weights[name]
        # Matrices of linear layers are on a grid per output channel; all else is too small to matter.
        is_matrix = name.endswith(".weight")
        weights[name] = weight(value) if is_matrix else Dense.encode(value.view(-1, value.shape[-1]), "fp16")
    return LayeredNetwork(edges, graph.bipartite, backbone.name, kept, weights, activations)
