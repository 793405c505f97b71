"""Seeded made-up records for tests of the board. They measure nothing and are never published.

``python tests/leaderboard/synthetic.py FOLDER --records 10000`` writes a results folder to try the site on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from itertools import islice, product
from pathlib import Path

import numpy as np

from recpress.core.hashing import sha256_file
from recpress.data.interactions import UserItems
from recpress.evaluation import means, per_user
from recpress.evaluation.store import PerUser
from recpress.experiments import per_user_hits
from recpress.leaderboard.collect import Run
from recpress.measure import energy
from recpress.measure.ratio import paired_ratio
from recpress.records.record import (
    Bytes,
    Cost,
    Energy,
    Identity,
    Latency,
    Paired,
    Provenance,
    Quality,
    Record,
    Serving,
    relative_path,
)
from recpress.records.samples import pack
from recpress.records.timing import Timing, Timings, run_id
from recpress.records.timing import place as place_of_timing
from recpress.reproduce.report import ReportedRatio, ReproductionReport, place

DATASETS = {"synthetic-small": (943, 1682), "synthetic-mid": (6040, 3706), "synthetic-large": (29858, 40981)}
BACKBONES = {"lightgcn": 1.0, "mf": 0.93}
FAMILIES = {
    "reference": ("none", "fp16"),
    "quantization": ("uniform", "kmeans", "product"),
    "pruning": ("magnitude", "movement"),
    "distillation": ("distill", "ranking-distill"),
    "low_rank": ("svd",),
    "sharing": ("hashing",),
}
SETTINGS = {"1/2": 0.5, "1/4": 0.25, "1/8": 0.125, "1/16": 0.0625, "1/32": 0.03125}
MACHINE = "0123456789abcdef"
ELSEWHERE = "fedcba9876543210"
MACHINES = {
    MACHINE: {"cpu": "a made-up CPU", "cores": 2, "threads": 2, "flags": ["popcnt", "avx2", "avx512_vnni"]},
    ELSEWHERE: {"cpu": "a made-up CPU", "cores": 2, "threads": 2, "flags": ["popcnt", "avx2"]},
}
# How many times as long as the first machine the second takes.
SLOWER = 3.0


def _sha(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _latency(scenario: str, batch: int, base_ms: float, ratio: float, rng: np.random.Generator, seed: int) -> Latency:
    times = rng.lognormal(0.0, 0.08, size=(2, 30)) * [[base_ms * ratio], [base_ms]] * 1e6
    raw = times.astype(np.int64)
    p50, p90, p99 = np.percentile(raw[0], [50, 90, 99]) / 1e6
    ratios = paired_ratio(*raw[:, :, None], seed=seed)
    return Latency(
        scenario=scenario,
        threads=1,
        queries=raw.shape[1],
        batch_size=batch,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        reference_p50_ms=float(np.median(raw[1])) / 1e6,
        ratio=ratios.value,
        ratio_low=ratios.low,
        ratio_high=ratios.high,
        samples=pack(*raw),
    )


def make(dataset: str, backbone: str, family: str, method: str, variant: str, seed: int) -> Record:
    """Return one made-up record; the same arguments give the same record."""
    digest = _sha(dataset, backbone, method, variant, seed)
    rng = np.random.default_rng(int(digest[:8], 16))
    taste = np.random.default_rng(int(_sha(method)[:8], 16))
    users, items = DATASETS[dataset]
    dense = (users + items) * 64 * 4
    fraction = {"none": 1.0, "fp16": 0.5}.get(method, SETTINGS.get(variant, 1.0))
    loss = 0.0 if family == "reference" else 0.025 * taste.uniform(0.2, 1.0) * (-np.log2(fraction)) ** 1.3
    kept = float(np.clip(1 - loss + rng.normal(0, 0.004), 0.05, 1.02)) if method != "none" else 1.0
    ceiling = {"synthetic-small": 0.34, "synthetic-mid": 0.27, "synthetic-large": 0.16}[dataset]
    ndcg = ceiling * BACKBONES[backbone] * (1 + 0.01 * np.random.default_rng(seed).normal()) * kept
    file = int(dense * fraction * rng.uniform(0.97, 1.0)) + 900
    failed = family != "reference" and rng.random() < 0.02
    who = Identity(
        key=digest,
        dataset=dataset,
        split=_sha(dataset),
        protocol="standard",
        backbone=backbone,
        checkpoint=_sha(dataset, backbone, seed),
        family=family,
        method=method,
        division={"reference": "reference", "distillation": "open"}.get(family, "closed"),
        serve_form="table",
        variant=variant,
        budget=SETTINGS.get(variant),
        params={"bits": 8} if family == "quantization" else {},
        artefact_key=_sha(digest, "made"),
        seed=seed,
    )
    day = 1 + int(digest[8:10], 16) % 28
    made = Provenance(
        started=f"2026-10-{day:02d}T12:00:00Z",
        seconds=12.5,
        recpress="0.1.0",
        commit=digest[:40],
        dirty=False,
        command=f"recpress run --dataset {dataset} --backbone {backbone} --method {method} "
        f"--budget {variant} --seed {seed}",
        python="3.11.9",
        packages={"numpy": "2.4.6", "torch": "2.13.0"},
        machine=MACHINE,
        load_average=0.4,
        code=_sha(method, "code"),
    )
    if failed:
        return Record(status="failed", reason="RuntimeError: made up to fail", identity=who, provenance=made)
    ks = {5: 0.7, 10: 0.85, 20: 1.0, 50: 1.3, 100: 1.6}
    metrics = {f"ndcg@{k}": min(ndcg * f, 1.0) for k, f in ks.items()}
    metrics |= {f"recall@{k}": min(ndcg * f * f * 1.1, 1.0) for k, f in ks.items()}
    joules = energy.table().dram_byte.times(1e-12 * file)
    return Record(
        status="over-budget" if int(digest[16:24], 16) % 100 == 1 else "ok",
        identity=who,
        quality=Quality(
            metrics=metrics,
            retention=dict.fromkeys(metrics, kept),
            users=users - 3,
            users_left_out=3,
            topk_sha256=_sha(digest, "topk"),
            paired=Paired(
                metric="ndcg@20",
                low=kept - 0.006,
                high=kept + 0.006,
                p_value=0.2 if kept > 0.99 else 0.001,
                margin=next((margin for margin in (0.01, 0.03, 0.05) if kept - 0.006 > 1 - margin), None),
                detectable=0.008,
            ),
            item_deciles=tuple(1 - (1 - kept) * (2 - 0.2 * tenth) for tenth in range(10)),
            user_deciles=tuple(1 - (1 - kept) * (1.5 - 0.1 * tenth) for tenth in range(10)),
        ),
        bytes=Bytes(
            file=file,
            reference=dense,
            breakdown={"values": file - 900, "scales": 600, "metadata": 300},
            nominal_parameters=(users + items) * 64,
            nonzero_parameters=int((users + items) * 64 * (fraction if family == "pruning" else 1)),
            per_entity=file / (users + items),
            touched_per_query=file,
        ),
        serving=Serving(
            users={
                "spec": {"kind": method, "variant": variant},
                "tensors": {"values": f"int8[{users}, {int(256 * fraction)}]"},
            },
            items={
                "spec": {"kind": method, "variant": variant},
                "tensors": {"values": f"int8[{items}, {int(256 * fraction)}]"},
            },
            n_users=users,
            n_items=items,
            columns=64,
            reference_columns=64,
        ),
        energy=(
            Energy(
                grade="analytic",
                what="per-query",
                joules=joules.middle,
                low=joules.low,
                high=joules.high,
                table="v1",
                parts={"memory": joules.middle},
            ),
        ),
        cost=Cost(compress_seconds=3.2, peak_bytes=5 * dense, backbone_seconds=20.0, trials=30),
        provenance=made,
    )


def records(count: int = 0, seeds: int = 3, methods: int = 0) -> list[Record]:
    """Return made-up records of every dataset, backbone, method and budget.

    Parameters
    ----------
    count : int
        Stop after so many; 0 is all of them.
    seeds : int
        Seeds of each variant.
    methods : int
        Pad the known methods with numbered ones up to so many; 0 adds none.
    """
    known = [(family, method) for family, names in FAMILIES.items() for method in names]
    families = [family for family in FAMILIES if family != "reference"]
    known += [(families[n % len(families)], f"method-{n:03d}") for n in range(len(known), methods)]
    cells = (
        (dataset, backbone, family, method, variant, seed)
        for variant, dataset, backbone, (family, method), seed in product(
            SETTINGS, DATASETS, BACKBONES, known, range(seeds)
        )
        if family != "reference" or variant == "1/2"
    )
    chosen = islice(cells, count or None)
    return [make(d, b, f, m, "default" if f == "reference" else variant, s) for d, b, f, m, variant, s in chosen]


def time(record: Record, machine: str = MACHINE) -> Timing | None:
    """Return a made-up timing of a run's own artefact; None of a run that left none."""
    if record.serving is None:
        return None
    who = record.identity
    rng = np.random.default_rng(int(_sha(who.key, machine)[:8], 16))
    base = (2e-6 * record.serving.n_items + 0.02) * (SLOWER if machine == ELSEWHERE else 1)
    speed = {"quantization": 0.55, "pruning": 1.4, "low_rank": 0.8}.get(who.family, 1.0) * rng.uniform(0.9, 1.1)
    return Timing(
        signature=record.signature,
        run=run_id(who),
        kernel="made up",
        latency=(
            _latency("single", 1, base, speed, rng, who.seed),
            _latency("batch", 256, 40 * base, speed, rng, who.seed),
        ),
        resident=12_000_000,
        peak_resident=345_000_000,
        provenance=record.provenance.model_copy(update={"machine": machine}),
    )


def timings(made: Iterable[Record], machine: str = MACHINE) -> list[Timing]:
    """Return a made-up timing of each run that left an artefact."""
    return [timing for record in made if (timing := time(record, machine))]


def runs(made: Iterable[Record], timed: Iterable[Timing] | None = None) -> list[Run]:
    """Return records beside timings, made-up ones of `MACHINE` where none are given."""
    made = list(made)
    joined = Timings(timings(made) if timed is None else timed)
    return [Run(run_id(each.identity), each, each.model_dump(mode="json"), "", joined.of(each)) for each in made]


# Made-up users who were evaluated, with their test items: 0 … 39 at most; other items are misses.
N_EVALUATED = 300
TEST = UserItems.from_pairs(
    np.repeat(np.arange(N_EVALUATED), 1 + np.arange(N_EVALUATED) % 40),
    np.concatenate([np.arange(1 + user % 40) for user in range(N_EVALUATED)]),
    N_EVALUATED,
    60,
)


def with_hits(made: Record) -> tuple[Record, PerUser]:
    """Return a record with the figures of made-up lists, and those lists; the same record gives the same lists."""
    assert made.quality
    who = made.identity
    retention = made.quality.retention["ndcg@20"]
    assert retention is not None
    kept = np.clip(retention, 0, 1)
    # Runs of one seed hit much the same, as those of one checkpoint do.
    taste, rng = (np.random.default_rng(int(_sha(*part)[:8], 16)) for part in ((who.seed,), (made.identity.key,)))
    hits = taste.random((N_EVALUATED, 20)) < taste.beta(1, 3, (N_EVALUATED, 1))
    hits &= rng.random(hits.shape) < kept
    hits ^= rng.random(hits.shape) < 0.02
    hits &= np.cumsum(hits, axis=1) <= TEST.counts[:, None]
    lists = np.where(hits, np.cumsum(hits, axis=1) - 1, 40 + np.arange(20)).astype(np.int32)
    users = np.arange(N_EVALUATED)
    scored = PerUser(users, per_user(lists, users, TEST, [5, 10, 20]), lists)
    figures = {
        "metrics": made.quality.metrics | means(scored.metrics),
        "users": N_EVALUATED,
        "users_left_out": made.quality.users + made.quality.users_left_out - N_EVALUATED,
        "topk_sha256": hashlib.sha256(lists.astype("<i4").tobytes()).hexdigest(),
    }
    return made.model_copy(update={"quality": made.quality.model_copy(update=figures)}), scored


def write_hits(results: Path, made: Sequence[Record]) -> None:
    """Write the hits of records of `with_hits` into their results folder."""
    for record in made:
        per_user_hits.keep(results, *with_hits(record), TEST)


def write_folder(results: Path, made: Iterable[Record], timed: Iterable[Timing] | None = None) -> Path:
    """Write records, timings and their machines as a results folder, without the fsyncs of the real writer.

    Where no timings are given, they are made up, of `MACHINE`.
    """
    made = list(made)
    timed = timings(made) if timed is None else list(timed)
    for record in made:
        _put(results / relative_path(record.identity), record.model_dump_json(indent=1))
    for timing in timed:
        _put(results / place_of_timing(timing.machine, timing.run), timing.model_dump_json(indent=1))
    for name in {MACHINE, *(timing.machine for timing in timed)}:
        _put(results / "machines" / f"{name}.json", json.dumps(MACHINES.get(name, {})))
    return results


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_asv(folder: Path, values: Sequence[Sequence[float | None]], versions: Sequence[str] | None = None) -> Path:
    """Write results as asv does: a benchmark with one parameter of two values, a file a commit."""
    results = folder / "results"
    (results / "vm").mkdir(parents=True)
    about = {"unit": "seconds", "param_names": ["batch"], "params": [["'1'", "'256'"]]}
    (results / "benchmarks.json").write_text(json.dumps({"bench.Topk.time_rank": about, "version": 2}))
    (results / "vm" / "machine.json").write_text("{}")
    for at, both in enumerate(values):
        row = [
            both,
            [["'1'", "'256'"]],
            (versions or ["v1"] * len(values))[at],
            0,
            0,
            [0.9, -math.inf],
            [1.1, math.inf],
        ]
        raw = {
            "commit_hash": f"{at:040x}",
            "date": 1_790_000_000_000 + 86_400_000 * at,
            "params": {"machine": "vm"},
            "result_columns": [
                "result",
                "params",
                "version",
                "started_at",
                "duration",
                "stats_ci_99_a",
                "stats_ci_99_b",
            ],
            "results": {"bench.Topk.time_rank": row},
        }
        (results / "vm" / f"{at:08x}-existing.json").write_text(json.dumps(raw))
    return folder


def repeated(of: Record, sha256: str, **update: object) -> ReproductionReport:
    """Return a reproduction report that agrees with a record, but for what is given."""
    assert of.quality
    assert of.bytes
    made = ReproductionReport(
        event="rerun",
        record=relative_path(of.identity).as_posix(),
        sha256=sha256,
        machine=of.provenance.machine,
        date="2026-10-02T00:00:00+00:00",
        commit=None,
        command="recpress rerun --sample 1 --seed 0",
        status="ok",
        metrics=of.quality.metrics,
        retention=of.quality.retention,
        bytes=of.bytes.file,
        latency=ratios(time(of)),
    )
    return made.model_copy(update=update)


def ratios(timing: Timing | None, factor: float = 1.0, *, noisy: bool = False) -> dict[str, ReportedRatio]:
    """Return the ratios of a timing, as a reproduction report holds them, times a factor."""
    return {
        each.scenario: ReportedRatio(
            ratio=factor * each.ratio, low=factor * each.ratio_low, high=factor * each.ratio_high, noisy=noisy
        )
        for each in (timing.latency if timing else ())
    }


def put(results: Path, made: ReproductionReport) -> Path:
    """Write a reproduction report where it belongs."""
    path = results / place(made.record, made.event, made.machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made.model_dump_json(), encoding="utf-8")
    return path


def repeat(results: Path, record: Record, **update: object) -> None:
    """Attest that a record of a results folder was run again and is the same, but for what is given."""
    put(results, repeated(record, sha256_file(results / relative_path(record.identity)), **update))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", type=int, default=0)
    arguments = parser.parse_args()
    write_folder(arguments.folder, records(arguments.records, arguments.seeds, arguments.methods))
