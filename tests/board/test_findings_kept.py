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
    rows = board[(board["dataset"] == dataset) & (board["setting"] == size) & (board["division"] == "closed")]
    return rows[rows["backbone"].isin(backbones)]


def leader(board: pd.DataFrame, dataset: str, backbone: str, size: str) -> pd.DataFrame:
    """Those of one backbone, by what they keep."""
    return closed(board, dataset, size, [backbone]).sort_values("kept", ascending=False)


def best(board: pd.DataFrame, dataset: str, size: str, backbones: Sequence[str] = BACKBONES) -> pd.Series:
    """The row of the highest NDCG."""
    return closed(board, dataset, size, backbones).nlargest(1, "ndcg20").iloc[0]


def test_codes_of_eight_bits_and_fewer(board: pd.DataFrame) -> None:
    eight = under(board, "[a-z]+/uniform/1-4")
    says(f"keep {between(eight['kept'])} % on every set and backbone ({len(eight)} pairs)")
    (worse,) = eight[eight["kept_high"] < 100].itertuples()
    assert (worse.dataset, worse.backbone) == ("lastfm", "mf")
    says(f"MF on LastFM ({worse.kept:.1f}, {worse.kept_low:.1f}–{worse.kept_high:.1f})")
    rows = under(board, "lightgcn/uniform/bits=4")
    assert between(rows["smaller"], ".0f") == "7 to 7"
    says(f"at four bits keeps {rows['kept'].min():.1f} % or more at 1/7")
    whole = under(board, "[a-z]+/uniform/1-8")
    least = whole.loc[whole["kept"].idxmin()]
    assert (least["dataset"], least["backbone"]) == ("ml-1m", "xsimgcl")
    says(f"costs LightGCN up to {100 - under(board, 'lightgcn/uniform/1-8')['kept'].min():.1f} %")
    says(f"and XSimGCL on ML-1M {100 - least['kept']:.1f}.")
    clipped, plain = (f"lightgcn/uniform/bits=3,{clip}symmetric=True" for clip in ("clip=True,", ""))
    datasets = under(board, clipped)["dataset"]
    assert all(board.loc[(each, clipped), "kept"] > board.loc[(each, plain), "kept"] for each in datasets)
    assert [each for each in datasets if apart(board, each, clipped, plain)] == ["ml-1m"]


def test_pruning(board: pd.DataFrame) -> None:
    halves = under(board, "[a-z]+/magnitude/1-2")
    assert halves["kept"].min() > 99.5
    above = []
    for row in under(board, "[a-z]+/magnitude/1-(4|8|16|32|64)").itertuples():
        plain = row.run.replace("magnitude", "uniform")
        if (row.dataset, plain) in board.index and row.kept >= board.loc[(row.dataset, plain), "kept"]:
            above.append((row.dataset, row.backbone, row.setting, apart(board, row.dataset, row.run, plain)))
    assert sorted(above) == [
        ("ml-100k", "gat", "1/16", False),
        ("ml-1m", "xsimgcl", "1/16", True),
        ("ml-1m", "xsimgcl", "1/32", True),
    ]
    says(
        f"at 1/4 it keeps {listed(on(board, 'mf/magnitude/1-4', LARGE))} % on Gowalla, Yelp2018 and Amazon-CDs, where "
        f"LightGCN keeps {listed(on(board, 'lightgcn/magnitude/1-4', LARGE))}"
    )
    quarter = under(board, "[a-z]+/magnitude/1-4")
    worst = quarter.sort_values("kept").drop_duplicates("dataset")
    assert set(worst.loc[worst["backbone"] != "mf", "dataset"]) == {"ogbl-ddi"}
    says(f"slow: {between(halves['single_ratio'], '.0f')} times the time of fp32 for one user at 1/2")


def test_who_leads_at_a_sixteenth(board: pd.DataFrame) -> None:
    margins = {}
    for backbone in GRAPH:
        for dataset in LARGE:
            first, second = leader(board, dataset, backbone, "1/16").head(2).itertuples()
            if first.method == "transform_coding":
                margins[backbone, dataset] = first.kept - second.kept
    own, other = ([margins[backbone, each] for each in LARGE if (backbone, each) in margins] for backbone in GRAPH)
    assert len(own) == 3
    says(
        f"with LightGCN, by {between(own)} points, and with XSimGCL on Gowalla and Yelp2018, by {listed(other, '.1f')}."
    )
    for backbone, datasets in (("lightgcn", [*MOVIES, "lastfm"]), ("mf", sorted(set(EVERY) - {"ogbl-ddi"}))):
        assert {leader(board, each, backbone, "1/16")["method"].iloc[0] for each in datasets} == {"water_filling"}
    assert leader(board, "ogbl-ddi", "mf", "1/16")["method"].iloc[0] != "water_filling"
    ours = "lightgcn/transform_coding/1-16"
    for method, but in (("uniform", set()), ("svd", set()), ("product", {"ogbl-ddi"})):
        their = f"lightgcn/{method}/1-16"
        assert {each for each in EVERY if board.loc[(each, ours), "kept"] <= board.loc[(each, their), "kept"]} == but
    few = leader(board, "ogbl-ddi", "lightgcn", "1/16")
    assert (few["kept"] >= 99).sum() * 2 == len(few)
    for run in ("product/1-16", "distill/1-8", "edge_sparsify/1-4"):
        assert board.loc[("ogbl-ddi", f"lightgcn/{run}"), "kept_low"] > 100
    says(f"`product` keeps {board.loc[('amazon-cds', 'lightgcn/product/1-8'), 'kept']:.1f} % at 1/8 with LightGCN")
    first, second = leader(board, "amazon-cds", "xsimgcl", "1/16").head(2).itertuples()
    assert (first.method, second.method) == ("product", "transform_coding")
    says(f"it leads, {first.kept:.1f} against {second.kept:.1f} %")
    pairs = {
        backbone: ", ".join(
            listed(
                board.loc[(each, f"{backbone}/{method}/1-64"), "kept"] for method in ("residual", "transform_coding")
            )
            for each in ("yelp2018", "amazon-cds")
        )
        for backbone in GRAPH
    }
    assert not apart(board, "amazon-cds", "lightgcn/residual/1-64", "lightgcn/transform_coding/1-64")
    assert not apart(board, "yelp2018", "lightgcn/residual/1-64", "lightgcn/transform_coding/1-64")
    says(f"with LightGCN ({pairs['lightgcn']} %) and lead with XSimGCL ({pairs['xsimgcl']} %)")


def test_backbones(board: pd.DataFrame) -> None:
    def beside(dataset: str, size: str = "") -> tuple[float, float]:
        """NDCG of matrix factorization and of LightGCN: in fp32, or by what each keeps most with."""
        if not size:
            return tuple(board.loc[(dataset, f"{each}/none/default"), "ndcg20"] for each in ("mf", "lightgcn"))
        return tuple(best(board, dataset, size, [each])["ndcg20"] for each in ("mf", "lightgcn"))

    mf, lightgcn = beside("yelp2018")
    says(f"in fp32 ({mf:.4f} against {lightgcn:.4f})")
    mf, lightgcn = beside("yelp2018", "1/16")
    says(f"by whichever method each keeps most ({mf:.4f} against {lightgcn:.4f}), and at 1/64")
    assert beside("yelp2018", "1/64")[0] < beside("yelp2018", "1/64")[1]
    below = [1 - mf / lightgcn for mf, lightgcn in (beside("gowalla", size) for size in ("", "1/16", "1/64"))]
    mf, lightgcn = beside("gowalla", "1/16")
    says(
        f"it is {below[0]:.0%} below LightGCN in fp32, {below[1]:.0%} at 1/16 ({mf:.4f} against {lightgcn:.4f}) "
        f"and {below[2]:.0%} at 1/64".replace("%", " %")
    )
    lead = [mf / lightgcn - 1 for mf, lightgcn in (beside("amazon-cds", size) for size in ("", "1/16", "1/64"))]
    mf, lightgcn = beside("amazon-cds", "1/16")
    says(
        f"it leads LightGCN by {lead[0]:.0%} in fp32, by {lead[1]:.0%} at 1/16 ({mf:.4f} against {lightgcn:.4f}) "
        f"and by {lead[2]:.0%} at 1/64".replace("%", " %")
    )
    other = [100 * (lightgcn / mf - 1) for mf, lightgcn in (beside("ml-1m", size) for size in ("", "1/16", "1/64"))]
    says(f"by {other[0]:.1f} % in fp32, {other[1]:.1f} at 1/16, {other[2]:.1f} at 1/64")
    for dataset in LARGE:
        for size in ("1-4", "1-16"):
            most = board.loc[(dataset, f"mf/svd/{size}"), "kept"]
            assert all(most > board.loc[(dataset, f"{each}/svd/{size}"), "kept"] for each in GRAPH)
        for backbone in GRAPH:
            fp32 = board.loc[(dataset, f"{backbone}/none/default"), "ndcg20"] / beside(dataset)[0]
            for size in ("1/16", "1/64"):
                assert best(board, dataset, size, [backbone])["ndcg20"] / beside(dataset, size)[0] > fp32
    leads = [(dataset, size) for dataset in EVERY for size in SIZES if best(board, dataset, size)["backbone"] == "sage"]
    assert leads == [("lastfm", "1/64")]
    ours, next_best = best(board, "lastfm", "1/64"), best(board, "lastfm", "1/64", ["xsimgcl", "lightgcn", "mf"])
    assert next_best["backbone"] == "xsimgcl"
    says(f"at 1/64 alone ({ours['ndcg20']:.4f}; XSimGCL {next_best['ndcg20']:.4f})")
    most = {
        (dataset, backbone): leader(board, dataset, backbone, "1/16").iloc[0]
        for dataset in LARGE
        for backbone in ("lightgcn", "xsimgcl", "mf", "sage")
    }
    says(f"as any on Gowalla ({most['gowalla', 'sage']['kept']:.0f} %)")
    says(f"best on Amazon-CDs ({most['amazon-cds', 'sage']['kept']:.1f})")
    assert all(
        row["kept_high"] < most["amazon-cds", "sage"]["kept_low"]
        for (dataset, backbone), row in most.items()
        if dataset == "amazon-cds" and backbone != "sage"
    )
    yelp = [most["yelp2018", each]["kept"] for each in ("sage", "xsimgcl")]
    says(f"on Yelp2018 ({listed(yelp, '.1f')})")


def test_training(board: pd.DataFrame) -> None:
    def eighth(dataset: str, *methods: str) -> list[float]:
        return [board.loc[(dataset, f"lightgcn/{each}/1-8"), "kept"] for each in methods]

    taught = eighth("ml-1m", "distill", "small")
    says(f"on ML-1M yes ({taught[0]:.1f} against {taught[1]:.1f} % at 1/8)")
    assert apart(board, "ml-1m", "lightgcn/distill/1-8", "lightgcn/small/1-8")
    taught = eighth("ml-100k", "distill", "small")
    says(f"down to 1/16 ({taught[0]:.1f} against {taught[1]:.1f} at 1/8)")
    for size in ("1-4", "1-8", "1-16"):
        names = [f"lightgcn/{each}/{size}" for each in ("distill", "small")]
        assert on(board, names[0], ["ml-100k"]) > on(board, names[1], ["ml-100k"])
        assert not apart(board, "ml-100k", *names)
    losing = ["{:.0f} against {:.0f}".format(*eighth(each, "distill", "small")) for each in LARGE]
    says(f"Amazon-CDs it loses, {losing[0]}, {losing[1]} and {losing[2]} %")
    ours, theirs = eighth("ml-1m", "distill", "svd")
    says(f"yes on ML-1M ({ours:.1f} against {theirs:.1f} %)")
    says(f"not apart on ML-100K ({listed(eighth('ml-100k', 'distill', 'svd'), '.1f')})")
    says(f"and Gowalla ({listed(eighth('gowalla', 'distill', 'svd'), '.1f')})")
    told = {each: apart(board, each, "lightgcn/distill/1-8", "lightgcn/svd/1-8") for each in [*MOVIES, *LARGE]}
    assert told == {"ml-100k": False, "ml-1m": True, "gowalla": False, "yelp2018": True, "amazon-cds": True}
    for each in EVERY:
        ours, codes = eighth(each, "distill", "uniform")
        assert (ours > codes) == (each == "ogbl-ddi")
        assert apart(board, each, "lightgcn/distill/1-8", "lightgcn/uniform/1-8") == (each not in MOVIES)
    for row in under(board, "lightgcn/gradual/.*", ["ml-100k"]).itertuples():
        assert row.kept > board.loc[("ml-100k", row.run.replace("gradual", "magnitude")), "kept"]
    ours, theirs = eighth("ml-100k", "gradual", "magnitude")
    says(f"at every size, {ours:.1f} against {theirs:.1f} % at 1/8")
    ours, theirs = eighth("ml-1m", "gradual", "magnitude")
    says(f"and on ML-1M, {ours:.1f} against {theirs:.1f}.")
    plain = [eighth(each, "uniform")[0] for each in MOVIES]
    says(f"Plain codes of the same bytes keep {plain[0]:.1f} (not apart) and {plain[1]:.1f} (apart)")
    assert [apart(board, each, "lightgcn/gradual/1-8", "lightgcn/uniform/1-8") for each in MOVIES] == [False, True]
    says(f"keeps {eighth('ml-100k', 'graphless')[0]:.1f} % at 1/8 on ML-100K")
    says(f"on ML-1M it keeps {eighth('ml-1m', 'graphless')[0]:.1f}.")
    words = []
    for each, name in zip([*MOVIES, *LARGE], ("ML-100K", "ML-1M", "Gowalla", "Yelp2018", "Amazon-CDs"), strict=True):
        trained, rounded = eighth(each, "qat", "uniform")
        verdict = "better" if trained > rounded else "worse"
        if not apart(board, each, "lightgcn/qat/1-8", "lightgcn/uniform/1-8"):
            verdict = "not apart"
        percent = " %" if not words else ""
        words.append(f"{trained:.1f} and {rounded:.1f}{percent} on {name} ({verdict})")
    says(", ".join(words))
    trained = board[(board["dataset"] == "ml-100k") & (board["backbone"] == "lightgcn") & (board["division"] == "open")]
    least = trained[trained["setting"] == "1/32"].nlargest(2, "kept")
    assert least["method"].iloc[0] == "qat"
    says(f"it keeps {least['kept'].iloc[0]:.1f} % on ML-100K, where nothing else that trains is above 83.")
    assert least["kept"].iloc[1] <= 83
    most = trained[trained["setting"] == "1/16"].nlargest(1, "kept").iloc[0]
    closed = board.loc[("ml-100k", "lightgcn/water_filling/1-16"), "kept"]
    assert most["method"] == "qat"
    assert most["kept"] < closed
    says(f"does without training ({closed:.1f} %); `qat` is next, {most['kept']:.1f}.")


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
    says(f"leaves {few[0]:.0f} % of LightGCN's on Gowalla and none on Yelp2018 and Amazon-CDs")
    says(f"and {listed(tenth('lightgcn/svd/1-8', highest))} % in the most popular tenth")
    assert max(tenth("lightgcn/entities/1-4")) == 0
    says(
        f"has {listed(tenth('lightgcn/uniform/1-16'))} % of LightGCN's recall in the lowest tenth and "
        f"{between(tenth('lightgcn/uniform/1-16', highest), '.0f')} % in the highest (of matrix factorization's "
        f"{listed(tenth('mf/uniform/1-16'))} % in the lowest)"
    )
    coded = tenth("lightgcn/transform_coding/1-16")
    least = min(tenth("lightgcn/transform_coding/1-16", highest))
    says(f"keeps {between(coded, '.0f')} % in the lowest tenth and {least:.0f} or more in the highest")
