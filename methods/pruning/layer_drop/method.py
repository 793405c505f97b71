"""Fewer propagation steps when serving than when training."""

from __future__ import annotations

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.compression.edges import edge_bytes
from recpress.compression.graph_form import INTEGERS, BaseName, Coefficients, base_bytes, linear_artefact


class LayerDropParams(Params):
    """Number of remaining steps, and storage."""

    layers: int = Field(1, ge=0, description="Steps that are left, at most the backbone's; 0 stores no edge either.")
    coefficients: Coefficients = Field(
        "fitted",
        description="Weights of the steps. fitted: by least squares to the backbone's final tables. mean: equal ones.",
    )
    values: BaseName = Field("int8", description="How the base tables are stored.")


def tensor_bytes(params: LayerDropParams, shape: Shape) -> int:
    """Return the bytes of base tables, edges and coefficients."""
    edges = edge_bytes(shape.n_users, shape.n_items, shape.interactions if params.layers else 0)
    return base_bytes(shape.entities, shape.base_columns, params.values) + edges + 4 * (params.layers + 1)


class LayerDrop(Method[LayerDropParams]):
    """Stop propagating early: ``Ê = Σ_{l ≤ k} c_l Ã^l Ê⁰`` (He et al. 2020, equation 7, with c free and k small).

    A step costs time when tables are made anew and not a byte: the artefact is as large with one step as with three.
    Without any step the graph needn't be stored. Folding all steps into the stored tables is what every method of
    the serve form `table` does.
    """

    Params = LayerDropParams

    def params_for(self, budget: int, shape: Shape) -> LayerDropParams:
        """See `Method.params_for`: one step with the most bits that fit, then none."""
        candidates = [LayerDropParams(layers=layers, values=values) for layers in (1, 0) for values in INTEGERS]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[LayerDropParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        return linear_artefact(
            task.backbone,
            task.graph,
            task.graph.user_items,
            layers=params.layers,
            values=params.values,
            coefficients=params.coefficients,
        )
