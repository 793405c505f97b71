"""What the findings say of published orders is what the committed records say.

Each test writes figures as the page has them, from the records, and looks for the words on the page. Where one fails
after runs were added or replaced, the sentence has to be read again: the figure is in the failure.
"""

from __future__ import annotations

import pandas as pd
from prose import EVERY, LARGE, MOVIES, apart, between, listed, on, says, under

from recpress.data.card import dataset_card
from recpress.leaderboard.site.pages import published_figures


def test_published_orders(board: pd.DataFrame) -> None:
    def binary(dataset: str) -> list[float]:
        return [
            board.loc[(dataset, f"lightgcn/binary/{each}"), "retained"]
            for each in ("1-16", "rotation=random", "rotation=none")
        ]

    small, large, films = binary("ml-100k"), binary("gowalla"), binary("ml-1m")
    assert small[0] > small[1]
    assert large[0] > large[1]
    for dataset, none in (("ml-100k", False), ("ml-1m", True), ("gowalla", False)):
        assert apart(board, dataset, "lightgcn/binary/1-16", "lightgcn/binary/rotation=none") == none
    assert films[0] > films[2]
    told = {
        (dataset, size): board.loc[(dataset, f"lightgcn/residual/1-{size}"), "retained"]
        > board.loc[(dataset, f"lightgcn/product/1-{size}"), "retained"]
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
    deep = "lightgcn/deep_compression/1-16"
    plain = "lightgcn/uniform/1-16"
    says(
        f"at 1/{on(board, deep, ['ml-100k'], 'smaller')[0]:.0f} on ML-100K",
        f"at 1/{on(board, deep, ['lastfm'], 'smaller')[0]:.0f} on LastFM",
    )
    losing = [on(board, deep, [each]) < on(board, plain, [each]) for each in LARGE]
    assert losing == [False, False, True]
    rank = {each: board.loc[(each, "lightgcn/svd/1-8"), "retained"] for each in EVERY}
    assert rank["ogbl-ddi"] > 100
    for dataset in MOVIES:
        ours, quotient, hashed, codes = (
            board.loc[(dataset, f"lightgcn/{each}/1-8"), "retained"] for each in ("legcf", "qr", "hashing", "uniform")
        )
        assert codes > ours > quotient > hashed
    assert on(board, "lightgcn/memcom/1-4", ["ml-100k"]) < on(board, "lightgcn/qr/1-8", ["ml-100k"])
    bigear = under(board, "lightgcn/bigear/.*", ["ml-100k"]).nlargest(1, "retained").iloc[0]
    says(f"On ML-100K at most {bigear['retained']:.1f} %, at 1/{bigear['smaller']:.0f}.")
    full = board.loc[("gowalla", "xsimgcl/bigear/dim=256,epochs=2,layers=2")]
    eight = board.loc[("gowalla", "xsimgcl/uniform/1-4")]
    row = 256 / full["smaller"], 256 / eight["smaller"]
    says(f"(older code), at {row[0]:.0f} bytes a row; 8 bits retain {eight['retained']:.0f} % in {row[1]:.0f} bytes")


def test_fewer_steps_edges_and_searches(board: pd.DataFrame) -> None:
    steps = under(board, "[a-z]+/layer_drop/1-2")
    none = steps["dataset"] == "ogbl-ddi"
    says(f"retains {between(steps.loc[~none, 'retained'], '.0f')} % by backbone and set")
    says(f"no step is left, and {listed(sorted(steps.loc[none, 'retained']))} % are retained")
    scores = {
        each: [
            board.loc[(each, f"lightgcn/edge_sparsify/score={score}"), "retained"]
            for score in ("random", "degree", "cosine")
        ]
        for each in ("gowalla", "ml-100k")
    }
    for drawn, degree, cosine in scores.values():
        assert drawn > cosine > degree
    quarter = under(board, "[a-z]+/edge_sparsify/1-4")
    films = quarter["dataset"] == "ml-1m"
    says(f"is left: {quarter.loc[~films, 'retained'].min():.1f} % or more is retained")
    ivf, hnsw, eight = (
        under(board, f"{run}", LARGE) for run in ("[a-z]+/ivf/1-2", "[a-z]+/hnsw/1-2", "lightgcn/uniform/1-4")
    )
    assert (ivf["single_low"] > 1).all()
    assert (hnsw["batch_low"] > 1).all()
    assert (eight[["single_high", "batch_high"]] < 1).all(axis=None)


def test_fp32_beside_published_figures(board: pd.DataFrame) -> None:
    gaps = {  # of recall and NDCG at 20, in percent
        (dataset, each["model"]): [100 * (own / printed - 1) for printed, own in each["figures"]]
        for dataset in ("gowalla", "yelp2018")
        for each in published_figures(board, dataset, dataset_card(dataset), "")
    }
    recall, ndcg = gaps.pop(("yelp2018", "xsimgcl"))
    says(f"On Yelp2018 it is {-recall:.1f} % below in recall and {-ndcg:.1f} % in NDCG.")
    recall, ndcg = gaps.pop(("yelp2018", "lightgcn"))
    assert max(map(abs, gaps.pop(("gowalla", "lightgcn")))) < 1
    says(f"On Yelp2018 it is {recall:.0f} % (recall) and {ndcg:.0f} % (NDCG) *above* its paper")
    assert max(abs(gap) for dataset in ("gowalla", "yelp2018") for gap in gaps.pop((dataset, "gfcf"))) < 0.13
    says("is within 0.13 % on both")
    recall, ndcg = gaps.pop(("gowalla", "mf"))
    assert max(map(abs, gaps.pop(("yelp2018", "mf")))) < 1
    says(f"On Gowalla it is {-recall:.0f} % (recall) and {-ndcg:.0f} % (NDCG) short")
    assert not gaps, "a published figure of which the page says nothing"
