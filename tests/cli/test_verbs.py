"""The verbs: at most twenty, their old spellings, and what their messages say."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from recpress.cli import VERBS, cli
from recpress.cli.shared.moved import MOVED, present
from recpress.cli.shared.output import as_json, command_line
from recpress.core.errors import UserError

FOLDER = Path(__file__).resolve().parents[2] / "benchmark" / "recpress" / "cli"


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def commands(group: click.Group, *path: str) -> dict[tuple[str, ...], click.Command]:
    found: dict[tuple[str, ...], click.Command] = {}
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            found[(*path, name)] = command
            if isinstance(command, click.Group):
                found |= commands(command, *path, name)
    return found


ALL = commands(cli)


def test_there_are_at_most_twenty_verbs_and_no_more_modules() -> None:
    assert len(VERBS) <= 20
    assert len(list(FOLDER.glob("*.py"))) <= 20
    listed = run("--help").output.partition("Verbs:")[2]
    assert not [old for old in MOVED if f"\n  {old} " in listed]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_command_shows_examples_that_parse(path: tuple[str, ...]) -> None:
    told = " ".join((ALL[path].help or "").split())
    examples = [line.strip() for line in (ALL[path].help or "").splitlines() if line.strip().startswith("recpress ")]
    assert examples, told
    assert any(shlex.split(each)[1 : len(path) + 1] == list(path) for each in examples)
    for example in examples:
        parse(shlex.split(example)[1:])


def parse(words: list[str]) -> None:
    """Parse a command line as click does before it calls a command."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        context = click.Context(found, info_name=name, parent=context)
        command = found
    command.parse_args(context, list(words))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["fit", "--out", "x"], ["compress", "--out", "x"]),
        (["status", "--suite", "core"], ["results", "status", "--suite", "core"]),
        (["regress", "--base", "main"], ["results", "diff", "--base", "main"]),
        (["rerun", "--sample", "3"], ["results", "reproduce", "--sample", "3"]),
        (["rescore"], ["results", "rescore"]),
        (["retry", "--failed", "--jobs", "2"], ["run", "--retry-failed", "--jobs", "2"]),
        (["retry", "--status", "timeout"], ["run", "--retry-failed", "--status", "timeout"]),
        (["cache", "ls"], ["doctor", "cache", "ls"]),
        (["measure", "uniform"], ["time", "kernels", "uniform"]),
        (["check", "results", "--base", "main"], ["results", "check", "--base", "main"]),
        (["check", "--format", "json", "results"], ["results", "check", "--format", "json"]),
        (["check", "uniform", "--results", "results"], ["check", "uniform", "--results", "results"]),
    ],
)
def test_an_old_spelling_is_the_new_one(old: list[str], new: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert present(old) == new
    said = capsys.readouterr().err
    assert (said == "") == (old == new)
    assert said.count("\n") == (old != new)


def test_an_old_verb_says_so_and_runs() -> None:
    done = run("cache", "ls")
    assert done.exit_code == 0
    assert done.stderr == "`recpress cache` is now `recpress doctor cache`.\n"
    assert done.stdout == run("doctor", "cache", "ls").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--dataset", "ml-100k", "--method", "svd", "--budget", "1/8", "--param", "rank=3"), "not both"),
        (("run", "--suite", "quick", "--status", "timeout"), "--retry-failed"),
        (("run", "--retry-failed", "--method", "svd"), "choose with --status"),
        (("new", "method", "mine", "--family", "quantisation"), "did you mean 'quantization'"),
        (("results", "statsu"), "did you mean 'status'"),
    ],
)
def test_a_mistake_is_one_sentence(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        run(*words)


def test_a_command_is_pasted_as_it_is_printed() -> None:
    printed = command_line("recommend", Path("a b"), "--user", "Müller, Jörg 0")
    assert shlex.split(printed) == ["recpress", "recommend", "a b", "--user", "Müller, Jörg 0"]
    assert "Müller" in printed


@pytest.mark.parametrize("text", ["Müller, Jörg 0", "日本", "😀", "\u202eevil", "\x1b[31m", "\ud800", "\u2028", "\x9b"])
def test_json_keeps_letters_and_obeys_nobody(text: str) -> None:
    written = as_json({"user": text})
    assert json.loads(written) == {"user": text}
    letters = text[0].isalpha() or text == "😀"
    assert (text in written) == letters


def test_a_broken_card_of_a_plugin_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "quantization" / "broken_one"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text("title = \n")
    (folder / "method.py").write_text("")
    done = CliRunner().invoke(cli, ["--plugin-dir", str(tmp_path), "list", "methods"], env={"RECPRESS_PLUGINS": ""})
    assert done.exit_code == 0
    assert "uniform" in done.stdout
    assert "broken_one" not in done.stdout
    assert "recpress: broken_one is left out: " in done.stderr


def test_a_retry_of_a_folder_takes_what_went_wrong_alone(tmp_path: Path) -> None:
    done = run("run", "--retry-failed", "--dry-run", "--results", str(tmp_path))
    assert done.stdout == "0 to run.\n"


@pytest.mark.parametrize("budget", ["1/8", "0.125", "2/16"])
def test_equal_budgets_are_one_run(budget: str) -> None:
    done = run("run", "--dataset", "ml-100k", "--method", "uniform", "--budget", budget, "--budget", "1/8", "--dry-run")
    assert done.stdout.startswith("1 runs, 1 done, 0 to run.")
