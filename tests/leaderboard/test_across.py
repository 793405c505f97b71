"""Tables of findings say what the committed records say."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from recpress.core.errors import UserError
from recpress.records.record import write
from table_across import DOCUMENTS, markdown, written

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("across")
    for dataset in ("synthetic-small", "synthetic-mid"):
        for budget in ("1/4", "1/8"):
            write(folder, synthetic.make(dataset, "mf", "quantization", "uniform", budget, 0))
    write(folder, synthetic.make("synthetic-small", "lightgcn", "low_rank", "svd", "rank=8,values=int8", 0))
    return folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_findings_show_the_committed_records(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert text == written(text, ROOT / "results"), "run: python tools/table_across.py"


def test_a_line_is_a_run_and_a_column_a_data_set(results: Path) -> None:
    names = ["mf/uniform/1-4", "mf/uniform/1-8", "lightgcn/svd/rank=8,values=int8"]
    lines = markdown(results, ["retained", *names]).splitlines()
    headings, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    assert headings[0] == "Retained [%]"
    assert headings[1:] == ["synthetic-small", "synthetic-mid"]
    assert [row[0] for row in rows] == ["mf uniform 1/4", "mf uniform 1/8", "lightgcn svd rank=8,values=int8"]
    assert rows[2][headings.index("synthetic-mid")] == "–"
    assert rows[0][1] not in ("", "–")


def test_a_data_set_with_one_of_several_runs_has_no_column(results: Path) -> None:
    assert "synthetic-mid" not in markdown(results, ["retained", "mf/uniform/1-8", "lightgcn/svd/rank=8,values=int8"])
    assert "synthetic-mid" in markdown(results, ["retained", "mf/uniform/1-8"])


def test_the_backbone_is_named_where_there_are_several(results: Path) -> None:
    assert "| uniform 1/8 " in markdown(results, ["ndcg20", "mf/uniform/1-8"])


def test_what_is_unknown_is_refused(results: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'ndcg20'"):
        markdown(results, ["ncdg20", "mf/uniform/1-8"])
    with pytest.raises(UserError, match="no figure 'method'"):
        markdown(results, ["method", "mf/uniform/1-8"])
    with pytest.raises(UserError, match="no run 'mf/uniform/1-16'"):
        markdown(results, ["retained", "mf/uniform/1-16"])
