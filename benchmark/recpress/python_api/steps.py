"""The steps of a notebook: load a data set, train, compress, load a model, evaluate, compare."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import recpress.data
from recpress import registry
from recpress.codecs.artefact import MANIFEST
from recpress.core.errors import UserError, unknown
from recpress.data.dataset import Dataset
from recpress.evaluation import Comparison
from recpress.evaluation import compare as compare_users
from recpress.experiments import stages
from recpress.experiments.backbone_cache import obtain as obtain_backbone
from recpress.experiments.quality import assess, score
from recpress.experiments.stages import RunContext
from recpress.export import fit as fitting
from recpress.headline import HEADLINE
from recpress.isolation.processes import WorkFailed
from recpress.python_api.models import CompressedModel, Evaluation, TrainedBackbone
from recpress.python_api.request import name_of, planned
from recpress.serve.fitted import FIT, Fitted
from recpress.tuning import training

Progress = Callable[[str, float], None]
FILES = (".csv", ".tsv", ".parquet", ".inter")


def _silent(stage: str, share: float) -> None: ...


def load_dataset(
    name_or_path: str | Path,
    *,
    user_col: str | None = None,
    item_col: str | None = None,
    time_col: str | None = None,
    rating_col: str | None = None,
) -> Dataset:
    """Return a data set, checked and split: a registered one, or a file of your own.

    Parameters
    ----------
    name_or_path : str or Path
        As ``recpress list datasets`` prints it, or a csv, tsv, parquet or .inter file.
    user_col, item_col : str, optional
        Id columns of your file.
    time_col, rating_col : str, optional
        Columns of your file, if it has them. Times are numbers since 1970 or ISO dates.

    Raises
    ------
    UserError
        When the name is unknown, the file can't be read, or its content isn't what its card says.

    Examples
    --------
    >>> import recpress as rp
    >>> dataset = rp.load_dataset("synthetic-tiny")
    >>> dataset.split.n_users, dataset.split.n_items
    (200, 300)
    """
    path = Path(name_or_path)
    if path.suffix not in FILES and user_col is None and item_col is None:
        return recpress.data.load(str(name_or_path))
    if user_col is None or item_col is None:
        raise UserError(f"{path} needs user_col and item_col: the names of its two id columns.")
    return recpress.data.from_file(path, user_col, item_col, time_col, rating_col)


def train(
    dataset: Dataset | str, backbone: str = "lightgcn", *, seed: int = 0, on_progress: Progress = _silent
) -> TrainedBackbone:
    """Train a backbone by its training config, or take it from the cache.

    Parameters
    ----------
    dataset : Dataset or str
        As `load_dataset` returns it, or a registered name.
    backbone : str
        As ``recpress list backbones`` prints it.
    seed : int
    on_progress : callable, optional
        Called with the stage and its finished share in [0, 1].

    Raises
    ------
    UserError
        When a name is unknown or training fails.

    Examples
    --------
    >>> import recpress as rp
    >>> trained = rp.train("synthetic-tiny", "mf", seed=0)
    >>> trained.backbone, trained.dataset.name
    ('mf', 'synthetic-tiny')
    """
    request = planned(dataset, backbone, seed=seed)
    found = training.train(
        request, "standard", "cpu", False, lambda share: on_progress("train", share), lambda line: None
    )
    if found.folder is None:
        raise RuntimeError("a standard training leaves a checkpoint")
    loaded = recpress.data.load(dataset) if isinstance(dataset, str) else dataset
    return TrainedBackbone(loaded, backbone, seed, found.folder, found.seconds, found.figures["test"], request)


def compress(
    trained: TrainedBackbone,
    method: str,
    *,
    budget: str | float | None = None,
    params: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    on_progress: Progress = _silent,
) -> CompressedModel:
    """Compress a trained backbone.

    Parameters
    ----------
    trained : TrainedBackbone
        As `train` returns it.
    method : str
        As ``recpress list methods`` prints it.
    budget : str or float, optional
        Fraction of the backbone's fp32 bytes: ``"1/8"`` or 0.125.
    params : mapping, optional
        Parameters of the method, in place of a budget. Without both, the method runs with its defaults.
    out : Path or str, optional
        Folder to make; default: one in the cache, which is used again.
    on_progress : callable, optional
        Called with the stage and its finished share in [0, 1].

    Raises
    ------
    UserError
        When the method is unknown, can't reach the budget or fails, or the folder isn't empty.

    Examples
    --------
    >>> import recpress as rp
    >>> trained = rp.train("synthetic-tiny", "mf")
    >>> rp.compress(trained, "uniform", budget="1/4").params["bits"]
    7
    """
    asked = planned(
        trained.dataset,
        trained.backbone,
        method,
        budget=budget,
        params=params,
        seed=trained.seed,
    )
    return load(fitting.obtain(asked, on_progress) if out is None else fitting.fit(asked, Path(out), on_progress))


def load(artefact_folder: Path | str) -> CompressedModel:
    """Load a compressed model from its folder.

    Parameters
    ----------
    artefact_folder : Path or str
        As `compress` writes it, with the ids of the data beside the artefact; or an artefact alone, whose users and
        items are row numbers.

    Raises
    ------
    UserError
        When the folder is neither.

    Examples
    --------
    >>> import recpress as rp
    >>> model = rp.compress(rp.train("synthetic-tiny", "mf"), "uniform", budget="1/4")
    >>> rp.load(model.folder) == model
    True
    """
    folder = Path(artefact_folder).resolve()
    if (folder / MANIFEST).is_file() and not (folder / FIT).is_file():
        return CompressedModel(folder)
    return CompressedModel(folder, Fitted.load(folder).about)


def evaluate(model: TrainedBackbone | CompressedModel | Path | str, *, on_progress: Progress = _silent) -> Evaluation:
    """Score a model on test by ranking all items; a fresh process serves a compressed one from its files.

    Parameters
    ----------
    model : TrainedBackbone, CompressedModel, Path or str
        As `train`, `compress` or `load` returns it, or a folder that `compress` has written.
    on_progress : callable, optional
        Called with the stage and its finished share in [0, 1].

    Raises
    ------
    UserError
        When the folder doesn't say what it was fitted on, the backbone has changed since, or serving fails.

    Examples
    --------
    >>> import recpress as rp
    >>> trained = rp.train("synthetic-tiny", "mf")
    >>> found = rp.evaluate(rp.compress(trained, "uniform", budget="1/4"))
    >>> found.ratio >= 4, round(found.retention["ndcg@20"], 1)
    (True, 1.0)
    """
    if isinstance(model, TrainedBackbone):
        return _of_backbone(model, on_progress)
    loaded = model if isinstance(model, CompressedModel) else load(model)
    about = loaded.about
    if not about:
        raise UserError(
            f"{loaded.folder} is an artefact alone, which doesn't say on what it was fitted: `recpress score` takes it."
        )
    request = planned(about["dataset"], about["backbone"], seed=about["seed"])
    if request.split != about["split"]:
        raise UserError(f"{loaded.folder} was fitted on another split of {about['dataset']}: compress it again.")
    dataset = recpress.data.load(about["dataset"])
    try:
        reference = obtain_backbone(request, dataset, lambda share: on_progress("train", share))
        if reference.sha256 != about["checkpoint"]:
            raise UserError(
                f"{loaded.folder} was made from another checkpoint of {about['backbone']}: compress it again."
            )
        with tempfile.TemporaryDirectory(prefix="recpress-evaluate-") as scratch:
            lists = Path(scratch) / "lists"
            served, topk = stages.serve(RunContext(request, dataset, reference, on_progress), loaded.artefact, lists)
    except WorkFailed as failure:
        raise UserError(f"{loaded.folder} can't be evaluated: {failure}.") from failure
    scored = score(topk, dataset)
    division = registry.method(about["method"]).card.division
    label = f"{about['dataset']} {about['backbone']} {about['method']} {about['setting']} seed {about['seed']}"
    return Evaluation(label, about["split"], assess(scored, reference.scored, dataset, division), served.bytes, scored)


def _of_backbone(model: TrainedBackbone, on_progress: Progress) -> Evaluation:
    found = obtain_backbone(model.request, model.dataset, lambda share: on_progress("train", share))
    label = f"{name_of(model.dataset)} {model.backbone} uncompressed seed {model.seed}"
    quality = assess(found.scored, found.scored, model.dataset, "reference")
    return Evaluation(label, model.request.split, quality, None, found.scored)


Comparable = Evaluation | TrainedBackbone | CompressedModel | Path | str


def compare(baseline: Comparable, candidate: Comparable, metric: str = HEADLINE) -> Comparison:
    """Test a model against a baseline, paired by user.

    Parameters
    ----------
    baseline, candidate : Evaluation, TrainedBackbone, CompressedModel, Path or str
        What isn't an `Evaluation` yet is evaluated first. Both must be of one data set.
    metric : str
        Such as ``"ndcg@20"`` or ``"recall@10"``.

    Returns
    -------
    Comparison
        What the candidate retains, with its 95 % interval and p-value; `Comparison.summary` says it in a sentence.

    Raises
    ------
    UserError
        When they were scored on different splits, the metric is unknown, or the baseline finds nothing by it.

    Examples
    --------
    >>> import recpress as rp
    >>> trained = rp.train("synthetic-tiny", "mf")
    >>> found = rp.compare(trained, rp.compress(trained, "uniform", budget="1/4"))
    >>> found.low <= found.retention <= found.high
    True
    """
    before, after = (each if isinstance(each, Evaluation) else evaluate(each) for each in (baseline, candidate))
    if before.split != after.split:
        raise UserError(f"{before.label} and {after.label} were scored on different splits: they can't be paired.")
    if metric not in before.per_user.metrics:
        raise unknown("metric", metric, before.per_user.metrics)
    values = before.per_user.metrics[metric], after.per_user.metrics[metric]
    if not values[0].any():
        raise UserError(f"{before.label} finds nothing by {metric}: compare with another baseline.")
    return compare_users(*values, metric)
