from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recpress.core.errors import UserError
from recpress.data import formats
from recpress.data.formats import attributes
from recpress.data.formats.raw import Fault
from recpress.data.formats.times import nanoseconds

Row = tuple[int, int, int, int]
rows = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 5), st.integers(0, 2**33)),
    min_size=1,
    max_size=20,
)
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def lines(separator: str, order: str = "uirt", header: str = "", scale: int = 1) -> Callable[[list[Row]], str]:
    def write(table: list[Row]) -> str:
        out = [header] if header else []
        for user, item, rating, time in table:
            fields = {"u": user, "i": item, "r": rating, "t": time * scale}
            out.append(separator.join(str(fields[letter]) for letter in order))
        return "\n".join(out) + "\n"

    return write


WRITERS = {
    "movielens-data": lines("\t"),
    "movielens-dat": lines("::"),
    "movielens-csv": lines(",", header="userId,movieId,rating,timestamp"),
    "movielens-csv-no-times": lines(",", "uir", "user,movie,rating"),
    "atomic": lines("\t", header="user_id:token\titem_id:token\trating:float\ttimestamp:float"),
    "atomic-str": lines("\t", "iut", "item_id:token\tuser_id:token\ttimestamp:float"),
    "amazon-2014-ratings": lines(","),
    "amazon-2018-ratings": lines(",", "iurt"),
    "amazon-2023-ratings": lines(",", header="user_id,parent_asin,rating,timestamp", scale=1000),
    "pairs": lines("\t", "ui"),
    "pairs-time": lines("\t", "uit"),
    "triples-space": lines(" ", "uir"),
}


@pytest.mark.parametrize("name", WRITERS)
@quick
@given(table=rows)
def test_what_is_written_in_a_table_format_parses_back(tmp_path: Path, name: str, table: list[Row]) -> None:
    path = tmp_path / "file"
    path.write_text(WRITERS[name](table))
    parsed = formats.parse(path, name)
    users, items, ratings, times = zip(*table, strict=True)
    assert [int(user) for user in parsed.users] == list(users)
    assert [int(item) for item in parsed.items] == list(items)
    if parsed.ratings is not None:
        assert parsed.ratings.tolist() == list(ratings)
    if parsed.times is not None:
        assert parsed.times.tolist() == [time * 10**9 for time in times]


ids = st.text("abcXYZ0123456789-_ é", min_size=1, max_size=8).filter(str.strip)


@quick
@given(table=st.lists(st.tuples(ids, ids, st.integers(1, 5), st.integers(0, 2**31)), min_size=1, max_size=20))
def test_reviews_parse_back(tmp_path: Path, table: list[tuple[str, str, int, int]]) -> None:
    path = tmp_path / "reviews.json.gz"
    text = "".join(
        json.dumps({"reviewerID": u, "asin": i, "overall": float(r), "unixReviewTime": t, "reviewText": "fine"}) + "\n"
        for u, i, r, t in table
    )
    path.write_bytes(gzip.compress(text.encode()))
    parsed = formats.parse(path, "amazon-reviews")
    assert parsed.ratings is not None
    assert parsed.times is not None
    found = zip(parsed.users, parsed.items, parsed.ratings.tolist(), parsed.times.tolist(), strict=True)
    assert list(found) == [(u, i, float(r), t * 10**9) for u, i, r, t in table]


lists = st.lists(st.lists(st.integers(0, 10**6), max_size=6), min_size=1, max_size=10).filter(any)


@quick
@given(table=lists, blank=st.booleans())
def test_lists_parse_back(tmp_path: Path, table: list[list[int]], blank: bool) -> None:
    expected = [(user, item) for user, items in enumerate(table) for item in items]
    path = tmp_path / "train.txt"
    path.write_text("\n".join(" ".join(map(str, [user, *items])) for user, items in enumerate(table)) + "\n" * blank)
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    (tmp_path / "train.json").write_text(json.dumps(table))
    for name, form in (("train.txt", "user-items"), ("train.txt.gz", "user-items"), ("train.json", "user-items-json")):
        parsed = formats.parse(tmp_path / name, form)
        assert list(zip(parsed.users.tolist(), parsed.items.tolist(), strict=True)) == expected


BAD = [
    ("movielens-data", "", "empty"),
    ("movielens-data", "1\t2\t3\t4\n-1\t2\t3\t4\n", "row 2: the user id is negative"),
    ("movielens-data", "1\t2\t3\t4\n1\t2\t3\t\n", "row 2: the time is"),
    ("movielens-data", "1\t2\tnan\t4\n", "row 1: the rating is"),
    ("movielens-data", "1\t2\t3\t4\n1\tx7\t3\t4\n", "row 2: the item is 'x7', not an integer"),
    ("movielens-data", "1\t\t3\t4\n", "row 1: the item is ''"),
    ("movielens-data", "1\n2\n", "row 1: header mismatch"),
    ("movielens-data", "1\t2\tinf\t4\n", "row 1: the rating is missing or not finite"),
    ("movielens-csv", "user,item\n1,2\n", "row 1: header mismatch: the user column 'userId' is missing"),
    ("movielens-csv", "userId,movieId,rating,timestamp\n1,2,3,4\n1,-2,3,4\n", "row 3: the item id is negative"),
    ("movielens-dat", "1::2::3::4\n1::2::x::4\n", "row 2: the rating is 'x', not a number"),
    ("amazon-2014-ratings", "A,B,5,1\n,B,5,1\n", "row 2: the user id is empty"),
    ("movielens-data", "1\t2\t3\t4\n1\t2\t3\n", "row 2: it has 3 fields, and the first row has 4"),
    ("movielens-data", "1\t2\t3\t4\n\n1\t2\t3\t4\t5\n", "row 3: it has 5 fields"),
    ("movielens-data", "1\t2\t3\t4\r\n1\t2\t3\r\n", "row 2: it has 3 fields"),
    ("movielens-data", "1\t2\t3\t4\r1\t2\t3\r", "row 2: it has 3 fields"),
    ("movielens-csv", "userId,movieId,rating,timestamp\n0,1,2,3,4\n1,1,2,3,4\n", "row 2: it has 5 fields"),
    (
        "movielens-csv",
        "userId,movieId,rating,timestamp\n1,2,3,4\n1,2,3,9999999999\n",
        "row 3: the time is 9999999999, w",
    ),
    ("movielens-csv", 'userId,movieId,rating,timestamp,title\n1,2,3,4,"a\nb"\n1,2,3,4\n', "row 4: it has 4 fields"),
    ("amazon-2014-ratings", "A,B,5,1\n\n,B,5,1\n", "row 3: the user id is empty"),
    ("amazon-2014-ratings", 'A,B,5,1\nA,"B\nC",5,1\n', "row 2: the item id has a line break"),
    ("amazon-2014-ratings", "A,B,5,1\nA,C,5,2020-01-01\n", "row 2: the time is '2020-01-01', not a number"),
    ("amazon-2014-ratings", "A,B,5,2020-01-01\nA,C,5,2021\n", "row 2: the time is '2021', not an ISO date"),
    ("amazon-2014-ratings", "A,B,5,2020-01-01\nA,C,5,2020-13-01\n", "row 2: the time is '2020-13-01', neither"),
    ("amazon-2014-ratings", "A,B,5,9999-01-01\n", "row 1: the time is '9999-01-01', neither"),
    ("user-items", "", "empty"),
    ("user-items", "0 1 2\n1 -3\n", "row 2: the id -3 is negative"),
    ("user-items", "0 1 2\n1 3 x\n", "row 2: 'x' is not an integer"),
    ("user-items", "0 1 2.5\n", "row 1: '2.5' is not an integer"),
    ("user-items", "0 99999999999999999999\n", "row 1: the id 99999999999999999999 is too large"),
    ("user-items-json", "[]", "empty"),
    ("user-items-json", "[[1],[2,-1]]", "row 2"),
    ("user-items-json", "[[1],[true]]", "row 2"),
    ("user-items-json", "{", "not JSON"),
]


@pytest.mark.parametrize(("form", "text", "reason"), BAD)
def test_bad_input_is_refused_with_row_and_reason(tmp_path: Path, form: str, text: str, reason: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        formats.parse(path, form)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ('{"reviewerID": "a", "overall": 5, "unixReviewTime": 1}\n', "row 1: the field 'asin' is missing"),
        (
            '{"reviewerID": "a", "asin": "b", "overall": 5, "unixReviewTime": 1}\n'
            '{"reviewerID": "", "asin": "b", "overall": 5, "unixReviewTime": 1}\n',
            "row 2: a field is missing or empty",
        ),
        (
            '{"reviewerID": "a\\nb", "asin": "b", "overall": 5, "unixReviewTime": 1}\n',
            "row 1: the user id has a line break",
        ),
        ("{nonsense", "not gzipped JSON lines"),
    ],
)
def test_bad_reviews_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "r.json.gz"
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(UserError, match=reason):
        formats.parse(path, "amazon-reviews")


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(b"A,B,5,1\n" * 5000)[:-20])
    with pytest.raises(UserError, match=r"r\.csv\.gz"):
        formats.parse(path, "amazon-2014-ratings")


def test_an_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'amazon-reviews'"):
        formats.parse(tmp_path, "amazon-review")


def test_attributes(tmp_path: Path) -> None:
    items = tmp_path / "u.item"
    flags = ["0"] * 19
    flags[1] = flags[5] = "1"
    items.write_text("7|Some Film (1990)|01-Jan-1990||url|" + "|".join(flags) + "\n")
    found = attributes.read(items, "movielens-100k-items")
    assert found.ids.tolist() == [7, 7]
    assert found.labels.tolist() == ["Action", "Comedy"]
    users = tmp_path / "users.dat"
    users.write_text("3::F::25::12::00000\n")
    assert attributes.read(users, "movielens-1m-users").labels.tolist() == ["12"]
    items.write_text("7|too|few\nx\n")
    with pytest.raises(UserError, match="row 1"):
        attributes.read(items, "movielens-100k-items")
    assert np.issubdtype(found.ids.dtype, np.int64)


def test_a_quotation_mark_in_a_tab_file_is_a_character(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('user_id:token\titem_id:token\nu1\ta\nu2\t"b\nu3\tc\nu4\td"\nu5\t"e"\n')
    assert formats.parse(path, "atomic-str").items.tolist() == ["a", '"b', "c", 'd"', '"e"']


def test_a_separator_behind_the_last_field_shifts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("userId,movieId,rating,timestamp\n1,2,3,4,\n5,6,7,8\n")
    parsed = formats.parse(path, "movielens-csv")
    assert (parsed.users.tolist(), parsed.items.tolist()) == ([1, 5], [2, 6])


def test_times_of_every_kind_are_the_same_nanoseconds() -> None:
    moment = 1_700_000_000_123_456_789
    text = ["1700000000.123456789", "1700000000123.456789", "1700000000123456.789", "1700000000123456789"]
    text += ["2023-11-14T22:13:20.123456789Z", "2023-11-14 22:13:20.123456789", "2023-11-15T00:13:20.123456789+02:00"]
    for each in text:
        assert nanoseconds(np.array([each], object), None).tolist() == [moment], each
    assert nanoseconds(np.array([moment]), None).tolist() == [moment]
    assert nanoseconds(np.array([moment], np.uint64), None).tolist() == [moment]
    assert nanoseconds(np.array([1700000000.1]), None).tolist() == [1_700_000_000_100_000_000]
    assert nanoseconds(np.array(["-0.5", "1.5e1", "2023"], object)).tolist() == [
        -(10**9) // 2,
        15 * 10**9,
        2023 * 10**9,
    ]
    # The largest says what all are; what is finer than a nanosecond is cut off.
    assert nanoseconds(np.array([7, 1_700_000_000_000]), None).tolist() == [7 * 10**6, 1_700_000_000 * 10**9]
    assert nanoseconds(np.array(["0.30000000000000004"], object)).tolist() == [3 * 10**8]


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        (["1", "x"], "'x', not a number"),
        (["1", "nan"], "'nan', not a number"),
        (["1", "1e99"], "1E.99, which lies outside"),
        (["2020-01-01", "5"], "'5', not an ISO date"),
        ([1, 10**12], "1000000000000, which lies outside"),
        ([1.0, np.nan], "missing or not finite"),
    ],
)
def test_what_is_no_time_is_refused(times: list[object], reason: str) -> None:
    values = np.array(times, object if isinstance(times[0], str) else None)
    with pytest.raises(Fault, match=reason) as caught:
        nanoseconds(values)
    assert caught.value.row == 1
