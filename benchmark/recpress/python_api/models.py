"""What the Python API returns: a trained backbone, a compressed model, an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recpress.core.errors import UserError
from recpress.evaluation.store import PerUser
from recpress.experiments.identity import PlannedRun
from recpress.headline import BOTH, HEADLINE
from recpress.measure.sizes import file_bytes
from recpress.records.record import Bytes, Quality
from recpress.serve.fitted import ARTEFACT, Fitted

if TYPE_CHECKING:
    from recpress.data.dataset import Dataset


@dataclass(frozen=True, repr=False)
class TrainedBackbone:
    """An uncompressed recommender, trained and frozen.

    Attributes
    ----------
    dataset : Dataset
    backbone : str
    seed : int
    folder : Path
        Of the checkpoint, in the cache.
    seconds : float
        Wall-clock time of the training, whenever it was.
    metrics : mapping of str to float
        Means on test over the evaluated users, such as ``metrics["ndcg@20"]``.
    request : PlannedRun
        The uncompressed run, with its identity.
    """

    dataset: Dataset
    backbone: str
    seed: int
    folder: Path
    seconds: float
    metrics: Mapping[str, float]
    request: PlannedRun

    def __repr__(self) -> str:
        return (
            f"TrainedBackbone({self.dataset.name!r}, {self.backbone!r}, seed={self.seed}, "
            f"{HEADLINE}={self.metrics[HEADLINE]:.4f}, seconds={self.seconds:.1f})"
        )


@dataclass(frozen=True, repr=False)
class CompressedModel:
    """A compressed recommender in a folder, ready to recommend.

    Attributes
    ----------
    folder : Path
        With ``artefact/`` and the ids of users and items beside it; or an artefact alone.
    about : mapping
        What was fitted: dataset, backbone, method, params, seed and hashes. Empty for an artefact alone.
    """

    folder: Path
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def artefact(self) -> Path:
        """Folder of the artefact: what is measured and charged."""
        return self.folder / ARTEFACT if self.about else self.folder

    @property
    def file_bytes(self) -> int:
        """Bytes of the artefact's files: tables and manifest."""
        return file_bytes(self.artefact)

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters that the method used."""
        return dict(self.about.get("params", {}))

    @cached_property
    def fitted(self) -> Fitted:
        """The artefact in memory, with ids and histories. An artefact alone has row numbers as ids, and no history."""
        return Fitted.load(self.folder) if self.about else Fitted.without_ids(self.folder)

    def recommend(self, users: object, k: int = 10, *, as_scored: bool = False) -> pd.DataFrame:
        """Return the k best items of each user that they haven't seen, best first.

        Parameters
        ----------
        users : id or sequence of ids
            As the data has them; row numbers where the folder is an artefact alone.
        k : int
            Length of a list, at least 1.
        as_scored : bool
            Leave out the items of train and valid alone: the lists that `evaluate` scores.

        Returns
        -------
        DataFrame
            Columns ``user``, ``rank`` (from 1), ``item`` and ``score`` (higher is better, no unit).

        Raises
        ------
        UserError
            When an id isn't known, with the nearest that is.

        Examples
        --------
        >>> import recpress as rp
        >>> trained = rp.train("synthetic-tiny", "mf")
        >>> model = rp.compress(trained, "uniform", budget="1/4")
        >>> model.recommend([0, 1], k=3)[["user", "rank"]].values.tolist()
        [[0, 1], [0, 2], [0, 3], [1, 1], [1, 2], [1, 3]]
        """
        if k < 1:
            raise UserError(f"k is {k}: a list has at least 1 item.")
        asked = [str(each) for each in np.atleast_1d(np.asarray(users, object))]
        found = self.fitted.recommend(self.fitted.users.dense(asked), k, as_scored=as_scored)
        return pd.DataFrame(found, columns=["user", "rank", "item", "score"])

    def __repr__(self) -> str:
        if not self.about:
            return f"CompressedModel({str(self.folder)!r}, {self.file_bytes:,} bytes)"
        who = ", ".join(repr(self.about[name]) for name in ("dataset", "backbone", "method", "setting"))
        return f"CompressedModel({who}, seed={self.about['seed']}, {self.file_bytes:,} bytes)"


@dataclass(frozen=True, repr=False)
class Evaluation:
    """How well one model ranks, user by user, and how many bytes it takes.

    Attributes
    ----------
    label : str
        Data set, backbone, method, budget or parameters, and seed.
    split : str
        SHA-256 of the split that it was scored on.
    quality : Quality
        Means, retention and significance, as a record holds them.
    size : Bytes or None
        Bytes of the artefact; None for the backbone itself.
    per_user : PerUser
        Metrics and served lists of each evaluated user.
    """

    label: str
    split: str
    quality: Quality
    size: Bytes | None
    per_user: PerUser

    @property
    def metrics(self) -> Mapping[str, float]:
        """Means on test over the evaluated users, by metric."""
        return self.quality.metrics

    @property
    def retention(self) -> Mapping[str, float | None]:
        """Each metric over that of the backbone's own fp32 tables; None where those find nothing."""
        return self.quality.retention

    @property
    def ratio(self) -> float | None:
        """The backbone's fp32 bytes over the artefact's; None for the backbone itself."""
        return self.size.ratio if self.size else None

    def __repr__(self) -> str:
        parts = [f"{name}={self.metrics[name]:.4f}" for name in BOTH]
        if self.size:
            if (retained := self.retention[HEADLINE]) is not None:
                parts.append(f"retained={retained:.1%}")
            parts.append(f"{self.size.file:,} bytes, {self.size.ratio:.1f}× smaller")
        return f"Evaluation({self.label!r}, {', '.join(parts)})"
