"""What the findings say of what is kept is what the committed records say.

Each test writes figures as the page has them, from the records, and looks for the words on the page. Where one fails
after runs were added or replaced, the sentence has to be read again: the figure is in the failure.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from prose import EVERY, LARGE, MOVIES, apart, between, listed, on, runs, says, under

GRAPH = ["lightgcn", "xsimgcl"]
BACKBONES = [*GRAPH, "mf", "sage", "gat"]
SIZES = ["1/2", "1/4", "1/8", "1/16", "1/32", "1/64"]


def closed(board: pd.DataFrame, dataset: str, size: str, backbones: Sequence[str] = BACKBONES) -> pd.DataFrame:
    """The closed division's rows of one size."""
    rows = board[(board["dataset"] == dataset) & (board["variant"] == size) & (board["division"] == "closed")]
    return rows[rows["backbone"].isin(backbones)]


def leader(board: pd.DataFrame, dataset: str, backbone: str, size: str) -> pd.DataFrame:
    """Those of one backbone, by what they keep."""
    return closed(board, dataset, size, [backbone]).sort_values("retained", ascending=False)


def best(board: pd.DataFrame, dataset: str, size: str, backbones: Sequence[str] = BACKBONES) -> pd.Series:
    """The row of the highest NDCG."""
    return closed(board, dataset, size, backbones).nlargest(1, "ndcg20").iloc[0]


def test_codes_of_eight_bits_and_fewer(board: pd.DataFrame) -> None:
    eight = under(board, "[a-z]+/uniform/1-4")
    (worse,) = eight[eight["retained_high"] < 100].itertuples()
    assert (worse.dataset, worse.backbone) == ("lastfm", "mf")
    rows = under(board, "lightgcn/uniform/bits=4")
    assert between(rows["smaller"], ".0f") == "7 to 7"
    whole = under(board, "[a-z]+/uniform/1-8")
    least = whole.loc[whole["retained"].idxmin()]
    assert (least["dataset"], least["backbone"]) == ("ml-1m", "xsimgcl")
    clipped, plain = (f"lightgcn/uniform/bits=3,{clip}symmetric=True" for clip in ("clip=True,", ""))
    datasets = under(board, clipped)["dataset"]
    assert all(board.loc[(each, clipped), "retained"] > board.loc[(each, plain), "retained"] for each in datasets)
    assert [each for each in datasets if apart(board, each, clipped, plain)] == ["ml-1m"]


def test_pruning(board: pd.DataFrame) -> None:
    halves = under(board, "[a-z]+/magnitude/1-2")
    assert halves["retained"].min() > 99.5
    above = []
    for row in under(board, "[a-z]+/magnitude/1-(4|8|16|32|64)").itertuples():
        plain = row.run.replace("magnitude", "uniform")
        if (row.dataset, plain) in board.index and row.retained >= board.loc[(row.dataset, plain), "retained"]:
            above.append((row.dataset, row.backbone, row.variant, apart(board, row.dataset, row.run, plain)))
    assert sorted(above) == [
        ("ml-100k", "gat", "1/16", False),
        ("ml-1m", "xsimgcl", "1/16", True),
        ("ml-1m", "xsimgcl", "1/32", True),
    ]
    quarter = under(board, "[a-z]+/magnitude/1-4")
    worst = quarter.sort_values("retained").drop_duplicates("dataset")
    assert set(worst.loc[worst["backbone"] != "mf", "dataset"]) == {"ogbl-ddi"}


def test_who_leads_at_a_sixteenth(board: pd.DataFrame) -> None:
    margins = {}
    for backbone in GRAPH:
        for dataset in LARGE:
            first, second = leader(board, dataset, backbone, "1/16").head(2).itertuples()
            if first.method == "transform_coding":
                margins[backbone, dataset] = first.retained - second.retained
    own, other = ([margins[backbone, each] for each in LARGE if (backbone, each) in margins] for backbone in GRAPH)
    assert len(own) == 3
    says(
        f"leads with LightGCN, by {between(own)} points, and with XSimGCL on Gowalla and "
        f"Yelp2018, by {listed(other, '.1f')}"
    )
    for backbone, datasets in (("lightgcn", [*MOVIES, "lastfm"]), ("mf", sorted(set(EVERY) - {"ogbl-ddi"}))):
        assert {leader(board, each, backbone, "1/16")["method"].iloc[0] for each in datasets} == {"water_filling"}
    assert leader(board, "ogbl-ddi", "mf", "1/16")["method"].iloc[0] != "water_filling"
    ours = "lightgcn/transform_coding/1-16"
    for method, but in (("uniform", set()), ("svd", set()), ("product", {"ogbl-ddi"})):
        their = f"lightgcn/{method}/1-16"
        assert {
            each for each in EVERY if board.loc[(each, ours), "retained"] <= board.loc[(each, their), "retained"]
        } == but
    few = leader(board, "ogbl-ddi", "lightgcn", "1/16")
    assert (few["retained"] >= 99).sum() * 2 == len(few)
    for run in ("product/1-16", "distill/1-8", "edge_sparsify/1-4"):
        assert board.loc[("ogbl-ddi", f"lightgcn/{run}"), "retained_low"] > 100
    first, second = leader(board, "amazon-cds", "xsimgcl", "1/16").head(2).itertuples()
    assert (first.method, second.method) == ("product", "transform_coding")
    assert not apart(board, "amazon-cds", "lightgcn/residual/1-64", "lightgcn/transform_coding/1-64")
    assert not apart(board, "yelp2018", "lightgcn/residual/1-64", "lightgcn/transform_coding/1-64")


def test_backbones(board: pd.DataFrame) -> None:
    def beside(dataset: str, size: str = "") -> tuple[float, float]:
        """NDCG of matrix factorization and of LightGCN: in fp32, or by what each keeps most with."""
        if not size:
            return tuple(board.loc[(dataset, f"{each}/none/default"), "ndcg20"] for each in ("mf", "lightgcn"))
        return tuple(best(board, dataset, size, [each])["ndcg20"] for each in ("mf", "lightgcn"))

    for size in ("", "1/16", "1/64"):
        mf, lightgcn = beside("yelp2018", size)
        assert (mf > lightgcn) == (not size)
    for dataset in LARGE:
        assert best(board, dataset, "1/16", ["mf"])["method"] == "water_filling"
        assert best(board, dataset, "1/16", ["lightgcn"])["method"] == "transform_coding"
    below = [1 - mf / lightgcn for mf, lightgcn in (beside("gowalla", size) for size in ("", "1/16", "1/64"))]
    for share in below:
        says(f"MF {share:.0%} below".replace("%", " %"))
    lead = [mf / lightgcn - 1 for mf, lightgcn in (beside("amazon-cds", size) for size in ("", "1/16", "1/64"))]
    for share in lead:
        says(f"MF leads by {share:.0%}".replace("%", " %"))
    other = [100 * (lightgcn / mf - 1) for mf, lightgcn in (beside("ml-1m", size) for size in ("", "1/16", "1/64"))]
    for share in other:
        says(f"LightGCN leads by {share:.1f} %")
    for dataset in LARGE:
        for size in ("1-4", "1-16"):
            most = board.loc[(dataset, f"mf/svd/{size}"), "retained"]
            assert all(most > board.loc[(dataset, f"{each}/svd/{size}"), "retained"] for each in GRAPH)
        for backbone in GRAPH:
            fp32 = board.loc[(dataset, f"{backbone}/none/default"), "ndcg20"] / beside(dataset)[0]
            for size in ("1/16", "1/64"):
                assert best(board, dataset, size, [backbone])["ndcg20"] / beside(dataset, size)[0] > fp32
    leads = [(dataset, size) for dataset in EVERY for size in SIZES if best(board, dataset, size)["backbone"] == "sage"]
    assert leads == [("lastfm", "1/64")]
    ours, next_best = best(board, "lastfm", "1/64"), best(board, "lastfm", "1/64", ["xsimgcl", "lightgcn", "mf"])
    assert next_best["backbone"] == "xsimgcl"
    says(f"on LastFM at 1/64 ({ours['ndcg20']:.4f}; XSimGCL {next_best['ndcg20']:.4f})")
    most = {
        (dataset, backbone): leader(board, dataset, backbone, "1/16").iloc[0]
        for dataset in LARGE
        for backbone in ("lightgcn", "xsimgcl", "mf", "sage")
    }
    says(f"retain as much as any on Gowalla ({most['gowalla', 'sage']['retained']:.0f} %)")
    says(f"most on Amazon-CDs ({most['amazon-cds', 'sage']['retained']:.1f} %)")
    assert all(
        row["retained_high"] < most["amazon-cds", "sage"]["retained_low"]
        for (dataset, backbone), row in most.items()
        if dataset == "amazon-cds" and backbone != "sage"
    )
    yelp = [most["yelp2018", each]["retained"] for each in ("sage", "xsimgcl")]
    says(f"XSimGCL retain most ({listed(yelp, '.1f')} %)")


def test_training(board: pd.DataFrame) -> None:
    def eighth(dataset: str, *methods: str) -> list[float]:
        return [board.loc[(dataset, f"lightgcn/{each}/1-8"), "retained"] for each in methods]

    assert apart(board, "ml-1m", "lightgcn/distill/1-8", "lightgcn/small/1-8")
    for size in ("1-4", "1-8", "1-16"):
        names = [f"lightgcn/{each}/{size}" for each in ("distill", "small")]
        assert on(board, names[0], ["ml-100k"]) > on(board, names[1], ["ml-100k"])
        assert not apart(board, "ml-100k", *names)
    for each in LARGE:
        ours, theirs = eighth(each, "distill", "small")
        assert ours < theirs
    told = {each: apart(board, each, "lightgcn/distill/1-8", "lightgcn/svd/1-8") for each in [*MOVIES, *LARGE]}
    assert told == {"ml-100k": False, "ml-1m": True, "gowalla": False, "yelp2018": True, "amazon-cds": True}
    for each in EVERY:
        ours, codes = eighth(each, "distill", "uniform")
        assert (ours > codes) == (each == "ogbl-ddi")
        assert apart(board, each, "lightgcn/distill/1-8", "lightgcn/uniform/1-8") == (each not in MOVIES)
    for row in under(board, "lightgcn/gradual/.*", ["ml-100k"]).itertuples():
        assert row.retained > board.loc[("ml-100k", row.run.replace("gradual", "magnitude")), "retained"]
    assert [apart(board, each, "lightgcn/gradual/1-8", "lightgcn/uniform/1-8") for each in MOVIES] == [False, True]
    told = {}
    for each in EVERY:
        trained, rounded = eighth(each, "qat", "uniform")
        clear = apart(board, each, "lightgcn/qat/1-8", "lightgcn/uniform/1-8")
        told[each] = ("better" if trained > rounded else "worse") if clear else "not apart"
    assert told == {
        "ml-100k": "not apart",
        "ml-1m": "better",
        "lastfm": "not apart",
        "ogbl-ddi": "better",
        "gowalla": "worse",
        "yelp2018": "better",
        "amazon-cds": "better",
    }
    trained = board[(board["dataset"] == "ml-100k") & (board["backbone"] == "lightgcn") & (board["division"] == "open")]
    least = trained[trained["variant"] == "1/32"].nlargest(2, "retained")
    assert least["method"].iloc[0] == "qat"
    assert least["retained"].iloc[1] <= 83
    most = trained[trained["variant"] == "1/16"].nlargest(1, "retained").iloc[0]
    closed = board.loc[("ml-100k", "lightgcn/water_filling/1-16"), "retained"]
    assert most["method"] == "qat"
    assert most["retained"] < closed


def test_who_pays() -> None:
    lowest, highest = {}, {}
    for run in runs():
        if run.record.quality and run.record.quality.item_deciles:
            tenths = [100 * each for each in run.record.quality.item_deciles if each is not None]
            lowest[run.id], highest[run.id] = tenths[0], tenths[-1]
            if run.id in ("gowalla/lightgcn/uniform/1-4.seed0", "yelp2018/lightgcn/uniform/1-4.seed0"):
                assert max(abs(each - 100) for each in tenths) <= 2.2

    def tenth(run: str, of: dict[str, float] = lowest) -> list[float]:
        return [of[f"{dataset}/{run}.seed0"] for dataset in LARGE]

    few = tenth("lightgcn/svd/1-8")
    assert max(few[1:]) < 0.5
    says(f"| `svd` at 1/8 | {few[0]:.0f}, 0 and 0 % | {listed(tenth('lightgcn/svd/1-8', highest))} % |")
    assert max(tenth("lightgcn/entities/1-4")) == 0
    highs = between(tenth("lightgcn/uniform/1-16", highest), ".0f")
    says(
        f"| `uniform` at 1/16 | {listed(tenth('lightgcn/uniform/1-16'))} % | {highs} % |",
        f"| `uniform` at 1/16, matrix factorization | {listed(tenth('mf/uniform/1-16'))} % |",
    )
    coded = tenth("lightgcn/transform_coding/1-16")
    least = min(tenth("lightgcn/transform_coding/1-16", highest))
    says(f"| `transform_coding` at 1/16 | {between(coded, '.0f')} % | {least:.0f} % or more |")
