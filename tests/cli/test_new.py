"""What `recpress new` makes runs as it is."""

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner

from recpress.api import BudgetUnreachable, Shape, method_class
from recpress.cli import new
from recpress.core.cards import MethodCard, read_card
from recpress.core.errors import UserError
from recpress.data.card import DatasetCard


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(new, "checkout_root", lambda: tmp_path)
    return tmp_path


def run(*words: str) -> str:
    done = CliRunner().invoke(new.command, words, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.output


def test_a_new_method_keeps_the_contract(checkout: Path) -> None:
    said = run("method", "my_idea", "--family", "pruning", "--division", "open")
    assert "recpress check my_idea" in said
    folder = checkout / "methods" / "pruning" / "my_idea"
    assert read_card(folder / "card.toml", MethodCard).division == "open"
    spec = importlib.util.spec_from_file_location("my_idea", folder / "method.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    method, shape = method_class(module)(), Shape(300, 400, 64)
    assert method.params_for(shape.dense_bytes // 4, shape).keep == 16
    with pytest.raises(BudgetUnreachable):
        method.params_for(1, shape)


def test_a_new_dataset_has_a_valid_card(checkout: Path) -> None:
    assert "recpress info my-shop" in run("dataset", "my-shop")
    card = read_card(checkout / "datasets" / "my-shop" / "card.toml", DatasetCard)
    assert card.title == "My shop"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("method", "../evil"), "lower-case Python name"),
        (("method", "fine", "--family", "a/b"), "lower-case Python name"),
        (("method", "fine", "--family", "quantisation"), "did you mean 'quantization'"),
        (("method", "uniform"), "already"),
        (("dataset", "ml-100k"), "already"),
        (("dataset", "Bad Name"), "lower-case"),
    ],
)
def test_wrong_names_are_refused(checkout: Path, words: tuple[str, ...], why: str) -> None:
    with pytest.raises(UserError, match=why):
        run(*words)
    assert not list(checkout.iterdir())


def test_nothing_is_overwritten(checkout: Path) -> None:
    run("method", "my_idea")
    with pytest.raises(UserError, match="there already"):
        run("method", "my_idea")


def test_a_wheel_has_no_place_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new, "checkout_root", lambda: None)
    with pytest.raises(UserError, match="checkout"):
        run("dataset", "my-shop")
