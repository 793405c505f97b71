"""What the prose of findings says between its tables is what the committed records say.

Each test writes figures as the page has them, from the records, and looks for the words on the page. Where one fails
after runs were added or replaced, the sentence has to be read again: the figure is in the failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from recpress.board import elsewhere
from recpress.board.across import DOCUMENT, rows_of
from recpress.board.collect import collect
from recpress.record import Quality

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
PAGE = " ".join((ROOT / DOCUMENT).read_text(encoding="utf-8").split())
LARGE = ["gowalla", "yelp2018", "amazon-cds"]
MOVIES = ["ml-100k", "ml-1m"]
SMALL = [*MOVIES, "lastfm", "ogbl-ddi"]
EVERY = [*SMALL, *LARGE]
GRAPH = ["lightgcn", "xsimgcl"]
SIZES = ["1/2", "1/4", "1/8", "1/16", "1/32", "1/64"]


@pytest.fixture(scope="module")
def board() -> pd.DataFrame:
    rows = rows_of(RESULTS)
    return rows[rows["dataset"].isin(EVERY)].set_index(["dataset", "run"], drop=False)


def says(*words: str) -> None:
    for each in words:
        assert each in PAGE


def listed(values: Iterable[float], form: str = ".0f") -> str:
    *most, last = (f"{value:{form}}" for value in values)
    return f"{', '.join(most)} and {last}"


def between(values: Iterable[float], form: str = ".1f") -> str:
    values = list(values)
    return f"{min(values):{form}} to {max(values):{form}}"


def on(board: pd.DataFrame, run: str, datasets: Sequence[str], figure: str = "kept") -> list[float]:
    return [float(board.loc[(dataset, run), figure]) for dataset in datasets]


def under(board: pd.DataFrame, pattern: str, datasets: Sequence[str] = EVERY) -> pd.DataFrame:
    """Rows of runs that a regular expression fits as a whole."""
    return board[board["dataset"].isin(datasets) & board["run"].str.fullmatch(pattern)]


def apart(board: pd.DataFrame, dataset: str, one: str, other: str) -> bool:
    """Whether the intervals of what two runs keep lie apart."""
    a, b = board.loc[(dataset, one)], board.loc[(dataset, other)]
    return bool(a["kept_low"] > b["kept_high"] or b["kept_low"] > a["kept_high"])


def leader(board: pd.DataFrame, dataset: str, backbone: str, size: str) -> pd.DataFrame:
    """The closed division's rows of one backbone and size, by what they keep."""
    mine = board[(board["dataset"] == dataset) & (board["backbone"] == backbone) & (board["setting"] == size)]
    return mine[mine["division"] == "closed"].sort_values("kept", ascending=False)


def best(board: pd.DataFrame, dataset: str, size: str, backbones: Sequence[str] = ()) -> pd.Series:
    """The row of the highest NDCG of one size."""
    mine = board[(board["dataset"] == dataset) & (board["setting"] == size) & (board["division"] == "closed")]
    return (
        mine.loc[(mine["backbone"].isin(backbones) if backbones else mine["ndcg20"].notna())]
        .nlargest(1, "ndcg20")
        .iloc[0]
    )


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


def test_published_orders(board: pd.DataFrame) -> None:
    def binary(dataset: str) -> list[float]:
        return [
            board.loc[(dataset, f"lightgcn/binary/{each}"), "kept"]
            for each in ("1-16", "rotation=random", "rotation=none")
        ]

    small, large, films = binary("ml-100k"), binary("gowalla"), binary("ml-1m")
    says(
        f"Over a random one yes: {small[0]:.1f} against {small[1]:.1f} % on ML-100K, {large[0]:.1f} against "
        f"{large[1]:.1f} on Gowalla. Over none on ML-1M alone ({films[0]:.1f} against {films[2]:.1f}); "
        f"{small[2]:.1f} on ML-100K and {large[2]:.1f} on Gowalla are ties."
    )
    told = {
        (dataset, size): board.loc[(dataset, f"lightgcn/residual/1-{size}"), "kept"]
        > board.loc[(dataset, f"lightgcn/product/1-{size}"), "kept"]
        and apart(board, dataset, f"lightgcn/residual/1-{size}", f"lightgcn/product/1-{size}")
        for dataset in EVERY
        for size in (16, 32, 64)
    }
    confirmed = {
        *(("gowalla", size) for size in (16, 32, 64)),
        *((each, size) for each in ("yelp2018", "amazon-cds") for size in (32, 64)),
        ("ml-1m", 32),
    }
    assert {key for key, yes in told.items() if yes} == confirmed
    pairs = [
        "{:.0f} against {:.0f}".format(
            *(board.loc[(each, f"lightgcn/{m}/1-32"), "kept"] for m in ("residual", "product"))
        )
        for each in ("gowalla", "yelp2018", "amazon-cds", "ml-1m")
    ]
    says(
        f"(at 1/32 {pairs[0]} %), from 1/32 on on Yelp2018 ({pairs[1]}) and Amazon-CDs ({pairs[2]}), and at 1/32 on "
        f"ML-1M ({pairs[3]})"
    )
    deep = "lightgcn/deep_compression/1-16"
    plain = "lightgcn/uniform/1-16"
    says(
        f"{on(board, deep, ['ml-100k'])[0]:.1f} % at 1/{on(board, deep, ['ml-100k'], 'smaller')[0]:.0f} on ML-100K, "
        f"{on(board, deep, ['lastfm'])[0]:.1f} at 1/{on(board, deep, ['lastfm'], 'smaller')[0]:.0f} on LastFM, where "
        f"plain codes keep {listed(on(board, plain, ['ml-100k', 'lastfm']))} at 1/16."
    )
    pair = ["gowalla", "yelp2018"]
    says(
        f"{listed(on(board, deep, pair))} against {listed(on(board, plain, pair))}, where `transform_coding` keeps "
        f"{listed(on(board, 'lightgcn/transform_coding/1-16', pair))}; on Amazon-CDs "
        f"{on(board, deep, ['amazon-cds'])[0]:.0f} against {on(board, plain, ['amazon-cds'])[0]:.0f}."
    )
    rank = {each: board.loc[(each, "lightgcn/svd/1-8"), "kept"] for each in EVERY}
    assert rank["ogbl-ddi"] > 100
    says(
        f"keeps {rank['ml-100k']:.1f} % on ML-100K and all on ogbl-ddi, but {rank['ml-1m']:.0f} on ML-1M, "
        f"{rank['lastfm']:.0f} on LastFM, {rank['yelp2018']:.0f} on Yelp2018, {rank['gowalla']:.0f} on Gowalla and "
        f"{rank['amazon-cds']:.0f} on Amazon-CDs."
    )
    shared = {each: on(board, f"lightgcn/{each}/1-8", MOVIES) for each in ("legcf", "qr", "hashing", "uniform")}
    says(f"at 1/8 {listed([shared[each][0] for each in ('legcf', 'qr', 'hashing')], '.1f')} %")
    says(f"on ML-1M, {listed([shared[each][1] for each in ('legcf', 'qr', 'hashing')])}.")
    says(f"Codes of the same bytes keep {listed(shared['uniform'])}.")
    slim = {
        each: [board.loc[("ml-100k", f"lightgcn/{each}/1-{n}"), "kept"] for n in (4, 8)] for each in ("memcom", "qr")
    }
    says(
        f"it keeps {slim['memcom'][0]:.1f} % at 1/4 and {slim['memcom'][1]:.1f} at 1/8 on ML-100K, quotient-remainder "
        f"{listed(slim['qr'], '.1f')}."
    )
    bigear = under(board, "lightgcn/bigear/.*", ["ml-100k"]).nlargest(1, "kept").iloc[0]
    says(f"On ML-100K at most {bigear['kept']:.1f} %, at 1/{bigear['smaller']:.0f}.")
    full = board.loc[("gowalla", "xsimgcl/bigear/dim=256,epochs=2,layers=2")]
    eight = board.loc[("gowalla", "xsimgcl/uniform/1-4")]
    row = 256 / full["smaller"], 256 / eight["smaller"]
    says(f"{full['kept']:.1f} % (older code), at {row[0]:.0f} bytes a row, where 8 bits keep {eight['kept']:.0f} in")


def test_fewer_steps_edges_and_searches(board: pd.DataFrame) -> None:
    steps = under(board, "[a-z]+/layer_drop/1-2")
    none = steps["dataset"] == "ogbl-ddi"
    says(f"leaves {between(steps.loc[~none, 'kept'], '.0f')} % by backbone and set where that leaves one")
    says(f"no step is left, and {listed(sorted(steps.loc[none, 'kept']))} %")
    scores = {
        each: [
            board.loc[(each, f"lightgcn/edge_sparsify/score={score}"), "kept"]
            for score in ("random", "degree", "cosine")
        ]
        for each in ("gowalla", "ml-100k")
    }
    large, small = scores["gowalla"], scores["ml-100k"]
    says(
        f"{large[0]:.1f} against {large[1]:.1f} (degree) and {large[2]:.1f} % (cosine) on Gowalla, "
        f"{listed(small, '.1f')} on ML-100K."
    )
    quarter = under(board, "[a-z]+/edge_sparsify/1-4")
    films = quarter["dataset"] == "ml-1m"
    says(
        f"is left: {quarter.loc[~films, 'kept'].min():.1f} % and more, "
        f"but on ML-1M {between(quarter.loc[films, 'kept'], '.0f')}."
    )
    for name, words in (
        ("ivf", "{} times the time of fp32 for one user at 1/2, {} times"),
        ("hnsw", "{} by backbone and set, and slower in batches, {};"),
    ):
        search = under(board, f"[a-z]+/{name}/1-2", LARGE)
        says(words.format(between(search["single_ratio"]), between(search["batch_ratio"])))
    eight = under(board, "lightgcn/uniform/1-4", LARGE)
    says(f"eight-bit codes take {between(eight['single_ratio'])}, in batches {between(eight['batch_ratio'])}.")


def test_who_pays() -> None:
    lowest, highest = {}, {}
    for run in collect(RESULTS).runs:
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
    for run in collect(RESULTS).runs:
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
