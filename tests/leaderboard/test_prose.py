"""Placeholders in prose become the figures of the records, and those that name nothing are refused."""

from __future__ import annotations

import pandas as pd
import pytest

from recpress.core.errors import UserError
from recpress.leaderboard.prose import fill, named

NAN = float("nan")


def row(dataset: str, variant: str, kept: float, interval: tuple[float, float], **figures: object) -> dict[str, object]:
    return {
        "dataset": dataset,
        "backbone": "lightgcn",
        "method": "uniform",
        "variant": variant,
        "status": "ok",
        "retained": kept,
        "retained_low": interval[0],
        "retained_high": interval[1],
        "retained_sd": NAN,
        "smaller": 7.13,
        "single_ratio": 0.4512,
        "batch_ratio": 0.3,
        "ndcg20": 0.15714,
        "mb": 4.5,
        "seeds": 1,
        "reason": "",
        "developed": "",
        "doubtful": "",
        "isolated": "yes",
        "single_noisy": False,
        "batch_noisy": False,
        **figures,
    }


@pytest.fixture
def rows() -> pd.DataFrame:
    return named(
        pd.DataFrame(
            [
                row("ml-1m", "1/4", 99.14, (98.61, 99.49)),
                row("gowalla", "1/4", 98.8, (NAN, NAN), smaller=0.8),
                row("ml-1m", "bits=3,symmetric=True", 90.0, (89.0, 91.0)),
                row("ml-1m", "1/8", 12.0, (11.0, 13.0), status="failed"),
            ]
        )
    )


@pytest.mark.parametrize(
    ("placeholder", "text"),
    [
        ("retention ml-1m/lightgcn/uniform/1-4", "99.1 % (98.6 to 99.5)"),
        ("retention gowalla/lightgcn/uniform/1-4", "98.8 %"),
        ("retained ml-1m/lightgcn/uniform/1-4", "99.1 %"),
        ("retained ml-1m,gowalla/lightgcn/uniform/1-4", "98.8 to 99.1 %"),
        ("retained */*/uniform/*", "90.0 to 99.1 %"),
        ("retained ml-1m/lightgcn/uniform/bits=3,symmetric=True", "90.0 %"),
        ("bytes ml-1m/lightgcn/uniform/1-4", "1/7.1"),
        ("bytes gowalla/lightgcn/uniform/1-4", "1.2"),
        ("latency ml-1m/lightgcn/uniform/1-4", "0.45"),
        ("ndcg ml-1m/lightgcn/uniform/1-4", "0.1571"),
        ("megabytes ml-1m/lightgcn/uniform/1-4", "4.50 MB"),
        ("count */lightgcn/uniform/*", "3"),
    ],
)
def test_a_placeholder_becomes_its_figure(rows: pd.DataFrame, placeholder: str, text: str) -> None:
    assert fill(f"It is {{{{ {placeholder} }}}}, here.", lambda: rows) == f"It is {text}, here."


def test_a_table_has_a_line_a_run_and_a_column_a_data_set(rows: pd.DataFrame) -> None:
    lines = fill("{{ table retention lightgcn/uniform/1-4 lightgcn/uniform/bits=3,symmetric=True }}", lambda: rows)
    first, second = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines.strip().splitlines()[2:])
    assert first == ["uniform 1/4", "99.1 (98.6–99.5)"]
    assert second == ["uniform bits=3,symmetric=True", "90.0 (89.0–91.0)"]


@pytest.mark.parametrize(
    ("placeholder", "why"),
    [
        ("retention ml-1m/lightgcn/unifrm/1-4", "did you mean 'uniform'"),
        ("retention ml-1m/lightgcn/uniform/1-8", "did you mean '1-4'"),
        ("retension ml-1m/lightgcn/uniform/1-4", "did you mean 'retention'"),
        ("retention gowalla/lightgcn/uniform/bits=3,symmetric=True", "no run"),
        ("retention ml-1m/lightgcn/uniform", "DATASET/BACKBONE/METHOD/VARIANT"),
        ("retention", "takes a figure and a run"),
    ],
)
def test_what_names_nothing_is_refused_with_its_words(rows: pd.DataFrame, placeholder: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        fill(f"{{{{ {placeholder} }}}}", lambda: rows)
    assert f"{{{{ {placeholder} }}}}" in str(refused.value)


def test_examples_in_code_stay_and_need_no_records() -> None:
    page = "Write `{{ retention a/b/c/d }}`.\n\n```text\n{{ retention a/b/c/d }}\n```\n"

    def unread() -> pd.DataFrame:
        raise AssertionError("the records were read")

    assert fill(page, unread) == page
