"""What the findings say of published orders is what the committed records say.

Each test writes figures as the page has them, from the records, and looks for the words on the page. Where one fails
after runs were added or replaced, the sentence has to be read again: the figure is in the failure.
"""

from __future__ import annotations

import pandas as pd
from prose import EVERY, LARGE, MOVIES, apart, between, listed, on, says, under

from recpress.board.site.pages import published_figures
from recpress.data.card import dataset_card


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


def test_fp32_beside_published_figures(board: pd.DataFrame) -> None:
    gaps = {  # of recall and NDCG at 20, in percent
        (dataset, each["model"]): [100 * (own / printed - 1) for printed, own in each["figures"]]
        for dataset in ("gowalla", "yelp2018")
        for each in published_figures(board, dataset, dataset_card(dataset), "")
    }
    recall, ndcg = gaps.pop(("yelp2018", "xsimgcl"))
    says(
        "XSimGCL, without a printed figure on Gowalla, is "
        f"{-recall:.1f} % below in recall and {-ndcg:.1f} % in NDCG on Yelp2018."
    )
    recall, ndcg = gaps.pop(("yelp2018", "lightgcn"))
    assert max(map(abs, gaps.pop(("gowalla", "lightgcn")))) < 1
    says(
        f"LightGCN is within 1 % on Gowalla and {recall:.0f} (recall) and {ndcg:.0f} % (NDCG) *above* its paper on "
        "Yelp2018"
    )
    assert max(abs(gap) for dataset in ("gowalla", "yelp2018") for gap in gaps.pop((dataset, "gfcf"))) < 0.13
    says("GF-CF, whole, is within 0.13 % on both")
    recall, ndcg = gaps.pop(("gowalla", "mf"))
    assert max(map(abs, gaps.pop(("yelp2018", "mf")))) < 1
    says(f"MF with the cosine loss is within 1 % on Yelp2018 and {-recall:.0f} and {-ndcg:.0f} % short on Gowalla")
    assert not gaps, "a published figure of which the page says nothing"
