"""The run record: what a run leaves behind, whatever became of it, and on every machine the same.

What belongs to one machine (latency, resident memory, metered serving) is a timing record, `recpress.records.timing`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recpress.core.cards import Sha256, validation_message
from recpress.core.errors import UserError
from recpress.core.hashing import sha256_json
from recpress.core.io import write_atomic
from recpress.core.paths import PACKAGE
from recpress.core.strict_json import parse
from recpress.headline import HEADLINE, SECOND
from recpress.records.schema import MOST_QUERIES
from recpress.records.upgrade import upgraded

SCHEMA_VERSION: Final = 4
SCHEMA_FILE: Final = PACKAGE / "records" / "schema" / f"record.v{SCHEMA_VERSION}.json"
Status = Literal["ok", "failed", "timeout", "over-budget", "out-of-memory"]
# What another try may mend. A budget that can't be met stays so.
WENT_WRONG: Final = ("failed", "timeout", "out-of-memory")
Grade = Literal["measured", "modelled", "analytic"]
Scenario = Literal["single", "batch", "offline", "refresh", "cold"]
Metered = Literal["per-query", "compressing", "training"]
# No figure of ours comes near it, and a sum or a product of several is still a number.
LARGEST: Final = 10**15
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
Amount = Annotated[float, Field(allow_inf_nan=False, ge=0, le=LARGEST)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0, le=LARGEST)]
Share = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
# Of what next to nothing was left of before, a compressed model may find many times as much.
Retained = Annotated[float, Field(allow_inf_nan=False, ge=0, le=100_000)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")]


class Part(BaseModel):
    """Base of the record's parts: unknown fields forbidden, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True)


PartT = TypeVar("PartT", bound=Part)


class Identity(Part):
    """What was run. Two runs with the same `key` are the same experiment."""

    key: Sha256 = Field(description="Hash of everything below with its declared versions: what changes the result.")
    dataset: str
    split: Sha256 = Field(description="Hash of the split (train, valid and test).")
    protocol: Literal["standard", "paper"]
    backbone: str
    checkpoint: str | None = Field(description="SHA-256 of the frozen backbone's content; null if it failed.")
    family: str
    method: str
    division: Literal["reference", "closed", "open"]
    serve_form: Literal["table", "graph", "function"]
    variant: str = Field(description="As asked for: a budget ('1/8'), explicit params ('bits=8'), or 'default'.")
    budget: Positive | None = Field(description="Asked-for bytes as a fraction of the dense fp32 tables.")
    params: dict[str, Any] = Field(description="The method's parameters, all of them, as used.")
    artefact_key: Sha256 | None = Field(
        None, description="Hash of all that decides the artefact and its lists: names its per-user results."
    )
    seed: Seed


class Paired(Part):
    """The artefact against its own backbone checkpoint, paired by user, on one metric."""

    metric: str
    low: Retained = Field(description="Lower end of the 95 % interval of the retention.")
    high: Retained
    p_value: Share = Field(description="Two-sided, of no difference.")
    margin: Share | None = Field(
        description="Least tested margin of non-inferiority (0.01 is called lossless); null: none holds."
    )
    detectable: Amount = Field(description="Least relative difference found with a power of 80 %.")


class Quality(Part):
    """Ranking quality on test: metric name (``recall@20``) to its mean over evaluated users, in [0, 1]."""

    metrics: dict[str, Share]
    retention: dict[str, Retained | None] = Field(
        description="Each metric over that of the backbone's own fp32 tables; null: those find nothing."
    )
    users: Count = Field(description="Users that have test items, over which the means are taken.")
    users_left_out: Count = Field(description="Users without test items.")
    topk_sha256: Sha256 = Field(description="Hash of the served top-100 lists.")
    paired: Paired | None = Field(None, description="Significance of what is lost.")
    item_deciles: tuple[Retained | None, ...] = Field(
        (), description=f"Retention of {SECOND} in each tenth of the items, rarest first; null: nothing to keep."
    )
    user_deciles: tuple[Retained | None, ...] = Field(
        (), description=f"Retention of {HEADLINE} in each tenth of the users, least active first."
    )
    doubtful: tuple[str, ...] | None = Field(
        None,
        description="Metrics of which a closed method retains more than is plausible: flagged for review; null: "
        "not judged, as in records made before.",
    )

    def retention_of(self, metric: str) -> float:
        """Return the retention of a metric; NaN where there is nothing to retain."""
        found = self.retention.get(metric)
        return math.nan if found is None else found


class Bytes(Part):
    """Size of the artefact."""

    file: Count = Field(gt=0, description="All bytes of the artefact folder: tables and manifest.")
    reference: Count = Field(gt=0, description="Bytes of the backbone's dense fp32 final tables, values alone.")
    breakdown: dict[str, Count] = Field(description="Bytes by kind; they add up to `file`.")
    users: Count | None = Field(None, description="Of the breakdown: what the user side takes.")
    items: Count | None = Field(None, description="Of the breakdown: what the item side takes.")
    nominal_parameters: Count
    nonzero_parameters: Count
    per_entity: Positive = Field(description="File bytes per user or item.")
    sha256: Sha256 | None = Field(None, description="Hash of the artefact folder: of its file names and contents.")
    zstd: Count | None = Field(None, description="Bytes of the same files, each compressed with zstd level 19.")
    touched_per_query: Count | None = Field(None, description="Bytes read to answer one user, as counted.")

    @property
    def ratio(self) -> float:
        """Compression: reference bytes over file bytes."""
        return self.reference / self.file


class Latency(Part):
    """One serving scenario, timed in turn with the dense fp32 reference in the same process."""

    scenario: Scenario
    threads: Count
    queries: Count = Field(gt=0, le=MOST_QUERIES, description="Timed calls of each side.")
    batch_size: Count = Field(gt=0)
    p50_ms: Positive
    p90_ms: Positive
    p99_ms: Positive
    reference_p50_ms: Positive
    ratio: Positive = Field(
        description="Time over that of the reference, the median over pairs of blocks; below 1 is faster."
    )
    ratio_low: Positive = Field(description="Lower end of the 95 % bootstrap interval of the ratio.")
    ratio_high: Positive
    samples: str = Field(
        description="Raw times, candidate then reference: base64 of zlib of byte planes of int64 ticks of 100 ns."
    )
    block: Count = Field(1, gt=0, description="Consecutive samples that were timed before the other side's turn came.")
    overhead_ms: Amount | None = Field(None, description="Median time of an empty call: the harness itself.")
    stages_ms: dict[str, Amount] = Field(
        {}, description="Median time of each stage (fetch, score, select), timed apart from the samples."
    )
    load_average: Amount | None = Field(None, description="One-minute load average when timing began.")
    others_load: Finite | None = Field(None, description="Share of the CPU time that others used meanwhile.")
    noisy: bool = Field(False, description="Others used too much of the machine: kept off rankings.")

    @property
    def throughput(self) -> float:
        """Users answered per second, at the median."""
        return self.batch_size / self.p50_ms * 1e3


class Energy(Part):
    """An energy, with the grade of its evidence. Figures of different grades are never compared.

    Measured energies are above idle, and may be nothing or less where that hides them; the other grades are above 0.
    """

    grade: Grade
    what: Metered
    joules: Finite
    low: Finite
    high: Finite
    table: str = Field(description="Version of the table or tool that the figure rests on.")
    parts: dict[str, Finite] = Field({}, description="Joules by part (arithmetic and memory; CPU, RAM, GPU).")
    grams_co2e: Finite | None = Field(None, description="At `grid`; null for analytic, which is no meter.")
    grid: Amount | None = Field(None, description="Grid intensity used, g CO2e per kWh.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.joules <= self.high:
            raise ValueError(f"{self.joules} J are not between {self.low} and {self.high}")
        if self.low <= 0 and self.grade != "measured":
            raise ValueError(f"{self.grade} energies are above 0")
        return self


class Cost(Part):
    """Cost of compressing, without training the backbone."""

    compress_seconds: Amount
    peak_bytes: Count = Field(description="Peak resident bytes of the compressing process.")
    backbone_seconds: Amount | None = Field(description="Training time of the backbone, shared by its runs.")
    backbone_peak_bytes: Count | None = Field(None, description="Peak resident bytes of the training process.")
    trials: Count = Field(description="Hyper-parameter trials behind the training config.")


class Serving(Part):
    """Serving signature: all that decides how long an artefact takes to answer, whoever made it."""

    users: dict[str, Any] = Field(description="Codec tree of the user side: kinds, options, types and shapes.")
    items: dict[str, Any] = Field(description="Codec tree of the item side.")
    network: dict[str, Any] | None = Field(None, description="Of the serve form graph: what makes the tables.")
    n_users: Count
    n_items: Count
    columns: Count = Field(description="Of the decoded tables.")
    reference_columns: Count = Field(description="Of the dense fp32 tables that it is timed beside.")
    threads: Count = Field(1, description="That answer one user or a batch.")
    artefact: Sha256 | None = Field(
        None, description="Hash of the artefact where its values decide the time (approximate search); else null."
    )

    @cached_property
    def signature(self) -> str:
        """The hash of all of it: what has one signature takes as long."""
        return sha256_json(self.model_dump(mode="json"))


class Provenance(Part):
    """Origin of the record: machine, time, code and command."""

    started: str = Field(description="UTC time, ISO 8601.")
    seconds: Amount
    recpress: str
    commit: Commit | None
    dirty: bool | None
    command: str = Field(description="The command that repeats this run.")
    python: str
    packages: dict[str, str]
    machine: str = Field(description="Fingerprint; described in machines/<fingerprint>.json.")
    load_average: Amount | None = Field(description="One-minute load average when timing began.")
    environment: dict[str, str] = Field({}, description="Variables that set thread counts or choose kernels.")
    code: Sha256 | None = Field(None, description="Hash of the method's own source. It decides nothing: versions do.")
    isolated: bool | None = Field(
        None,
        description="Whether the operating system held the run's processes to what they were given; null: not known, "
        "as in records made before and in timings.",
    )


class Record(Part):
    """One run of the benchmark. A failed run has a status and a reason and lacks what it did not reach."""

    schema_version: Literal[4] = SCHEMA_VERSION
    status: Status
    reason: str | None = None
    identity: Identity
    quality: Quality | None = None
    bytes: Bytes | None = None
    serving: Serving | None = Field(None, description="Joins the run with timings; null: not known, or not served.")
    energy: tuple[Energy, ...] = Field((), description="Counted per query; metered for compressing and training.")
    cost: Cost | None = None
    provenance: Provenance

    @property
    def signature(self) -> str:
        """The serving signature; of a run whose codec tree isn't known, a hash that no other run has."""
        return self.serving.signature if self.serving else self.identity.artefact_key or self.identity.key


def relative_path(identity: Identity) -> Path:
    """Return where a record lies in a results folder: its path is its identity."""
    return path_of(identity.dataset, identity.backbone, identity.method, identity.variant, identity.seed)


def in_a_name(variant: str) -> str:
    """Return a variant as the names of files and runs hold it: 1-4 for the budget 1/4."""
    return variant.replace("/", "-")


def path_of(dataset: str, backbone: str, method: str, variant: str, seed: int) -> Path:
    """Return where the record of such a run lies in a results folder."""
    return Path("records") / dataset / backbone / method / f"{in_a_name(variant)}.seed{seed}.json"


def write(results: Path, result: Record) -> Path:
    """Write a record to its place, atomically, replacing an earlier run of the same variant."""
    path = results / relative_path(result.identity)
    write_atomic(path, text(result))
    return path


def text(model: BaseModel) -> str:
    """Return a record as it is written: a line for each of its parts, so that a changed part shows in a diff."""
    parts = model.model_dump(mode="json")
    lines = (f"{json.dumps(name)}: {json.dumps(part, sort_keys=True)}" for name, part in sorted(parts.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read(path: Path) -> Record:
    """Read one record, of this schema version or an older one.

    Raises
    ------
    UserError
        When it isn't JSON or doesn't match the schema; the message names the file and the fields.
    """
    return read_as(Record, path, "record", lambda raw: upgraded(raw, SCHEMA_VERSION))


def read_as(
    model: type[PartT], path: Path, what: str, upgrade: Callable[[dict[str, Any]], dict[str, Any]] = lambda raw: raw
) -> PartT:
    """Read one file of JSON as a model that states its schema's version.

    Parameters
    ----------
    model : type
    path : Path
    what : str
        As a user calls it: "record", "timing".
    upgrade : callable
        Makes of what was read what the present version would have written.

    Raises
    ------
    UserError
        When it isn't JSON or doesn't match; the message names the file and the fields.
    """
    try:
        return model.model_validate(upgrade(parse(path.read_bytes())))
    except ValidationError as error:
        version = model.model_fields["schema_version"].default
        raise UserError(f"{path} is not a {what} of schema {version}: {validation_message(error)}.") from error
    except (ValueError, RecursionError, UserError) as error:
        raise UserError(f"{path} is not a {what}: {error}.") from error


def read_all(results: Path) -> list[Record]:
    """Read every record of a results folder, in the order of their paths."""
    return [read(path) for path in sorted((results / "records").rglob("*.json"))]


def schema_text() -> str:
    """Return the JSON schema of the record, as it is kept in `SCHEMA_FILE`."""
    return schema_of(Record, SCHEMA_FILE.name)


def schema_of(model: type[BaseModel], name: str) -> str:
    """Return the JSON schema of a model, as it is kept in a file of that name."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"recpress/{name}",
        **model.model_json_schema(),
    }
    return json.dumps(schema, indent=1) + "\n"
