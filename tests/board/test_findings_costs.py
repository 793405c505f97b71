"""What the findings say of time, sizes, and what isn't known is what the committed records say.

Each test writes figures as the page has them, from the records, and looks for the words on the page. Where one fails
after runs were added or replaced, the sentence has to be read again: the figure is in the failure.
"""

from __future__ import annotations

import re

import pandas as pd
from prose import LARGE, RESULTS, ROOT, SMALL, between, on, runs, says, under

from recpress.board import elsewhere
from recpress.record import Quality


def test_bytes_and_milliseconds(board: pd.DataFrame) -> None:
    fp32 = under(board, "[a-z]+/none/default", SMALL)["single_ms"]
    int8 = under(board, "lightgcn/uniform/1-4", SMALL)["single_ratio"]
    says(f"the answer takes {between(fp32, '.2f')} ms; int8 takes {between(int8)} times")
    sooner = under(board, "lightgcn/.*/1-.*", SMALL)
    sooner = sooner[sooner["single_high"] < 1]
    narrow = {"svd", "dimensions", "small", "distill", "graphless", "popularity_distill", "ranking_distill"}
    others = sooner[~sooner["method"].isin({*narrow, "fp16", "popularity"})]
    assert {(each.dataset, each.method) for each in others.itertuples()} == {
        ("lastfm", "binary"),
        ("lastfm", "deep_compression"),
    }
    assert sooner.loc[(sooner["dataset"] == "ogbl-ddi") & (sooner["method"] != "popularity"), "budget"].max() == 1 / 16
    codes = under(board, "lightgcn/uniform/1-.*", LARGE)
    signs = under(board, "lightgcn/binary/1-.*", LARGE)
    rank = under(board, "lightgcn/svd/1-8", LARGE)
    assert between(rank["single_ratio"]) == "0.2 to 0.2"
    says(
        f"plain codes take {between(codes['single_ratio'])}, signs {between(signs['single_ratio'])}, "
        "`svd` at 1/8 0.2 of fp32"
    )

    def slow(run: str) -> str:
        return between(under(board, run, LARGE)["single_ratio"])

    eighth = on(board, "lightgcn/transform_coding/1-8", LARGE, "single_ratio")
    least, most = min(eighth), max(eighth)
    says(
        f"bits by popularity ({slow('lightgcn/mixed_precision/1-.*')}), residual codes "
        f"({slow('lightgcn/residual/1-16')} at 1/16, {slow('lightgcn/residual/1-32')} at 1/32), IVF, whole rows "
        f"(`entities` at 1/4, {slow('lightgcn/entities/1-4')}), and `transform_coding` at 1/16 for one user "
        f"({slow('lightgcn/transform_coding/1-16')}; at 1/8 {least:.2f} to {most:.1f}"
    )
    says(f"on GraphSAGE's tables {slow('sage/transform_coding/1-16')})")
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
    says(f"Gowalla and Yelp2018 take {size['gowalla']:.0f} MB, those of Amazon-CDs {size['amazon-cds']:.0f}")
    assert f"{size['yelp2018']:.0f}" == f"{size['gowalla']:.0f}"
    says(f"those of the small sets take {size[SMALL].max():.1f} at most")

    def told(dataset: str, run: str, form: str = ".1f") -> str:
        row = board.loc[(dataset, run)]
        return f"({row['mb']:{form}} MB; {row['ndcg20']:.4f}"

    def first(dataset: str, limit: float) -> str:
        fits = board[(board["dataset"] == dataset) & (board["mb"] <= limit) & (board["method"] != "none")]
        return str(fits.nlargest(1, "ndcg20")["run"].iloc[0])

    gowalla, yelp = (board.loc[(each, "xsimgcl/uniform/1-4")] for each in ("gowalla", "yelp2018"))
    says(f"({gowalla['mb']:.1f} MB; {gowalla['ndcg20']:.4f} and {yelp['ndcg20']:.4f})")
    says(told("amazon-cds", "mf/uniform/1-4"))
    gowalla, yelp = (board.loc[(each, "xsimgcl/zstd/1-4")] for each in ("gowalla", "yelp2018"))
    says(f"({gowalla['mb']:.1f} MB; {gowalla['ndcg20']:.4f} and {yelp['ndcg20']:.4f})")
    row = board.loc[("gowalla", "xsimgcl/graph_quantization/1-4")]
    says(f"{row['mb']:.1f} MB; {row['ndcg20']:.4f})")
    assert first("yelp2018", 4) == "xsimgcl/zstd/1-4"
    assert first("amazon-cds", 4) == "lightgcn/itemknn/1-8"
    says(told("amazon-cds", "lightgcn/itemknn/1-8"))
    says(f"LightGCN by `qat` ({board.loc[('amazon-cds', 'lightgcn/qat/1-8'), 'ndcg20']:.4f})")
    gowalla, yelp = (board.loc[(each, "xsimgcl/transform_coding/1-16")] for each in ("gowalla", "yelp2018"))
    says(f"({gowalla['ndcg20']:.4f} and {yelp['ndcg20']:.4f}; {gowalla['kept']:.0f} and {yelp['kept']:.0f} % kept)")
    for dataset, run, form in (
        ("amazon-cds", "mf/water_filling/1-16", ".1f"),
        ("gowalla", "lightgcn/transform_coding/1-32", ".2f"),
        ("amazon-cds", "xsimgcl/mixed_precision/1-16", ".2f"),
        ("yelp2018", "xsimgcl/binary/1-16", ".2f"),
        ("gowalla", "xsimgcl/mixed_precision/1-16", ".2f"),
    ):
        says(told(dataset, run, form))
    assert first("gowalla", 1.0) == "xsimgcl/mixed_precision/1-16"
    assert first("yelp2018", 1.0) == "xsimgcl/binary/1-16"
    assert first("amazon-cds", 1.0) == "xsimgcl/mixed_precision/1-16"


def test_what_is_not_known(board: pd.DataFrame) -> None:
    three = board[(board["seeds"] == 3) & (board["method"] != "none")]
    seeds: dict[tuple[str, str, str, str], list[Quality]] = {}
    for run in runs():
        who = run.record.identity
        if run.record.quality:
            seeds.setdefault((who.dataset, who.backbone, who.method, who.setting), []).append(run.record.quality)
    closer = 0
    for row in three.itertuples():
        mine = seeds[row.dataset, row.backbone, row.method, row.setting]
        kept = [each.retention["ndcg@20"] for each in mine]
        widths = [each.paired.high - each.paired.low for each in mine if each.paired]
        closer += max(kept) - min(kept) < sum(widths) / len(widths)
    says(f"Of the {len(three)} compressed settings with three seeds, the shares kept of {closer} lie closer together")


def test_another_processor() -> None:
    table = [line.split("|")[3:5] for line in elsewhere.markdown(RESULTS).splitlines()[2:]]
    pairs = [re.findall(r"[\d.]+", cell) for cells in table for cell in cells if "→" in cell]
    went = sorted(abs(float(after) / float(before) - 1) for before, after in pairs)
    most = [each for each in went if each > 1 / 3]
    assert len(most) == 2
    says(f"went by up to {100 * went[-1]:.0f} % (two of {len(went)}), the others by a third at most")
    assert f"of {len(went)} ratios 37 whose" in " ".join(
        (ROOT / elsewhere.DOCUMENT).read_text(encoding="utf-8").split()
    )
