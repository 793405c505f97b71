"""Figures that are too good to accept without review, as a leak of test items would show.

A doubt proves nothing. Compressing leaves little to gain, and on a set that a backbone ranks unsteadily noise can gain
more than the limit; so a person looks, and nothing fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from recpress.headline import BOTH, HEADLINE
from recpress.records.record import Identity, Quality, Record

# Of what a closed method may retain only so much.
RETAINED: Final = BOTH
MOST: Final = 1.05
# The method that leaves the backbone's tables as they are.
UNCOMPRESSED: Final = "none"


@dataclass(frozen=True)
class Doubt:
    """A figure that a person is to look at.

    Attributes
    ----------
    metric : str
    share : float
        Of what the other side reaches.
    beside : {"backbone", "best"}
        The run's own uncompressed backbone, or the best uncompressed model or reference of the data set.
    """

    metric: str
    share: float
    beside: Literal["backbone", "best"]

    def __str__(self) -> str:
        if self.beside == "backbone":
            return (
                f"it retains {self.share:.1%} of its backbone's {self.metric}, and a closed method is expected to "
                f"retain at most {MOST:.0%}"
            )
        return (
            f"its {self.metric} is {self.share:.1%} of the best uncompressed model's and reference's of the data set, "
            f"and at most {MOST:.0%} is expected"
        )


def doubts(division: str, quality: Quality | None, best: float | None = None) -> tuple[Doubt, ...]:
    """Return what is too good in a run's quality; nothing where all is plausible.

    Parameters
    ----------
    division : str
    quality : Quality or None
    best : float, optional
        NDCG@20 to stay near, see `References.best`. Without it a record is judged alone: by what a closed method
        retains.
    """
    if quality is None:
        return ()
    found = []
    if division == "closed":
        found += [Doubt(name, share, "backbone") for name in RETAINED if (share := quality.retention_of(name)) > MOST]
    if best and (share := quality.metrics.get(HEADLINE, 0.0) / best) > MOST:
        found.append(Doubt(HEADLINE, share, "best"))
    return tuple(found)


def doubtful(division: str, quality: Quality | None) -> tuple[str, ...]:
    """Return the doubtful metrics that a record can judge by itself."""
    return tuple(each.metric for each in doubts(division, quality))


class References:
    """The best NDCG@20 of uncompressed models and of references, by data set and split.

    Parameters
    ----------
    records : iterable of Record
        Others among them are passed over.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._best: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for each in records:
            who, quality = each.identity, each.quality
            if who.division == "reference" and quality:
                beside = self._best[who.dataset, who.split]
                beside[who.method] = max(beside.get(who.method, 0.0), quality.metrics.get(HEADLINE, 0.0))

    def best(self, who: Identity) -> float | None:
        """Return what a run is judged beside: the best of other methods; None where there is none.

        Backbones as they were trained are judged beside nothing: they are what others are compared with.
        """
        if who.method == UNCOMPRESSED:
            return None
        beside = self._best.get((who.dataset, who.split), {})
        return max((best for method, best in beside.items() if method != who.method), default=None)

    def doubts(self, record: Record) -> tuple[Doubt, ...]:
        """Return what is too good in a record, by itself and compared with these references."""
        return doubts(record.identity.division, record.quality, self.best(record.identity))
