"""From names to a tuned training config: the search in a process of its own, its journal in the cache."""

from __future__ import annotations

from collections.abc import Callable

from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfigFile, read_training_config
from recpress.core.errors import UserError
from recpress.core.locking import locked
from recpress.core.paths import cache_dir
from recpress.data import load
from recpress.isolation.locks import Cores
from recpress.isolation.processes import WorkFailed, call
from recpress.tuning.study import SearchLimits, chosen, key, search
from recpress.tuning.validation import Held

SEARCH_TIMEOUT = 7 * 24 * 3600.0


def tune(
    dataset: str,
    name: str,
    limits: SearchLimits,
    seed: int,
    device: str,
    progress: Callable[[float], None],
    notes: Callable[[str], None],
) -> TrainingConfigFile:
    """Search for a training config, and continue from the trials that the cache holds of the same search.

    Raises
    ------
    UserError
        Unknown names; a set without valid; every trial stopped early; a failed search.
    """
    space = backbone(name).space
    if not space:
        raise UserError(f"{name} declares no search space: add `search` to the table [backbone] of its default config.")
    base = read_training_config("default", name).config
    loaded = load(dataset)
    if not loaded.split.valid.nnz:
        raise UserError(f"{dataset} has no valid part to choose a training config on.")
    folder = cache_dir() / "tuning" / key(name, loaded.split.sha256, base, limits, seed, device)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")), Cores().shared():
        try:
            rows = call(
                search,
                name,
                Held.out_of(loaded, base.relations),
                base,
                limits,
                seed,
                device,
                folder,
                timeout=SEARCH_TIMEOUT,
                progress=progress,
                notes=notes,
                writable=(folder,),
            )
        except WorkFailed as failure:
            raise UserError(f"The search on {dataset} failed: {failure}. What is tried already is kept.") from failure
    where = "" if device == "cpu" else f", on {device}"
    return chosen(
        base, space, rows, limits, f"TPE over the space of {name}, trained on train and scored on valid{where}."
    )
