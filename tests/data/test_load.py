from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from recpress import data, registry
from recpress.cli import fetch, info
from recpress.core.errors import UserError
from recpress.data import dataset, store, synthetic
from recpress.data.card import DatasetCard, Preprocess, SplitSpec, Synthetic
from recpress.data.describe import describe

CARD = """\
title = "Sample"
domain = "social"
task = "user-item"
description = "Made up."
license = "CC0-1.0"
redistribution = true
citation = "none"

[[files]]
role = "interactions"
name = "u.data"
format = "movielens-data"
sources = ["{url}/u.data"]

[[files]]
role = "social"
name = "trust.txt"
format = "pairs"
sources = ["{url}/trust.txt"]
optional = true

[split]
protocol = "random-per-user"
"""
ROWS = "".join(f"{user}\t{item}\t5\t{item}\n" for user in (3, 5, 8) for item in range(10))


@pytest.fixture
def sample(server, cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registered data set of our own making; returns its card file."""
    folder = tmp_path / "datasets" / "sample"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text(CARD.format(url=server.url))
    server.files |= {"/u.data": ROWS.encode(), "/trust.txt": b"3\t8\n8\t9\n"}
    monkeypatch.setattr(registry, "resources", lambda kind: tmp_path / kind)
    return folder / "card.toml"


def test_load_parses_once_and_then_reads_the_same_from_the_cache(sample: Path) -> None:
    first, second = data.load("sample"), data.load("sample")
    assert first.split.sha256 == second.split.sha256
    assert first.interactions.user_ids.tolist() == second.interactions.user_ids.tolist() == [3, 5, 8]
    assert second.interactions.times is not None
    assert len(list((store.cache_dir() / "parsed" / "sample").iterdir())) == 1
    sample.write_text(sample.read_text() + "seed = 1\n")
    assert data.load("sample").split.sha256 != first.split.sha256


def test_counts_and_split_hash_are_checked(sample: Path) -> None:
    text = sample.read_text()
    sample.write_text(text + f'sha256 = "{"0" * 64}"\n')
    with pytest.raises(UserError, match="the card pins 0000"):
        data.load("sample")
    sample.write_text(text + "[statistics]\nusers = 4\nitems = 10\ninteractions = 30\n")
    with pytest.raises(UserError, match="3 users instead of 4"):
        data.load("sample")


def test_social_edges_are_there_once_their_file_is(sample: Path) -> None:
    from recpress.data.relations import linked, relations

    loaded = data.load("sample")
    assert relations(loaded) == []
    with pytest.raises(
        UserError, match=r"sample has no relation 'trusts': none is at hand \(`recpress fetch sample`\)"
    ):
        linked(loaded.graph(), loaded, ["trusts"])
    assert CliRunner().invoke(fetch.command, ["sample"]).exit_code == 0
    (found,) = relations(loaded)
    assert found.edges.tolist() == [[0], [2]]  # 3 trusts 8; user 9 has no interactions
    graph = linked(loaded.graph(), loaded, ["trusts"])
    assert graph.links is not None
    assert graph.links.ends.tolist() == [[0], [2]]
    assert linked(loaded.graph(), loaded, []).links is None


def test_fetch_fills_a_folder_that_recpress_data_can_name(sample: Path, tmp_path: Path, server) -> None:
    result = CliRunner().invoke(fetch.command, ["--all", "--to", str(tmp_path / "raw")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "raw" / "sample" / "u.data").read_text() == ROWS
    server.files.clear()
    assert data.load("sample", tmp_path / "raw").split.n_users == 3


def test_fetch_all_goes_on_after_a_failure_and_names_it(sample: Path, server) -> None:
    other = sample.parent.parent / "another"
    other.mkdir()
    (other / "card.toml").write_text(sample.read_text().replace("u.data", "none.data"))
    result = CliRunner().invoke(fetch.command, ["--all"])
    assert isinstance(result.exception, UserError)
    assert "1 data sets could not be fetched: another" in str(result.exception)
    assert "sample" in result.output
    with pytest.raises(UserError, match="Say which"):
        CliRunner().invoke(fetch.command, [], catch_exceptions=False)


def test_info_tells_card_and_statistics(sample: Path) -> None:
    result = CliRunner().invoke(info.command, ["sample", "--format", "json"])
    shown = json.loads(result.output)
    loaded = data.load("sample")
    assert shown["card"]["license"] == "CC0-1.0"
    numbers = shown["statistics"]
    assert (numbers["users"], numbers["items"], numbers["interactions"]) == (3, 10, 30)
    assert (numbers["train"], numbers["valid"], numbers["test"]) == (24, 3, 3)
    assert (numbers["density"], numbers["user_gini"]) == (1.0, 0.0)
    assert numbers["table_bytes_d64"] == 13 * 64 * 4
    assert numbers["graph_bytes"] == loaded.graph().adjacency().nbytes == 14 * 4 + 54 * 8
    assert numbers["split_sha256"] == loaded.split.sha256
    text = CliRunner().invoke(info.command, ["sample"]).output
    for part in ("Sample (sample): social, user-item", "CC0-1.0", loaded.split.sha256, "item gini"):
        assert part in text


# Own files.


def table(tmp_path: Path, ending: str) -> Path:
    import pandas as pd

    frame = pd.DataFrame(
        {"who": [f"ü{user}" for user in range(4) for _ in range(12)], "what": [f"0{i}" for i in range(12)] * 4}
    )
    frame["when"], frame["stars"] = range(48), 5
    path = tmp_path / f"My Shop{ending}"
    if ending == ".parquet":
        frame.to_parquet(path)
    elif ending == ".inter":
        frame.columns = ["who:token", "what:token", "when:float", "stars:float"]
        frame.to_csv(path, sep="\t", index=False)
    else:
        frame.to_csv(path, sep="\t" if "tsv" in ending else ",", index=False)
    return path


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet", ".inter"])
def test_a_file_of_the_users_own_in_each_format(cache: Path, tmp_path: Path, ending: str) -> None:
    made = data.from_file(table(tmp_path, ending), "who", "what", "when", "stars")
    assert made.name.startswith("own-my-shop-")
    assert made.interactions.user_ids.tolist() == ["ü0", "ü1", "ü2", "ü3"]
    assert made.interactions.item_ids.tolist()[:2] == ["00", "01"]
    assert made.interactions.times is not None
    assert made.split.test.counts.tolist() == [1] * 4
    again = data.load(made.name)
    assert again.split.sha256 == made.split.sha256
    assert again.card.title == made.card.title


def test_own_file_with_other_settings_is_another_set(cache: Path, tmp_path: Path) -> None:
    path = table(tmp_path, ".csv")
    default = data.from_file(path, "who", "what")
    last = data.from_file(path, "who", "what", "when", split=SplitSpec(protocol="leave-one-out"))
    assert default.name != last.name
    assert last.interactions.item_ids[last.split.test.of(0)].tolist() == ["011"]
    with pytest.raises(UserError, match="No interaction is left"):
        data.from_file(path, "who", "what", rating_col="stars", preprocess=Preprocess(min_rating=6))


def test_own_file_is_refused_with_reason(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no column 'nobody'"):
        data.from_file(table(tmp_path, ".csv"), "nobody", "what")
    with pytest.raises(UserError, match="nobody"):
        data.from_file(table(tmp_path, ".parquet"), "nobody", "what")
    with pytest.raises(UserError, match="is not a file"):
        data.from_file(tmp_path / "none.csv", "a", "b")
    (tmp_path / "x.xlsx").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no known ending"):
        data.from_file(tmp_path / "x.xlsx", "a", "b")
    (tmp_path / "bad.csv").write_text("a,b,t\nx,y,1\nx,,2\n")
    with pytest.raises(UserError, match="row 3: the item id is empty"):
        data.from_file(tmp_path / "bad.csv", "a", "b")
    with pytest.raises(UserError, match="One file holds no official split"):
        data.from_file(table(tmp_path, ".csv"), "who", "what", split=SplitSpec(protocol="official"))
    with pytest.raises(UserError, match="not in this machine's cache"):
        data.load("own-gone-00000000")


def own(path: Path, text: str, time: str | None = None, protocol: str = "random-per-user", **columns: str):
    path.write_text(text)
    return data.from_file(path, "user", "item", time, **columns, split=SplitSpec(protocol=protocol, valid=0.1))


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".inter", ".csv.gz"])
def test_a_separator_behind_every_row_makes_no_users_of_items(cache: Path, tmp_path: Path, ending: str) -> None:
    tab = "," if "csv" in ending else "\t"
    types = [":token", ":token", ":float"] if ending == ".inter" else [""] * 3
    header = tab.join(map("".join, zip(("user", "item", "stars"), types, strict=True)))
    rows = [f"u{user}{tab}i{(user + step) % 15}{tab}5" for user in range(12) for step in range(8)]
    path = tmp_path / f"shop{ending}"
    write = gzip.compress if ending.endswith(".gz") else bytes
    path.write_bytes(write("\n".join([header, *(row + tab for row in rows)]).encode()))
    made = data.from_file(path, "user", "item", rating_col="stars")
    assert (made.split.n_users, made.split.n_items, len(made.interactions)) == (12, 15, 96)
    path.write_bytes(write("\n".join([header, *rows[:4], rows[4] + tab + "x", *rows[5:]]).encode()))
    with pytest.raises(UserError, match="row 6: it has 4 fields, and the first row has 3"):
        data.from_file(path, "user", "item")
    path.write_bytes(write("\n".join([header, *rows[:4], "u9", *rows[5:]]).encode()))
    with pytest.raises(UserError, match="row 6: it has 1 fields, and the first row has 3"):
        data.from_file(path, "user", "item")


def test_quotation_marks_of_a_tab_file_are_part_of_the_ids(cache: Path, tmp_path: Path) -> None:
    text = 'user\titem\nu1\ta\nu2\t"b\nu3\tc\nu4\td"\nu5\te\n'
    made = own(tmp_path / "quotes.tsv", text)
    assert made.interactions.item_ids.tolist() == sorted(["a", '"b', "c", 'd"', "e"])
    assert len(made.interactions) == 5
    with pytest.raises(UserError, match="row 3: the item id has a line break"):
        own(tmp_path / "quotes.csv", text.replace("\t", ","))


def test_the_last_fraction_of_a_second_is_tested_whatever_the_file(cache: Path, tmp_path: Path) -> None:
    """Items i9 to i5, a tenth of a second apart, at a moment whose seconds are the same."""
    import pandas as pd

    base = pd.Timestamp("2023-11-14T22:13:20")
    frame = pd.DataFrame(
        [(f"u{user}", f"i{9 - step}", base + pd.Timedelta(100 * step, "ms")) for user in range(6) for step in range(5)],
        columns=["user", "item", "t"],
    )
    whole = frame["t"].astype("datetime64[ns]").astype("int64")
    forms = {
        "seconds": [f"{at // 10**9}.{at // 10**8 % 10}" for at in whole],
        "milliseconds": whole // 10**6,
        "iso": [f"{at.isoformat()}Z" for at in frame["t"]],
        "zone": [at.tz_localize("UTC").tz_convert("Asia/Tokyo").isoformat() for at in frame["t"]],
    }
    paths = []
    for name, times in forms.items():
        paths.append(tmp_path / f"{name}.csv")
        frame.assign(t=times).to_csv(paths[-1], index=False)
    for unit in ("ms", "us", "ns"):
        paths.append(tmp_path / f"{unit}.parquet")
        frame.assign(t=frame["t"].astype(f"datetime64[{unit}]")).to_parquet(paths[-1])
    paths.append(tmp_path / "floats.parquet")
    frame.assign(t=[float(each) for each in forms["seconds"]]).to_parquet(paths[-1])
    for path in paths:
        made = data.from_file(path, "user", "item", "t", split=SplitSpec(protocol="leave-one-out"))
        assert made.interactions.times is not None
        assert made.interactions.times.tolist() == whole.tolist(), path.name
        assert made.interactions.item_ids[made.split.test.items].tolist() == ["i5"] * 6, path.name


def test_nanoseconds_in_text_are_kept(cache: Path, tmp_path: Path) -> None:
    """Whole seconds to a float, three moments to us."""
    text = "user,item,t\nu,a,1700000000.000000003\nu,b,1700000000.000000002\nu,c,1700000000.000000001\n"
    made = own(tmp_path / "fine.csv", text, "t", "leave-one-out")
    assert made.interactions.item_ids[made.split.test.of(0)].tolist() == ["a"]


def test_dates_of_parquet_are_times(cache: Path, tmp_path: Path) -> None:
    import datetime

    import pandas as pd

    days = [datetime.date(2024, 1, day) for day in (1, 2, 3)]
    pd.DataFrame({"user": [1, 1, 1], "item": [30, 20, 10], "t": days}).to_parquet(tmp_path / "days.parquet")
    made = data.from_file(tmp_path / "days.parquet", "user", "item", "t", split=SplitSpec(protocol="leave-one-out"))
    assert made.interactions.item_ids[made.split.test.of(0)].tolist() == [10]


def test_the_card_says_how_equal_times_were_put_in_order(cache: Path, tmp_path: Path) -> None:
    rows = [f"u{user},i{item},100\n" for user in range(6) for item in range(5)]
    drawn = own(tmp_path / "ties.csv", "user,item,t\n" + "".join(rows), "t", "leave-one-out")
    assert "an order drawn by the seed 0" in drawn.card.description
    assert len(set(drawn.split.test.items.tolist())) > 1
    filed = own(tmp_path / "ties.csv", "user,item,t\n" + "".join(reversed(rows)), "t", "leave-one-out")
    assert "in the order of the file" in filed.card.description
    assert filed.split.test.items.tolist() == [0] * 6


def test_parquet_takes_what_csv_takes(cache: Path, tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / "types.parquet"

    def kept(user: object, **columns: object):
        pd.DataFrame({"user": user, "item": [10, 20, 30], **columns}).to_parquet(path)
        return data.from_file(path, "user", "item", rating_col="rating" if columns else None).interactions

    assert kept([-1, -1, 5]).user_ids.tolist() == [-1, 5]
    assert kept([1.0, 1.0, -2.0]).user_ids.tolist() == [-2, 1]
    assert kept([1, 1, 2], rating=[1, -1, 1]).ratings.tolist() == [1, -1, 1]
    assert kept(pd.Categorical(["a", "b", "a"])).user_ids.tolist() == ["a", "b"]
    assert kept(pd.array([1, 2, 2], "UInt64")).user_ids.tolist() == [1, 2]
    for user, reason in (
        ([1.0, 1.5, 2.0], "row 2: the user id is 1.5, not a whole number"),
        ([1.0, 2.0**60, 2.0], "row 2: the user id is 1.15"),
        (["a", "", "c"], "row 2: the user id is empty"),
        (["a", "b\nc", "c"], "row 2: the user id has a line break"),
        (["a", None, "c"], "row 2: the user is missing"),
        ([{"a": 1}] * 3, "a column is of a type that can't be used"),
    ):
        with pytest.raises(UserError, match=reason):
            kept(user)
    with pytest.raises(UserError, match="row 3: the rating is missing or not finite"):
        kept([1, 2, 3], rating=[1, 2, np.inf])


def test_code_that_parses_otherwise_reads_the_file_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path, ".csv")
    made = data.from_file(path, "who", "what")
    monkeypatch.setattr(store, "code", lambda: "0" * 64)
    with pytest.raises(UserError, match="not in this machine's cache"):
        data.load(made.name)
    assert data.from_file(path, "who", "what").name == made.name
    assert len(list((cache / "own" / made.name).glob("parsed-*"))) == 2


# The generator.

SPEC = Synthetic(users=300, items=200, interactions=6000, exponent=0.8, communities=4, affinity=0.9)


def test_generated_interactions_are_exact_distinct_and_seeded() -> None:
    found = synthetic.generate(SPEC)
    pairs = set(zip(found.users.tolist(), found.items.tolist(), strict=True))
    assert len(pairs) == len(found) == 6000
    assert np.bincount(found.users, minlength=300).min() >= 1
    again = synthetic.generate(SPEC)
    assert (again.users == found.users).all()
    assert (again.items == found.items).all()
    other = synthetic.generate(SPEC.model_copy(update={"seed": 1}))
    assert (other.items != found.items).any()


def test_the_exponent_makes_it_unequal_and_communities_show() -> None:
    flat, steep = (
        np.sort(np.bincount(synthetic.generate(SPEC.model_copy(update={"exponent": e})).items, minlength=200))
        for e in (0.0, 1.2)
    )
    assert steep[-20:].sum() > 1.5 * flat[-20:].sum()
    apart, mixed = (synthetic.generate(SPEC.model_copy(update={"affinity": a, "exponent": 0.0})) for a in (1.0, 0.0))

    def overlap(data) -> float:
        """Mean cosine between users that share at least one item: high when tastes come in groups."""
        matrix = np.zeros((300, 200))
        matrix[data.users, data.items] = 1
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        return float((matrix @ matrix.T).std())

    assert overlap(apart) > 1.5 * overlap(mixed)


@pytest.mark.parametrize("n", [300, 300 * 100])
def test_the_generator_reaches_its_extremes(n: int) -> None:
    found = synthetic.generate(SPEC.model_copy(update={"interactions": n, "exponent": 2.0}))
    assert len(set(zip(found.users.tolist(), found.items.tolist(), strict=True))) == n


def test_the_generator_refuses_what_does_not_fit() -> None:
    for n in (299, 300 * 100 + 1):
        with pytest.raises(ValueError, match="must lie between"):
            synthetic.generate(SPEC.model_copy(update={"interactions": n}))


def test_the_tiny_synthetic_set_has_its_pinned_split(cache: Path) -> None:
    tiny = data.load("synthetic-tiny")
    assert tiny.card.split.sha256 == tiny.split.sha256
    assert describe(tiny).interactions == 6000


def test_build_says_when_the_protocol_lacks_times() -> None:
    card = DatasetCard.model_validate(
        data.card.dataset_card("ml-1m").model_dump() | {"split": {"protocol": "temporal-global"}}
    )
    from recpress.data.formats.raw import RawTable

    with pytest.raises(UserError, match=r"official ratings\.dat"):
        dataset.build(card, [RawTable(np.array([1, 1]), np.array([2, 3]))])
