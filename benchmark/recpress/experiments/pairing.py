"""Runs side by side, user by user: found in a results folder, joined over seeds, compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recpress.core.errors import UserError, unknown
from recpress.data import load
from recpress.evaluation import (
    KS,
    METRICS,
    Comparison,
    activity_deciles,
    adjust,
    compare,
    compare_columns,
    compare_groups,
    hit_masks,
    popularity_deciles,
    recall_by_item_group,
    store,
)
from recpress.evaluation.store import PerUser
from recpress.experiments.cache_layout import per_user_path
from recpress.experiments.per_user_hits import Store, UserHits
from recpress.records import record
from recpress.records.record import Identity, Record

SLICED_AT = 20
# What only whole lists give.
DEEPER = {f"{name}@{k}" for name in METRICS for k in KS if k > hit_masks.DEPTH}


@dataclass(frozen=True)
class Variant:
    """All seeds of one variant.

    Attributes
    ----------
    name : str
        ``dataset/backbone/method/variant``, with - for the / of a budget.
    records : mapping of int to Record
        By seed. All have a quality.
    results : Path
        The folder that they lie in, with their hits.
    """

    name: str
    records: Mapping[int, Record]
    results: Path


def variant_name(identity: Identity) -> str:
    """Return the name of the variant that a run belongs to: the path of its record without the seed."""
    path = record.relative_path(identity).relative_to("records")
    return path.as_posix().rpartition(".seed")[0]


def read_variants(results: Path) -> dict[str, Variant]:
    """Return every variant of a results folder that was scored, by name."""
    seeds: dict[str, dict[int, Record]] = {}
    for each in record.read_all(results):
        if each.quality is not None:
            seeds.setdefault(variant_name(each.identity), {})[each.identity.seed] = each
    return {name: Variant(name, found, results) for name, found in seeds.items()}


def comparable(known: Iterable[Variant]) -> dict[str, list[Variant]]:
    """Return the variants whose hits are there, by data set."""
    stores: dict[Path, Store] = {}
    found: dict[str, list[Variant]] = {}
    for each in known:
        kept = stores.setdefault(each.results, Store(each.results))
        if all(kept.has(made) for made in each.records.values()):
            found.setdefault(each.name.partition("/")[0], []).append(each)
    return found


def short_names(baseline: Variant, others: Sequence[Variant]) -> list[str]:
    """Return method and variant of each, after the data set and the backbone where these are not the baseline's too."""
    names = [each.name.split("/", 2) for each in (baseline, *others)]
    same = [len({parts[place] for parts in names}) == 1 for place in (0, 1)]
    told = 2 if all(same) else 1 if same[0] else 0
    return ["/".join(parts[told:]) for parts in names[1:]]


def find(asked: str, known: Mapping[str, Variant]) -> Variant:
    """Return the variant that is meant.

    Parameters
    ----------
    asked : str
        A name, or a part of one between slashes that no other has (``uniform/1/8``); either may end in
        ``.seed<n>`` for one seed alone. Or the path of a record.

    Raises
    ------
    UserError
        When none or several are meant.
    """
    if asked.endswith(".json"):
        one = _read(Path(asked))
        return Variant(variant_name(one.identity), {one.identity.seed: one}, Path(asked).resolve().parents[:5][-1])
    name, _, seed = asked.strip("/").partition(".seed")
    # A budget's / is a - in names; both are understood.
    part = f"-{name.replace('/', '-')}-"
    dashed = {f"-{key.replace('/', '-')}-": each for key, each in known.items()}
    matching = [each for key, each in dashed.items() if key.endswith(part)]
    matching = matching or [each for key, each in dashed.items() if part in key]
    if not matching:
        raise unknown("run", asked, known, "`recpress show` lists what there is")
    if len(matching) > 1:
        some = ", ".join(each.name for each in matching[:4])
        raise UserError(f"{asked!r} may be any of {len(matching)} runs: write more of one name, such as {some}.")
    (found,) = matching
    if not seed:
        return found
    if not seed.isdigit() or int(seed) not in found.records:
        raise UserError(f"{found.name} has the seeds {', '.join(map(str, sorted(found.records)))}, and not {seed}.")
    return replace(found, records={int(seed): found.records[int(seed)]})


def _read(path: Path) -> Record:
    if not path.is_file():
        raise UserError(f"There is no record {path}.")
    found = record.read(path)
    if found.quality is None:
        raise UserError(f"{path} has no quality to compare: it ended as {found.status} ({found.reason}).")
    return found


@dataclass(frozen=True)
class Scored:
    """One run, user by user."""

    record: Record
    hits: UserHits

    def values(self, metric: str) -> NDArray[np.float64]:
        """Return a metric user by user: from the hits up to @20, from the lists beyond.

        Raises
        ------
        UserError
            When there is no such metric, or the lists aren't on this machine.
        """
        return self.lists(metric).metrics[metric] if metric in DEEPER else self.hits.values(metric)

    def lists(self, purpose: str) -> PerUser:
        """Return what was served, from this machine's cache.

        Parameters
        ----------
        purpose : str
            What needs it, for the message.

        Raises
        ------
        UserError
            When it isn't here, or isn't what the record was made from.
        """
        assert self.record.quality is not None
        path = per_user_path(self.record.identity.artefact_key or "none")
        again = f"`{self.record.provenance.command} --force` makes them"
        if not path.is_file():
            name, without = variant_name(self.record.identity), f"Without them there are {hit_masks.can_give()}"
            raise UserError(f"{purpose} needs the lists of {name}, which are not on this machine: {again}. {without}.")
        scored = store.load(path)
        if hashlib.sha256(scored.topk.astype("<i4").tobytes()).hexdigest() != self.record.quality.topk_sha256:
            raise UserError(f"{path} is not what its record was made from: {again}.")
        return scored


@dataclass(frozen=True)
class Pair:
    """A baseline and a candidate over the seeds that both have.

    Attributes
    ----------
    seeds : tuple of int
    before, after : tuple of Scored
        One each seed, all of the same users in the same order.
    """

    seeds: tuple[int, ...]
    before: tuple[Scored, ...]
    after: tuple[Scored, ...]

    def values(self, metric: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a metric of both, of shape (n_users,) with one seed, else (n_seeds, n_users).

        Raises
        ------
        UserError
            When there is no such metric, or it needs lists that aren't on this machine.
        """
        before, after = ([each.values(metric) for each in side] for side in (self.before, self.after))
        return _joined(before), _joined(after)


def _joined(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.stack(values) if len(values) > 1 else values[0]


def pair(baseline: Variant, candidate: Variant) -> Pair:
    """Join two variants seed by seed.

    Raises
    ------
    UserError
        When they have no seed in common, were scored on different splits, or their hits aren't there.
    """
    seeds = tuple(sorted(baseline.records.keys() & candidate.records.keys()))
    if not seeds:
        raise UserError(f"{baseline.name} and {candidate.name} have no seed in common: run both with one seed.")
    runs = [side.records[seed] for side in (baseline, candidate) for seed in seeds]
    if len({run.identity.split for run in runs}) > 1:
        raise UserError(f"{baseline.name} and {candidate.name} were scored on different splits: they can't be paired.")
    before, after = (tuple(_scored(side, seed) for seed in seeds) for side in (baseline, candidate))
    return Pair(seeds, before, after)


def refuse_nothing(pairing: Pair, metric: str) -> None:
    """Raise UserError where the baseline finds nothing, so that no share of it can be retained."""
    if not pairing.values(metric)[0].any():
        raise UserError(
            f"{variant_name(pairing.before[0].record.identity)} finds nothing by {metric}, so there is nothing that "
            "others could retain: compare with another run."
        )


def _scored(variant: Variant, seed: int) -> Scored:
    made = variant.records[seed]
    return Scored(made, Store(variant.results).hits(made))


def compare_all(pairs: Sequence[Pair], metrics: Sequence[str]) -> list[list[Comparison]]:
    """Compare each pair on each metric; p-values are adjusted (Holm) over the pairs, metric by metric.

    Returns
    -------
    One list a pair, in the order of the metrics.

    Raises
    ------
    UserError
        When a baseline finds nothing.
    """
    for each, metric in product(pairs, metrics):
        refuse_nothing(each, metric)
    by_metric = [adjust([compare(*each.values(metric), metric) for each in pairs]) for metric in metrics]
    return [list(row) for row in zip(*by_metric, strict=True)]


@dataclass(frozen=True)
class Slice:
    """One tenth of the users or of the items, compared.

    Attributes
    ----------
    of : {"items", "users"}
        Items by popularity (recall of their test interactions), or users by activity.
    tenth : int
        1 is the rarest, or the least active.
    comparison : Comparison or None
        P-values are adjusted over the ten. None where there is nothing to retain.
    """

    of: str
    tenth: int
    comparison: Comparison | None


def compare_slices(pairing: Pair, dataset: str, metric: str) -> list[Slice]:
    """Compare within tenths of the items by popularity (recall@20), and of the users by activity (`metric`)."""
    split = load(dataset).split
    groups = popularity_deciles(split.fit)
    served = [[run.lists("Comparing by slices") for run in side] for side in (pairing.before, pairing.after)]
    before, after = (
        _joined([recall_by_item_group(run.topk, run.users, split.test, groups, SLICED_AT) for run in side])
        for side in served
    )
    items = compare_columns(before, after, f"recall@{SLICED_AT}")
    users = compare_groups(*pairing.values(metric), activity_deciles(served[0][0].users, split.fit), metric)
    return [
        Slice(of, tenth + 1, found)
        for of, told in (("items", items), ("users", users))
        for tenth, found in sorted(told.items())
    ]
