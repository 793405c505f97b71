"""What makes a run the same run: names, versions, parameters, split, training config and seed, hashed.

Nothing of how code is written or where it lies is in it: what gives other results declares another version
(`recpress.versions`, and the cards of methods).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from recpress import registry, versions
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig, TrainingConfigFile, read_training_config
from recpress.core.hashing import sha256_json
from recpress.data.card import dataset_card
from recpress.experiments import source_hash
from recpress.experiments.suite import OWN, RunSpec


@dataclass(frozen=True)
class PlannedRun:
    """A run with its identity: what is planned from a spec.

    Attributes
    ----------
    spec : RunSpec
    split : str
        SHA-256 of the split.
    config : TrainingConfigFile
    code : str
        Hash of the method's own source: where the artefact came from, and no part of its identity.
    backbone_key : str
        Hash of all that decides the trained backbone.
    artefact_key : str
        Hash of all that decides the artefact and what it serves.
    id : str
        Hash of all that decides the record: of the above, and of the versions of metrics.
    """

    spec: RunSpec
    split: str
    config: TrainingConfigFile
    code: str
    backbone_key: str
    artefact_key: str
    id: str


@cache
def _config(dataset: str, backbone: str) -> TrainingConfigFile:
    return read_training_config(dataset, backbone)


@cache
def _protocol(dataset: str) -> str:
    if dataset.startswith(OWN):
        from recpress.data import own

        return own.card(dataset).split.protocol
    return dataset_card(dataset).split.protocol


@cache
def code_of(method: str) -> str:
    """Return the hash of a method's own source."""
    return source_hash.sha256_of(registry.method(method))


@cache
def _method(name: str) -> dict[str, Any]:
    """Return the version of a method, or its source where it declares none, and those of what serves it."""
    card = registry.method(name).card
    behaviour = {"version": card.version} if card.version else {"source": code_of(name)}
    return {
        "name": name,
        **behaviour,
        "codecs": _later(versions.of_kinds(card.codecs)),
        "ranking": _later(versions.versions("ranking")),
    }


def _later(declared: dict[str, int]) -> dict[str, int]:
    """Leave first versions out, so that a metric or a codec that is new makes no record old."""
    return {name: version for name, version in declared.items() if version > 1}


def _backbone(spec: RunSpec, split: str, config: TrainingConfig) -> dict[str, Any]:
    protocol = _protocol(spec.dataset)
    links = {"links": versions.version("graph", "links")} if config.relations else {}
    return {
        "split": {"sha256": split, "protocol": protocol, "version": versions.version("split", protocol)},
        "backbone": {"name": spec.backbone, "version": backbone(spec.backbone).card.version},
        # Without what is as by default, so that a field that is new changes nothing.
        "recipe": config.model_dump(mode="json", exclude_defaults=True),
        "seed": spec.seed,
        **links,
    }


def plan(spec: RunSpec, split: str) -> PlannedRun:
    """Give a run its identity. This reads cards, training configs and versions, and imports no torch.

    Parameters
    ----------
    spec : RunSpec
    split : str
        SHA-256 of the split.
    """
    config = _config(spec.dataset, spec.backbone)
    backbone = sha256_json(_backbone(spec, split, config.config))
    artefact_key = sha256_json(
        {
            "backbone": backbone,
            "method": _method(spec.method),
            "budget": spec.budget.fraction if spec.budget else None,
            "params": spec.params,
        }
    )
    record = sha256_json({"made": artefact_key, "metrics": _later(versions.versions("metric"))})
    return PlannedRun(spec, split, config, code_of(spec.method), backbone, artefact_key, record)


def pinned_split(dataset: str) -> str | None:
    """Return the split hash that a card pins, so that a plan need not read the data; None where it pins none."""
    return None if dataset.startswith(OWN) else dataset_card(dataset).split.sha256
