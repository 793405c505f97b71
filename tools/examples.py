"""Fixed examples of what has a version, and what comes of them: the facts that golden digests are made of.

Inputs are made of whole numbers, so that they are the same everywhere. What comes out the same on every processor is
hashed; what doesn't (`Near`) is kept and compared within a tolerance, for a reason that is given.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress import evaluation as evaluate
from recpress.api import Graph, UserItems, make_generator
from recpress.backbones.catalogue import backbone, backbones
from recpress.backbones.config import DEFAULT, TrainingConfig, read_training_config
from recpress.codecs import (
    KINDS,
    NETWORKS,
    Binary,
    Codebook,
    Codec,
    ColumnUniform,
    Compositional,
    Constant,
    Dense,
    Entropy,
    Grouped,
    HashedNetwork,
    Inverted,
    LowRank,
    Mixed,
    Navigable,
    Network,
    Product,
    Reranked,
    Residual,
    Sparse,
    Sum,
    Ternary,
    Uniform,
    Zstd,
)
from recpress.codecs.artefact import kinds_of
from recpress.codecs.base import TopKScorer
from recpress.codecs.networks.layered import FORWARD, LayeredNetwork
from recpress.codecs.networks.linear import LinearNetwork, narrow_degrees
from recpress.compression.clipping import clipped
from recpress.compression.edges import encode_edges
from recpress.core.hashing import sha256_json
from recpress.data import splits
from recpress.data.card import DatasetCard, RawFile, SplitSpec, Synthetic
from recpress.data.dataset import Dataset
from recpress.data.interactions import Interactions
from recpress.data.relations import linked
from recpress.data.synthetic import generate
from recpress.serve import topk

USERS, ITEMS, DIM, INTERACTIONS = 300, 400, 16, 6000


@dataclass(frozen=True)
class Near:
    """Numbers that differ by processor.

    Attributes
    ----------
    values : array
        Of whole numbers: ranked lists, a row each.
    within : float
        The most that the error may be, as a share of the norm; of lists, the most that may be other items.
    """

    values: NDArray[Any]
    within: float

    def __post_init__(self) -> None:
        if self.values.dtype.kind == "f" and not np.isfinite(self.values).all():
            raise ValueError("a value is not finite")

    def far(self, recorded: NDArray[Any]) -> bool:
        """Return whether these are not the recorded numbers."""
        if self.values.shape != recorded.shape:
            return True
        if self.values.dtype.kind == "i":
            common = [len(np.intersect1d(*rows)) for rows in zip(self.values, recorded, strict=True)]
            return float(np.mean(common)) < (1 - self.within) * recorded.shape[1]
        wanted = recorded.astype(np.float64)
        return bool(np.linalg.norm(self.values - wanted) > self.within * np.linalg.norm(wanted))


@dataclass
class Outcome:
    """What comes of the examples of one thing.

    Attributes
    ----------
    facts : dict
        Hashes, and numbers that differ by processor, by what they are of.
    rests : set of tuple
        Rooms and names of what it may have changed by.
    why : str
        Why some facts differ by processor, where more than scores do.
    """

    facts: dict[str, str | Near] = field(default_factory=dict)
    rests: set[tuple[str, str]] = field(default_factory=set)
    why: str = ""


def whole(*shape: int, seed: int, most: int = 127) -> NDArray[np.int64]:
    """Return whole numbers in [-most, most], the same everywhere."""
    return np.random.Generator(np.random.PCG64(seed)).integers(-most, most, shape, endpoint=True)


def table(rows: int, columns: int, seed: int) -> Tensor:
    """Return a table of floats without rounding errors, whose columns have different spreads."""
    spread = np.arange(2 * columns, columns, -1)
    return torch.from_numpy((whole(rows, columns, seed=seed) * spread / 2**12).astype(np.float32))


@cache
def graph() -> Graph:
    """Return a small graph."""
    made = generate(Synthetic(users=USERS, items=ITEMS, interactions=INTERACTIONS, seed=1))
    return Graph(UserItems.from_pairs(made.users, made.items, made.n_users, made.n_items))


def sha256_tensors(spec: Any, tensors: Mapping[str, Tensor]) -> str:
    """Return the hash of what is stored."""
    content = [
        [name, str(each.dtype), list(each.shape), hashlib.sha256(raw(each)).hexdigest()]
        for name, each in sorted(tensors.items())
    ]
    return sha256_json([spec, content])


def raw(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor."""
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def sha256_form(spec: Any, tensors: Mapping[str, Tensor]) -> str:
    """Return the hash of the kinds of codecs and of the names and types of what is stored."""
    return sha256_json([sorted(kinds_of(spec)), sorted([name, str(each.dtype)] for name, each in tensors.items())])


def on_kinds(spec: Any) -> set[tuple[str, str]]:
    """Return the codecs and networks that a spec names, as what something rests on."""
    return {("network" if kind in NETWORKS else "codec", kind) for kind in kinds_of(spec)}


# Codecs.

ROWS, COLUMNS = 80, 13
LISTS_WITHIN = 0.1
SCORES_WITHIN = 1e-5  # Sums of products are added up in another order on another processor.


def plain(columns: int = COLUMNS, rows: int = ROWS, seed: int = 1) -> Tensor:
    """Return a table that codecs encode."""
    return table(rows, columns, seed)


def places(rows: int, terms: int, words: int) -> Tensor:
    """Return which words rows are the sum of."""
    return torch.from_numpy(np.abs(whole(rows, terms, seed=9)) % words)


def layers(widths: Iterable[int]) -> list[tuple[Tensor, Tensor]]:
    """Return weights and biases of layers of these widths."""
    return [
        (table(out, into, 20 + number) / into, table(1, out, 40 + number)[0])
        for number, (into, out) in enumerate(pairwise(widths))
    ]


def thinned(rows: int = ROWS, least: float = 0.5) -> Tensor:
    """Return a table with zeros."""
    made = plain(rows=rows)
    return made * (made.abs() > least)


def buckets() -> NDArray[np.uint8]:
    """Return which of three encoders each row gets."""
    return (np.arange(ROWS) % 3).astype(np.uint8)


CODECS: dict[str, dict[str, Callable[[], Codec]]] = {
    "binary": {
        "row": lambda: Binary.encode(plain()),
        "table": lambda: Binary.encode(plain(), "tensor"),
    },
    "codebook": {
        "hash": lambda: Codebook(Dense.encode(plain(rows=30), "fp16"), "hash", None, None, ROWS, 2),
        "quotient": lambda: Codebook(Dense.encode(plain(rows=30), "fp16"), "quotient", None, None, ROWS, 2),
        "stored": lambda: Codebook.encode(
            Dense.encode(plain(rows=30)), places(ROWS, 3, 30), Dense.encode(plain(3, seed=2))
        ),
    },
    "columns": {
        "plain": lambda: ColumnUniform.encode(plain(6), [5, 3, 3, 1, 0, 2]),
        "one length": lambda: ColumnUniform.encode(plain(6), [5, 3, 3, 1, 0, 2], length=2.0),
        "own lengths": lambda: ColumnUniform.encode(plain(6), [5, 3, 3, 1, 0, 2], own=plain(6).abs().amax(1)),
    },
    "compositional": {
        "plain": lambda: Compositional(Dense.encode(plain(rows=9)), Dense.encode(plain(rows=9, seed=2)), ROWS),
    },
    "constant": {"plain": lambda: Constant.encode(torch.full((ROWS, COLUMNS), 0.75))},
    "dense": {
        values: partial(lambda values: Dense.encode(plain(), values), values) for values in ("fp32", "fp16", "bf16")
    },
    "entropy": {
        "8 bits": lambda: Entropy.encode(Uniform.encode(plain(), 8)),
        "4 bits, symmetric": lambda: Entropy.encode(Uniform.encode(plain(), 4, "tensor", True)),
    },
    "grouped": {"plain": lambda: Grouped.encode(plain(), 5, Dense.encode)},
    "hashed-network": {"two layers": lambda: HashedNetwork.encode(layers([8, 16, COLUMNS]), ROWS)},
    "inverted": {"plain": lambda: Inverted.encode(plain(), Dense.encode(plain()), 8, 3)},
    "low-rank": {"plain": lambda: LowRank(Dense.encode(plain(5)), Dense.encode(plain(rows=5, seed=2)))},
    "mixed": {
        "three": lambda: Mixed.encode(
            plain(), buckets(), [Dense.encode, partial(Dense.encode, values="fp16"), Dense.encode]
        ),
        "one": lambda: Mixed.encode(plain(), buckets() * 0, [Dense.encode]),
    },
    "navigable": {"plain": lambda: Navigable.encode(Dense.encode(plain(rows=300)), 4, 20, 20)},
    "product": {
        "8 bits": lambda: Product.encode(plain(rows=300), 3),
        "4 bits, padded": lambda: Product.encode(plain(rows=300), 5, 4),
    },
    "reranked": {"plain": lambda: Reranked(Dense.encode(plain(), "fp16"), Dense.encode(plain()), 30)},
    "residual": {"4 bits": lambda: Residual.encode(plain(rows=300), 3, 4)},
    "sparse": {
        "rows": lambda: Sparse.encode(thinned(least=1.0), layout="csr"),
        "map": lambda: Sparse.encode(thinned(), layout="bitmap"),
        "smaller": lambda: Sparse.encode(thinned(), partial(Dense.encode, values="fp16")),
    },
    "sum": {"plain": lambda: Sum(Dense.encode(plain()), Dense.encode(plain(seed=2), "fp16"))},
    "ternary": {"plain": lambda: Ternary.encode(plain())},
    "uniform": {
        **{f"{bits} bits": partial(lambda bits: Uniform.encode(plain(), bits), bits) for bits in range(1, 9)},
        "table": lambda: Uniform.encode(plain(), 8, "tensor"),
        "symmetric": lambda: Uniform.encode(plain(), 4, symmetric=True),
        "symmetric table": lambda: Uniform.encode(plain(), 2, "tensor", True),
        "clipped": lambda: clipped(plain(), 3),
        "clipped, symmetric": lambda: clipped(plain(), 4, "tensor", True),
    },
    "zstd": {"plain": lambda: Zstd.encode(Dense.encode(plain(), "fp16"))},
}

# How far decoded values may be from the recorded ones, and why: where encoding or decoding adds up floats.
KMEANS = "FAISS finds centres with products of matrices, whose last bits differ between processors."
NEAR_CODECS: dict[str, tuple[float, str]] = {
    "hashed-network": (1e-5, "Rows are decoded by products of matrices, whose last bits differ between processors."),
    "inverted": (2e-3, KMEANS),
    "product": (2e-3, KMEANS),
    "residual": (2e-3, KMEANS),
}


def codec(kind: str) -> Outcome:
    """Return what a codec stores, decodes and scores."""
    made = Outcome()
    within, made.why = NEAR_CODECS.get(kind, (0.0, ""))
    for case, encode in CODECS[kind].items():
        encoded = encode()
        if not isinstance(encoded, KINDS[kind]):
            raise TypeError(f"the example {case} of {kind} is of kind {encoded.kind}")
        decoded = encoded.decode()
        queries = table(3, decoded.shape[1], seed=3)
        if within:
            made.facts[f"{case}: form"] = sha256_form(encoded.spec(), encoded.tensors())
            made.facts[f"{case}: decoded"] = Near(decoded[:24].numpy(), within)
        else:
            made.facts[f"{case}: stored"] = sha256_tensors(encoded.spec(), encoded.tensors())
            made.facts[f"{case}: decoded"] = sha256_tensors(None, {"decoded": decoded})
        scorer = encoded.scorer()
        scores = scorer.scores(queries)[:, :40].numpy()
        made.facts[f"{case}: scores"] = Near(scores, max(within, SCORES_WITHIN))
        if isinstance(scorer, TopKScorer):
            nobody = UserItems(np.zeros(4, np.int64), np.empty(0, np.int32), encoded.shape[0])
            lists = scorer.top(queries, nobody, np.arange(3), 10)[0]
            made.facts[f"{case}: lists"] = Near(lists.astype(np.int64), LISTS_WITHIN)
        made.rests |= on_kinds(encoded.spec())
    if kind == "entropy":
        made.rests.add(("codec", "uniform"))  # Its grid, which it describes without its kind.
    made.rests.discard(("codec", kind))
    return made


# Networks and backbones.

SMALL: dict[str, Any] = {"dim": DIM, "batch_size": 1024, "learning_rate": 0.02, "negatives": 8}
LAYERED: dict[str, dict[str, Any]] = {"gat": {"heads": 2}, "ngcf": {}, "sage": {}}
TABLES_WITHIN = 1e-4


def config_of(name: str) -> TrainingConfig:
    """Return the training config of a backbone whose tables are fixed."""
    loss = "bpr" if name in ("lightgcn", "ngcf", "mf") else "softmax"
    return TrainingConfig(**SMALL, layers=2, epochs=1, loss=loss, **LAYERED.get(name, {}))


@cache
def fixed_weights(name: str) -> dict[str, Tensor]:
    """Return weights of layers that nobody has trained, by name; "base" is the base table."""
    state = backbone(name).build(graph(), config_of(name), make_generator(0)).state_dict()
    return {
        key: table(value.numel() // value.shape[-1], value.shape[-1], 60 + number).view(value.shape)
        for number, (key, value) in enumerate(sorted(state.items()))
    }


def layered(name: str, activations: str) -> Network:
    """Return the network of a backbone with fixed weights."""
    kept = config_of(name).model_dump(include=set(FORWARD), exclude_defaults=True)
    weights: dict[str, Codec] = {}
    for key, value in sorted(fixed_weights(name).items()):
        if key != "base":
            flat = value.view(-1, value.shape[-1])
            weights[key] = (
                Uniform.encode(flat, 8, symmetric=True) if key.endswith(".weight") else Dense.encode(flat, "fp16")
            )
    return LayeredNetwork(encode_edges(graph().user_items), True, name, kept, weights, activations)  # type: ignore[arg-type]


def linear(**changes: Any) -> Network:
    """Return a network of two steps."""
    coefficients = torch.tensor([0.5, 0.25, 0.25])
    given = {"degrees": None, "cosine": False, "precision": "fp32"} | changes
    return LinearNetwork(encode_edges(graph().user_items), True, coefficients, **given)


NETWORK_CASES: dict[str, dict[str, Callable[[], Network]]] = {
    "layered": {
        f"{name}, {activations}": partial(layered, name, activations)
        for name in LAYERED
        for activations in ("fp32", "int8")
    },
    "linear": {
        "mean": linear,
        "cosine": partial(linear, cosine=True),
        "bf16": partial(linear, precision="bf16"),
        "own degrees": lambda: linear(degrees=narrow_degrees(graph())),
    },
}


def network(kind: str) -> Outcome:
    """Return what a network stores, and the tables that it makes."""
    made = Outcome(why="Products of matrices and exponentials differ in their last bits between processors.")
    for case, build in NETWORK_CASES[kind].items():
        net = build()
        base = table(graph().n_nodes, DIM, seed=5)
        made.facts[f"{case}: stored"] = sha256_tensors(net.spec(), net.tensors())
        # A row in twenty.
        within = 2e-3 if "int8" in case or "bf16" in case else TABLES_WITHIN
        made.facts[f"{case}: tables"] = Near(net.final(base)[::20].numpy(), within)
        made.rests |= on_kinds(net.spec())
    made.rests.discard(("network", kind))
    if kind == "layered":
        made.rests |= {("backbone", name) for name in LAYERED}
    return made


# Of a backbone that isn't named here, its default training config, smaller.
BACKBONE_CASES: dict[str, dict[str, dict[str, Any]]] = {
    "gat": {"bpr": {"layers": 2, "heads": 2}, "softmax": {"layers": 1, "heads": 2, "loss": "softmax", "dropout": 0.2}},
    "lightgcn": {
        "bpr": {"layers": 2},
        "bpr, candidates": {"layers": 2, "candidates": 4, "negatives": 2, "decay": "cosine"},
        "softmax": {"layers": 2, "first_layer": 1, "loss": "softmax"},
        "bf16": {"layers": 2, "precision": "bf16"},
    },
    "mf": {
        "bpr": {"regularisation": 1e-3},
        "softmax": {"loss": "softmax"},
        "ccl": {"loss": "ccl", "margin": 0.4, "dropout": 0.1, "negative_weight": 2.0},
    },
    "ngcf": {"bpr": {"layers": 2}},
    "sage": {"ids": {"layers": 2}, "items": {"layers": 2, "inputs": "items"}},
    "ultragcn": {"bce": {"loss": "bce", "item_weight": 1.0, "regularisation": 1e-3}},
    "xsimgcl": {"bpr": {"layers": 2}},
}
TRAINED_WITHIN = 2e-3


def trained(name: str) -> Outcome:
    """Return the scores of a backbone after two epochs."""
    made = Outcome(why="Sums, exponentials and products of matrices differ in their last bits between processors.")
    default = read_training_config(DEFAULT, name).config.model_dump(exclude_defaults=True)
    for case, changes in BACKBONE_CASES.get(name, {"default": default | SMALL}).items():
        fitted = backbone(name).fit(graph(), TrainingConfig(**SMALL | changes | {"epochs": 2}), 0)
        made.facts[f"{case}: scores"] = sample_of(fitted.users, fitted.items, TRAINED_WITHIN)
    return made


def sample_of(users: Tensor, items: Tensor, within: float) -> Near:
    """Return the scores of some users for some items, in half precision."""
    scores = users[:: USERS // 16] @ items[:: ITEMS // 32].T
    return Near((scores / scores.abs().max()).half().numpy().astype(np.float32), within)


# Splits, edges, metrics, ranking.


def interactions() -> Interactions:
    """Return interactions with times, some of which are equal."""
    made = generate(Synthetic(users=60, items=80, interactions=900, seed=2))
    times = np.abs(whole(len(made), seed=4, most=300))
    return Interactions(made.users, made.items, 60, 80, np.arange(60), np.arange(80), times=times)


def split(protocol: str) -> Outcome:
    """Return the hash of a split."""
    made, spec = interactions(), SplitSpec(protocol=protocol, valid=0.15, test=0.2, seed=3)  # type: ignore[arg-type]
    if protocol == "official":
        third = len(made) // 3
        files = {"two": [len(made) - third, third], "three": [third, third, len(made) - 2 * third]}
        spec = spec.model_copy(update={"cold_users": True})
        return Outcome({case: splits.official(made, rows, spec).sha256 for case, rows in files.items()})
    if protocol == "leave-one-out":
        often = replace(made, times=np.asarray(made.times) // 100)
        return Outcome({"plain": splits.make(made, spec).sha256, "ties": splits.make(often, spec).sha256})
    return Outcome({"plain": splits.make(made, spec).sha256})


def links(name: str) -> Outcome:
    """Return the adjacency of a graph with trust links that were read from a file."""
    made = interactions()
    file = RawFile(role="social", name="trusts.txt", format="pairs", optional=True)
    card = DatasetCard(
        title="Golden", domain="social", task="user-item", description="-", license="-", redistribution=True,
        citation="-", files=(RawFile(role="interactions", name="all.txt", format="pairs"), file),
        split=SplitSpec(protocol="random-per-user"),
    )  # fmt: skip
    parts = splits.make(made, card.split)
    pairs = np.abs(whole(90, 2, seed=6)) % 60
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "golden", file.name)
        path.parent.mkdir()
        path.write_text("".join(f"{one}\t{other}\n" for one, other in pairs.tolist()), encoding="ascii")
        whole_graph = linked(Graph(parts.fit), Dataset("golden", card, made, parts), ["trusts"], Path(folder))
    adjacency = whole_graph.adjacency()
    stored = {part: torch.from_numpy(getattr(adjacency, part)) for part in ("indptr", "indices", "weights")}
    return Outcome({"trusts": sha256_tensors(None, stored)})


METRICS_WITHIN = 1e-12
# What records say beside `evaluate.METRICS`.
BESIDE = ("coverage", "deciles", "paired")


def metric(name: str) -> Outcome:
    """Return the values of a metric on fixed lists."""
    parts = splits.make(interactions(), SplitSpec(protocol="random-per-user", valid=0.1, test=0.4))
    users = evaluate.evaluable(parts.test)
    order = np.argsort(whole(len(users), 80, seed=7, most=10**6), kind="stable", axis=1).astype(np.int32)
    lists = np.where(np.arange(30) < 29, order[:, :30], -1)  # The last place is empty.
    near = partial(Near, within=METRICS_WITHIN)
    if name in evaluate.METRICS:
        found = evaluate.per_user(lists, users, parts.test, (1, 5, 20, 30))
        values = {key: value for key, value in found.items() if key.partition("@")[0] == name}
        values["mean"] = np.array(list(evaluate.means(values).values()))
        return Outcome({key: near(value) for key, value in values.items()})
    if name == "coverage":
        return Outcome({"coverage@20": near(np.array([evaluate.coverage(lists[:, :20], 80)]))})
    if name == "deciles":
        items, groups = evaluate.popularity_deciles(parts.fit), evaluate.activity_deciles(users, parts.fit)
        recalled = np.nan_to_num(evaluate.recall_by_item_group(lists, users, parts.test, items, 20))
        return Outcome({"items": near(recalled), "users": near(groups.astype(np.float64))})
    before = evaluate.per_user(order[:, 30:60], users, parts.test, (20,))["ndcg@20"]
    after = evaluate.per_user(lists, users, parts.test, (20,))["ndcg@20"]
    said = evaluate.compare(before, after, "ndcg@20")
    values = [said.retention, said.low, said.high, said.p_value, said.detectable, *said.p_inferior.values()]
    return Outcome({"ndcg@20": Near(np.array(values), 1e-9)})


def ranking(name: str) -> Outcome:
    """Return lists of scores that are whole numbers, so that products are exact on every processor."""

    def lists(items: NDArray[np.int32]) -> str:
        return sha256_tensors(None, {"lists": torch.from_numpy(np.ascontiguousarray(items))})

    seen, users = graph().user_items, np.arange(USERS)
    scores = torch.from_numpy(whole(USERS, ITEMS, seed=8, most=20).astype(np.float32))
    scores[:, ::7] = -torch.inf
    scores[5] = torch.inf
    facts: dict[str, str | Near] = {
        "ties": lists(topk.select(scores.clone(), None, users, 20)[0]),
        "masked": lists(topk.select(scores.clone(), seen, users, 20)[0]),
        "short": lists(topk.select(scores.clone(), seen, users, ITEMS + 5)[0]),
    }
    wide = 4000
    queries, items = (torch.from_numpy(whole(n, 8, seed=n, most=9).astype(np.float32)) for n in (USERS, wide))
    known = UserItems(seen.indptr, seen.items * 10, wide)
    facts["tables"] = lists(topk.rank_tables(lambda some: queries[torch.from_numpy(some)], items, users, known, 20))
    facts["blocks"] = lists(
        topk.rank(lambda some, out: queries[torch.from_numpy(some)] @ items.T, users, known, 20, wide, rows=7)
    )
    return Outcome(facts)


PROTOCOLS = get_args(SplitSpec.model_fields["protocol"].annotation)
# Of each room: what is registered, and what makes the outcome of one.
EXAMPLES: dict[str, tuple[Iterable[str], Iterable[str], Callable[[str], Outcome]]] = {
    "codec": (KINDS, CODECS, codec),
    "network": (NETWORKS, NETWORK_CASES, network),
    "backbone": (backbones(), backbones(), trained),
    "graph": (["links"], ["links"], links),
    "split": (PROTOCOLS, PROTOCOLS, split),
    "metric": ([*evaluate.METRICS, *BESIDE], [*evaluate.METRICS, *BESIDE], metric),
    "ranking": (["topk"], ["topk"], ranking),
}
