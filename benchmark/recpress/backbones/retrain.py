"""Shared parts of methods that retrain: a frozen backbone's tables as leaves, its loss, its answers as targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.backbones.base import Backbone
from recpress.backbones.objective import Embed, Objective
from recpress.backbones.recipe import Recipe
from recpress.backbones.sampling import Batch
from recpress.backbones.train import AfterStep, optimise
from recpress.data.graph import Graph

BLOCK_USERS = 1024


@dataclass(frozen=True)
class FineTuning:
    """A `Schedule`: the recipe's batches, and its learning rate scaled down and decayed to zero."""

    epochs: int
    batch_size: int
    learning_rate: float
    decay: Literal["constant", "cosine"] = "cosine"


class Retraining:
    """Go on training a frozen backbone's vectors with its own loss, through its own propagation.

    Where the final tables are the propagated base tables, the base tables are what is trained. Where they are not (a
    backbone with layer weights), the final tables are, without the graph.

    Parameters
    ----------
    backbone : Backbone
        Only read.
    graph : Graph
    generator : torch.Generator

    Attributes
    ----------
    objective : Objective
    start : float32 Tensor of shape (n_users + n_items, d)
        What training starts from; a fresh copy.
    """

    def __init__(self, backbone: Backbone, graph: Graph, generator: torch.Generator) -> None:
        linear = linear_recipe(backbone, graph)
        self.objective = Objective(graph, linear or backbone.recipe.model_copy(update={"layers": 0}), generator)
        tables = (backbone.base_users, backbone.base_items) if linear else (backbone.users, backbone.items)
        self.start = of_nodes(*tables, graph)

    def steps(self, epochs: int) -> int:
        """Return how many steps a number of epochs takes."""
        return epochs * -(-len(self.objective.sampler.users) // self.objective.recipe.batch_size)

    def minimise(
        self,
        parameters: list[Tensor],
        loss: Callable[[Batch], Tensor],
        epochs: int,
        rate: float,
        progress: Callable[[float], None],
        after_step: AfterStep | None = None,
    ) -> None:
        """Train leaves, in place, with the recipe's batches and `rate` times its learning rate."""
        recipe = self.objective.recipe
        schedule = FineTuning(epochs, recipe.batch_size, rate * recipe.learning_rate)
        optimise(
            parameters, loss, self.objective.sampler, schedule, lambda epoch, _: progress(epoch / epochs), after_step
        )

    def loss(self, batch: Batch, final: Tensor, base: Tensor) -> Tensor:
        """Return the backbone's loss for tables of all entities: final ones score, base ones are kept small."""
        split = self.objective.split
        return self.objective.loss(batch, Embed.of(*split(final)), Embed.of(*split(base)))

    def propagated(self, base: Tensor) -> Tensor:
        """Return the final tables of base tables, but for the scaling to length 1 where the backbone scores cosines."""
        return self.objective.propagation(base) if self.objective.propagation else base

    def masked(self, base: Tensor, mask: Tensor) -> Tensor:
        """Return the final tables of base tables with the entries that a mask hides at zero."""
        return self.objective.scored(self.propagated(base) * mask)

    def minimise_masked(
        self,
        base: Tensor,
        mask: Tensor,
        epochs: int,
        rate: float,
        progress: Callable[[float], None],
        choose: Callable[[int], None] | None = None,
    ) -> None:
        """Train base tables, in place, while a mask lies on the final ones.

        Where the final tables are the trained ones, what is masked gets no gradient and its Adam moments are cleared
        after each step, or they would go on pushing it. Where they are propagated, the base tables stay dense and a
        masked value goes on moving under its mask.

        Parameters
        ----------
        base : float32 Tensor
            The leaf.
        mask : bool Tensor of the same shape
            Read in every step.
        epochs, rate, progress
            See `minimise`.
        choose : callable, optional
            Told the number of each step that is done; may change the mask.
        """

        def after_step(step: int, optimiser: torch.optim.Adam) -> None:
            if choose:
                choose(step)
            if self.objective.propagation is None:
                clear_moments(optimiser, base, mask)

        self.minimise(
            [base],
            lambda batch: self.loss(batch, self.masked(base, mask), base),
            epochs,
            rate,
            progress,
            after_step,
        )


class Student:
    """Thinner tables that are trained as the backbone was, and by what it answers.

    Where the backbone's final tables are propagated base tables, so are the student's, and they are folded at the end.

    Parameters
    ----------
    teacher : Backbone
        Only read.
    graph : Graph
    dim : int
        Columns.
    generator : torch.Generator
    start : {"svd", "random"}
        svd: the backbone's tables on the leading directions of its final ones. random: as its recipe starts.
        Where the backbone scores cosines, only a random start is held to them: on few directions, rows aren't of
        length 1 any more, and their lengths say how well they are told.
    propagate : bool
        False: the student has no graph even if the backbone does.

    Attributes
    ----------
    objective : Objective
    sharpness : float
        What a score is multiplied with to be a logit: cosines were trained as ``cosine / temperature``.
    """

    def __init__(
        self,
        teacher: Backbone,
        graph: Graph,
        dim: int,
        generator: torch.Generator,
        start: Literal["svd", "random"] = "random",
        propagate: bool = True,
    ) -> None:
        linear = linear_recipe(teacher, graph) if propagate else None
        recipe = linear or teacher.recipe.model_copy(update={"layers": 0})
        self.objective = Objective(graph, recipe.model_copy(update={"dim": dim}), generator)
        self.lengths = start == "svd"
        if start == "svd":
            final = torch.cat([teacher.users, teacher.items])
            known = torch.cat([teacher.base_users, teacher.base_items]) if linear else final
            self.base = (known @ leading_directions(final, dim)).requires_grad_()
        else:
            random = torch.empty(graph.n_nodes, dim).normal_(std=recipe.init_std, generator=generator)
            self.base = random.requires_grad_()
        self.sharpness = 1 / recipe.temperature if recipe.cosine else 1.0

    def final(self, base: Tensor) -> Tensor:
        """Return the student's final table of a base table."""
        if not self.lengths:
            return self.objective.final(base)
        return self.objective.propagation(base) if self.objective.propagation else base

    def fit(
        self,
        lesson: Callable[[Batch, Tensor, Tensor], Tensor] | None,
        epochs: int | None,
        rate: float,
        progress: Callable[[float], None],
    ) -> tuple[Tensor, Tensor]:
        """Train and return the final tables of users and items.

        Parameters
        ----------
        lesson : callable, optional
            From a batch and the student's final tables to what the teacher adds to the backbone's own loss.
        epochs : int, optional
            By default as many as the recipe says.
        rate : float
            Share of the recipe's learning rate.
        progress : callable
        """
        objective, recipe = self.objective, self.objective.recipe
        schedule = recipe.model_copy(
            update={"epochs": epochs or recipe.epochs, "learning_rate": rate * recipe.learning_rate}
        )

        def loss(batch: Batch) -> Tensor:
            users, items = objective.split(self.final(self.base))
            value = objective.loss(batch, Embed.of(users, items), Embed.of(*objective.split(self.base)))
            return value + lesson(batch, users, items) if lesson else value

        optimise([self.base], loss, objective.sampler, schedule, lambda epoch, _: progress(epoch / schedule.epochs))
        return objective.split(self.final(self.base.detach()))


def train_lookups(
    backbone: Backbone,
    graph: Graph,
    generator: torch.Generator,
    embed: Embed,
    parameters: list[Tensor],
    epochs: int | None,
    progress: Callable[[float], None],
    rate: float = 1.0,
) -> None:
    """Train leaves that vectors are looked up from, in place, with the backbone's recipe but without its graph.

    No table of all entities is made, so that there may be millions. There is no propagation: propagated rows are all
    different, and what is shared could no longer be stored as shared. Where the recipe scores cosines, users' rows are
    scaled to length 1, which their rankings don't see, and items' keep their lengths, which are served.
    """
    recipe = backbone.recipe.model_copy(
        update={
            "layers": 0,
            "epochs": epochs or backbone.recipe.epochs,
            "learning_rate": rate * backbone.recipe.learning_rate,
        }
    )
    objective = Objective(graph, recipe, generator)
    final = Embed(lambda ids: objective.scored(embed.users(ids)), embed.items) if recipe.cosine else embed
    optimise(
        parameters,
        lambda batch: objective.loss(batch, final, embed),
        objective.sampler,
        recipe,
        lambda epoch, _: progress(epoch / recipe.epochs),
    )


def linear_recipe(backbone: Backbone, graph: Graph) -> Recipe | None:
    """Return the recipe of a backbone whose final tables are its propagated base tables, and None for any other."""
    base = of_nodes(backbone.base_users, backbone.base_items, graph)
    final = of_nodes(backbone.users, backbone.items, graph)
    if base.shape != final.shape:
        return None
    made = Objective(graph, backbone.recipe, torch.Generator()).final(base)
    return backbone.recipe if torch.allclose(made, final, atol=1e-5) else None


def of_nodes(users: Tensor, items: Tensor, graph: Graph) -> Tensor:
    """Return the table of all nodes of the tables of users and items: the inverse of `Objective.split`."""
    return torch.cat([users, items]) if graph.bipartite else items.clone()


def leading_directions(table: Tensor, dim: int) -> Tensor:
    """Return the first `dim` right singular vectors of a table of shape (n, d), shape (d, dim); zeros beyond d."""
    vectors = torch.linalg.eigh(table.double().T @ table.double()).eigenvectors.flip(1)[:, :dim].float()
    return F.pad(vectors, (0, dim - vectors.shape[1]))


def spread_directions(table: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """Return a (d, dim) matrix that rotates a table's leading directions at random, keeping inner products.

    Every column gets an equal share of every direction, so that codes of one width are spent equally well; `dim` may be
    more than d.
    """
    kept = min(dim, table.shape[1])
    square = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
    turned: Tensor = leading_directions(table, kept) @ square[:kept]
    return turned


def clear_moments(optimiser: torch.optim.Adam, leaf: Tensor, mask: Tensor) -> None:
    """Set the running moments of Adam to zero where a mask hides a leaf."""
    for moment in ("exp_avg", "exp_avg_sq"):
        optimiser.state[leaf][moment].mul_(mask)


def teacher_lists(backbone: Backbone, graph: Graph, count: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the backbone's best items that each user hasn't seen, best first, and their scores.

    Both have the shape (n_users, min(count, n_items)). Where a user has fewer unseen items, others fill the list with
    scores of -inf, which a softmax ignores.

    Parameters
    ----------
    backbone : Backbone
    graph : Graph
    count : int
    among : bool Tensor of shape (n_items,), optional
        Items to choose from.
    """
    seen = graph.user_items
    owners, items = torch.from_numpy(seen.users).long(), torch.from_numpy(seen.items).long()
    best = []
    for start in range(0, graph.n_users, BLOCK_USERS):
        stop = min(start + BLOCK_USERS, graph.n_users)
        scores = backbone.users[start:stop] @ backbone.items.T
        here = slice(int(seen.indptr[start]), int(seen.indptr[stop]))
        scores[owners[here] - start, items[here]] = -torch.inf
        if among is not None:
            scores[:, ~among] = -torch.inf
        best.append(scores.topk(min(count, graph.n_items)))
    return torch.cat([block.indices for block in best]), torch.cat([block.values for block in best])
