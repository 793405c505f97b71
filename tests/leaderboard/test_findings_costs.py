"""What the findings say of time, sizes, and what isn't known is what the committed records say.

Each test writes figures as the page has them, from the records, and looks for the words on the page. Where one fails
after runs were added or replaced, the sentence has to be read again: the figure is in the failure.
"""

from __future__ import annotations

import re

import pandas as pd
from prose import LARGE, RESULTS, ROOT, SMALL, between, runs, says, under

import table_elsewhere as elsewhere
from recpress.records.record import Quality


def test_bytes_and_milliseconds(board: pd.DataFrame) -> None:
    fp32 = under(board, "[a-z]+/none/default", SMALL)["single_ms"]
    says(f"an answer takes {between(fp32, '.2f')} ms")
    sooner = under(board, "lightgcn/.*/1-.*", SMALL)
    sooner = sooner[sooner["single_high"] < 1]
    narrow = {"svd", "dimensions", "small", "distill", "graphless", "popularity_distill", "ranking_distill"}
    others = sooner[~sooner["method"].isin({*narrow, "fp16", "popularity"})]
    assert {(each.dataset, each.method) for each in others.itertuples()} == {
        ("lastfm", "binary"),
        ("lastfm", "deep_compression"),
    }
    assert sooner.loc[(sooner["dataset"] == "ogbl-ddi") & (sooner["method"] != "popularity"), "budget"].max() == 1 / 16
    for run in ("uniform/1-.*", "binary/1-.*", "svd/1-8", "product/1-8"):
        assert (under(board, f"lightgcn/{run}", LARGE)["single_high"] < 1).all(), run
    for run in ("mixed_precision/1-.*", "residual/1-(16|32)", "ivf/1-2", "entities/1-4", "transform_coding/1-16"):
        assert (under(board, f"lightgcn/{run}", LARGE)["single_low"] > 1).all(), run
    joules = board["analytic_mj"] / board["dataset"].map(
        under(board, "lightgcn/none/default").set_index("dataset")["analytic_mj"]
    )
    for pattern, share in (
        ("uniform/1-4", 0.25),
        ("uniform/1-8", 0.125),
        ("binary/1-16", 0.04),
        ("transform_coding/1-16", 0.25),
    ):
        shares = joules[under(board, f"lightgcn/{pattern}").index]
        assert shares.between(0.93 * share, 1.07 * share).all(), pattern


def test_what_to_serve(board: pd.DataFrame) -> None:
    size = (board["mb"] * board["smaller"]).groupby(board["dataset"].to_numpy()).median()
    says(f"Gowalla and Yelp2018 take {size['gowalla']:.0f} MB, those of Amazon-CDs {size['amazon-cds']:.0f} MB")
    assert f"{size['yelp2018']:.0f}" == f"{size['gowalla']:.0f}"
    says(f"Those of the small sets take {size[SMALL].max():.1f} MB at most")

    def first(dataset: str, limit: float) -> str:
        fits = board[(board["dataset"] == dataset) & (board["mb"] <= limit) & (board["method"] != "none")]
        return str(fits.nlargest(1, "ndcg20")["run"].iloc[0])

    assert first("yelp2018", 4) == "xsimgcl/zstd/1-4"
    assert first("amazon-cds", 4) == "lightgcn/itemknn/1-8"
    assert first("gowalla", 1.0) == "xsimgcl/mixed_precision/1-16"
    assert first("yelp2018", 1.0) == "xsimgcl/binary/1-16"
    assert first("amazon-cds", 1.0) == "xsimgcl/mixed_precision/1-16"


def test_what_is_not_known(board: pd.DataFrame) -> None:
    three = board[(board["seeds"] == 3) & (board["method"] != "none")]
    seeds: dict[tuple[str, str, str, str], list[Quality]] = {}
    for run in runs():
        who = run.record.identity
        if run.record.quality:
            seeds.setdefault((who.dataset, who.backbone, who.method, who.variant), []).append(run.record.quality)
    closer = 0
    for row in three.itertuples():
        mine = seeds[row.dataset, row.backbone, row.method, row.variant]
        kept = [each.retention["ndcg@20"] for each in mine]
        widths = [each.paired.high - each.paired.low for each in mine if each.paired]
        closer += max(kept) - min(kept) < sum(widths) / len(widths)
    says(f"For {closer} of the {len(three)} compressed variants with three seeds")


def test_another_processor() -> None:
    table = [line.split("|")[3:5] for line in elsewhere.markdown(RESULTS).splitlines()[2:]]
    pairs = [re.findall(r"[\d.]+", cell) for cells in table for cell in cells if "→" in cell]
    went = sorted(abs(float(after) / float(before) - 1) for before, after in pairs)
    most = [each for each in went if each > 1 / 3]
    assert len(most) == 2
    text = " ".join((ROOT / elsewhere.DOCUMENT).read_text(encoding="utf-8").split())
    assert f"moved by up to {100 * went[-1]:.0f} %, the others by a third at most" in text
