"""Raw times of a record: both sides come back, in order, to half a tick."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress.leaderboard.collect import collect
from recpress.records import record
from recpress.records.samples import TICK_NS, pack, repack, unpack
from recpress.records.timing import Timing
from recpress.records.upgrade import embedded_timing

FIRST = Path(__file__).parent / "historic" / "v1-first" / "ok.json"
NAMED = {"signature": "0" * 64, "run": "any"}
PAIRS = st.lists(st.tuples(*[st.integers(0, 2**48)] * 2), min_size=1, max_size=40).map(lambda all: np.array(all).T)


@settings(deadline=None)  # The first example pays for imports, and a busy machine for all.
@given(PAIRS)
def test_times_come_back_to_half_a_tick(times: np.ndarray) -> None:
    back = unpack(pack(*times), times.shape[1])
    assert back.shape == times.shape
    assert np.abs(back - times).max() <= TICK_NS / 2
    assert pack(*back) == pack(*times)


@settings(deadline=None)  # The first example pays for imports, and a busy machine for all.
@given(PAIRS)
def test_version_1_is_repacked(times: np.ndarray) -> None:
    first = base64.b64encode(zlib.compress(times.astype("<i8").tobytes(), 9)).decode()
    assert repack(first, times.shape[1]) == pack(*times)


def test_a_record_of_version_1_keeps_its_medians() -> None:
    then = json.loads(FIRST.read_text())["latency"]
    now = Timing.model_validate(embedded_timing(json.loads(FIRST.read_text())) | NAMED).latency
    assert len(then) == len(now) > 0
    for timed in now:
        medians = np.median(unpack(timed.samples, timed.queries), axis=1) / 1e6
        assert medians == pytest.approx((timed.p50_ms, timed.reference_p50_ms), abs=TICK_NS / 2e6)


@pytest.mark.parametrize("text", ["", "=", "é", "eA==", base64.b64encode(zlib.compress(b"123")).decode()])
@pytest.mark.parametrize("read", [unpack, repack])
def test_what_is_no_packing_is_a_value_error(read, text: str) -> None:
    with pytest.raises(ValueError):
        read(text, 1)


@pytest.mark.parametrize("read", [unpack, repack])
def test_times_unpack_to_no_more_than_their_number_takes(read) -> None:
    """A hundred kilobytes that would unfold to a hundred megabytes."""
    bomb = base64.b64encode(zlib.compress(bytes(10**8), 9)).decode()
    tracemalloc.start()
    with pytest.raises(ValueError, match="at most"):
        read(bomb, 1000)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


@pytest.mark.parametrize("latency", [5, [5], [{"samples": 5}], [{"samples": "="}], [{}]])
def test_an_ill_formed_record_of_version_1_is_refused_in_a_sentence(latency, tmp_path: Path) -> None:
    path = tmp_path / record.relative_path(record.read(FIRST).identity)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(json.loads(FIRST.read_text()) | {"latency": latency}))
    (refused,) = collect(tmp_path).refused
    assert refused.path == path.relative_to(tmp_path).as_posix()
    assert refused.reason
    assert "\n" not in refused.reason
