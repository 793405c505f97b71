"""What another machine found when it repeated runs is told from reproductions alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from recpress.core.errors import UserError
from recpress.records.record import Record, relative_path
from table_elsewhere import DOCUMENT, markdown, written

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = "fedcba987654"


@pytest.fixture
def made(tmp_path: Path) -> Record:
    record = synthetic.make("synthetic-small", "mf", "quantization", "uniform", "1/4", 0)
    synthetic.write_folder(tmp_path, [record])
    return record


def test_the_page_shows_the_committed_reproductions() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert text == written(text, ROOT / "results"), "run: python tools/table_elsewhere.py"


def test_the_same_machine_and_what_a_record_was_are_nothing_from_elsewhere(tmp_path: Path, made: Record) -> None:
    synthetic.repeat(tmp_path, made)
    synthetic.put(tmp_path, synthetic.repeated(made, "0" * 64, machine=ELSEWHERE))
    with pytest.raises(UserError, match="No other machine"):
        markdown(tmp_path)


def test_a_line_says_what_stayed_and_where_the_ratio_went(tmp_path: Path, made: Record) -> None:
    assert made.quality
    timing = synthetic.time(made)
    single, batch = synthetic.ratios(timing).values()
    latency = synthetic.ratios(timing, 2) | {"batch": batch}
    synthetic.repeat(tmp_path, made, machine=ELSEWHERE, latency=latency)

    def line() -> list[str]:
        (found,) = markdown(tmp_path).splitlines()[2:]
        return [cell.strip() for cell in found.split("|")[1:-1]]

    name = relative_path(made.identity).relative_to("records").with_suffix("").as_posix()
    went = [f"{single.ratio:.2f} → **{2 * single.ratio:.2f}**", f"{batch.ratio:.2f} → {batch.ratio:.2f}"]
    assert line() == [name, "equal", *went]
    disturbed = {"single": latency["single"].model_copy(update={"noisy": True})}
    metrics = {name: value / 2 for name, value in made.quality.metrics.items()}
    synthetic.repeat(tmp_path, made, machine=ELSEWHERE, latency=disturbed, bytes=1, metrics=metrics)
    told = line()[1].split("; ")
    assert [each.split()[0] for each in told] == ["ndcg@20", "bytes", "and"]
    assert told[-1] == f"and {sum(value != 0 for value in metrics.values()) - 1} more"
    assert line()[2:] == ["–", "–"]
