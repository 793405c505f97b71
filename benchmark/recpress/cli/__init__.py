"""The command line: one module per verb, imported only when that verb is called."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from recpress import __version__
from recpress.errors import UserError, unknown
from recpress.paths import PLUGINS
from recpress.printable import printable

# Work that is stopped by these ends as Ctrl-C ends it: nothing half written, no process or scratch folder left.
STOPPING = (signal.SIGTERM, signal.SIGHUP)
# What a disk, a folder or a name refuses: the user's to mend, and no fault of the program.
PLAIN = frozenset(
    (
        errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
        errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
    )
)  # fmt: skip
# Verb: (module, one line of help). The line stands here so that `recpress --help` imports no verb.
VERBS = {
    "demo": ("demo", "The whole path on real data: fetch, quick suite, table, site."),
    "list": ("list_", "List what is registered: datasets, backbones, methods, suites."),
    "info": ("info", "Show a data set: card, statistics, split hashes."),
    "fetch": ("fetch", "Fetch the raw files of a data set, checked."),
    "train": ("train", "Train a backbone by its recipe, and print how it ranks."),
    "tune": ("tune", "Search for a backbone's recipe on valid, and keep the log of trials."),
    "run": ("run", "Run a suite, or single cells, and write their records."),
    "time": ("time_", "Time what this machine has not timed: latency, energy and memory of each way to serve."),
    "fit": ("fit", "Train and compress one recommender, and keep it as a folder."),
    "recommend": ("recommend", "Recommend items to users, from a fitted folder or a cell."),
    "status": ("status", "Show how far a results folder, or a suite in it, has come."),
    "retry": ("retry", "Run cells again that went wrong."),
    "rescore": ("rescore", "Compute metrics again from what was served, without running."),
    "rerun": ("rerun", "Run randomly drawn cells again and compare them with their records."),
    "cache": ("cache", "List, check and clear what is cached: data, backbones, lists, logs."),
    "results": ("results", "Keep a results folder in order: rewrite records of older versions."),
    "show": ("show", "Print the results as a table, csv, json, markdown or latex."),
    "compare": ("compare", "Compare runs with a baseline, paired by user: what is kept, and how surely."),
    "explain": ("explain", "Take a score apart by the user's history, before and after compressing."),
    "site": ("site", "Build the leaderboard: static pages that open from a file."),
    "regress": ("regress", "Compare two sets of records: what a change made worse."),
    "new": ("new", "Make a method or a data set to start from."),
    "submit": ("submit", "Check, run and bundle a method for a pull request."),
    "score": ("score", "Measure an artefact that was made elsewhere, in any language."),
    "measure": ("measure", "Time kernels on a synthetic catalogue that fits no cache."),
    "check": ("check", "Check that a method keeps the contract, and audit its artefact."),
    "doctor": ("doctor", "Show the machine, and what each counter or library that it lacks costs."),
}


class Verbs(click.Group):
    """A group that imports a verb's module when the verb is called."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; click would end the program with 1, as if something had been found, where nobody reads on."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _end(None)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of a verb and return its command."""
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"recpress.cli.{VERBS[name][0]}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a word that isn't one is answered with the nearest that is."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            raise unknown("verb", args[0], VERBS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their one line of help, from the table alone."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, line) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="recpress")
@click.option(
    "--plugin-dir",
    "plugins",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    multiple=True,
    envvar=PLUGINS,
    show_envvar=True,
    help="Folder of methods of your own, FAMILY/NAME/ with card.toml and method.py; may be repeated.",
)
def cli(plugins: tuple[Path, ...]) -> None:
    """Benchmark compressed graph recommenders: run, submit, track.

    \b
    Start here:
      recpress demo            real MovieLens-100K, a table and a page in two minutes
      recpress list methods    what can be compared
    """
    if plugins:  # By the environment, where the processes that compress and serve find them as well.
        os.environ[PLUGINS] = os.pathsep.join(map(str, plugins))


def main() -> None:
    """Run the command line; the user's errors are one sentence and exit code 2, Ctrl-C is 130, SIGTERM 143."""
    for each in STOPPING:
        if signal.getsignal(each) is not signal.SIG_IGN:  # As nohup has it.
            signal.signal(each, _stop)
    try:
        ended = cli(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()  # Here, where a full disk can still be told.
        sys.exit(ended)
    except UserError as error:
        _end(str(error))
    except BrokenPipeError:
        _end(None)  # Whoever read has seen enough.
    except OSError as error:
        if error.errno not in PLAIN:
            raise
        where = error.filename2 or error.filename or "standard output"
        _end(f"{os.fsdecode(where) if not isinstance(where, int) else where} can't be used: {error.strerror}.")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("recpress: stopped; finished work is kept, the same command goes on from here.", err=True)
        sys.exit(130)


def _end(sentence: str | None) -> NoReturn:
    """End with exit code 2 and a sentence, whatever has become of standard output."""
    with suppress(OSError):
        if sentence is not None:
            click.echo(f"recpress: {printable(sentence)}", err=True)
    with suppress(OSError, ValueError):
        # What is still to be written there would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(2)


def _stop(number: int, frame: FrameType | None) -> None:
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)  # Once is enough: what follows only ends children.
    raise SystemExit(128 + number)
