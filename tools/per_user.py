"""Write the hits of runs whose lists this machine's cache still has: ``python tools/per_user.py [RESULTS]``.

`recpress run` and `recpress results rescore` write them as they go. This is for records from before they did, and for
files that were lost: a record stays as it is, and lists that aren't those that it was made from are left alone. Rows
that no record is there for are removed.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recpress.core.errors import UserError
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.evaluation import store
from recpress.experiments import per_user_hits
from recpress.experiments.cache_layout import per_user_path
from recpress.records import record
from recpress.records.record import Identity, Record


def fill(results: Path) -> Counter[str]:
    """Write the hits of every record that lacks them and whose lists are in the cache; return how many were what."""
    counts: Counter[str] = Counter()
    kept = per_user_hits.Store(results)
    loaded: dict[str, Dataset] = {}
    scored = [made for made in record.read_all(results) if made.quality is not None]
    for made in scored:
        name = made.identity.dataset
        if kept.has(made):
            counts[f"{name}: there already"] += 1
        elif lists := _lists(made):
            loaded = loaded if name in loaded else {name: load(name)}
            per_user_hits.keep(results, made, lists, loaded[name].split.test)
            counts[f"{name}: written"] += 1
        else:
            counts[f"{name}: not in the cache"] += 1
    return counts + tidied(results, [made.identity for made in scored])


def tidied(results: Path, scored: Sequence[Identity]) -> Counter[str]:
    """Remove the rows that no record is there for; return how many, by data set."""
    counts: Counter[str] = Counter()
    expected = {(per_user_hits.rows_place(who), (who.variant, who.seed)) for who in scored}
    for file in sorted((results / per_user_hits.FOLDER).glob("*/*/*.parquet")):
        place = file.relative_to(results)
        strays = [key for key in per_user_hits.Store(results).rows(place) if (place, key) not in expected]
        per_user_hits.remove(results, place, strays)
        counts[f"{place.parts[1]}: removed"] += len(strays)
    return +counts


def _lists(made: Record) -> store.PerUser | None:
    """Return the lists that a record was made from, if the cache has them."""
    try:
        scored = store.load(per_user_path(made.identity.artefact_key or "none"))
    except UserError:
        return None
    topk = hashlib.sha256(scored.topk.astype("<i4").tobytes()).hexdigest()
    return scored if made.quality and topk == made.quality.topk_sha256 else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    for said, count in sorted(fill(parser.parse_args().results).items()):
        print(f"{said}: {count}")
