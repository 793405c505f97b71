"""The command line: one module per verb, imported only when that verb is called."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from recpress import __version__
from recpress.cli.shared.groups import LazyGroup
from recpress.cli.shared.moved import present
from recpress.core.errors import UserError
from recpress.core.paths import PLUGINS
from recpress.core.printable import printable

# Work that is stopped by these ends as Ctrl-C ends it: nothing half written, no process or scratch folder left.
STOPPING = (signal.SIGTERM, signal.SIGHUP)
# What a disk, a folder or a name refuses: the user's to mend, and no fault of the program.
PLAIN = frozenset(
    (
        errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
        errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
    )
)  # fmt: skip
VERBS = {
    "demo": ("recpress.cli.demo", "The whole path on real data: fetch, quick suite, table, site."),
    "list": ("recpress.cli.list_", "List what is registered: data sets, backbones, methods, suites."),
    "info": ("recpress.cli.info", "Show a data set: card, statistics, split hashes."),
    "fetch": ("recpress.cli.fetch", "Fetch the raw files of a data set, checked."),
    "train": ("recpress.cli.train", "Train a backbone with its training config, and print how it ranks."),
    "tune": ("recpress.cli.tune", "Search for the training config of a backbone that ranks best on valid."),
    "run": ("recpress.cli.run", "Run a suite, or single runs, and write their records."),
    "time": ("recpress.cli.time_", "Time what this machine has not timed: latency, energy, memory."),
    "show": (
        "recpress.cli.show",
        "Print the results: a summary, or row by row.",
    ),
    "compare": ("recpress.cli.compare", "Compare runs with a baseline, paired by user."),
    "explain": ("recpress.cli.explain", "Explain a score by the user's history, before and after compressing."),
    "site": ("recpress.cli.site", "Build the leaderboard: static pages that open from a file."),
    "results": (
        "recpress.cli.results",
        "Look after a results folder: status, check, diff, reproduce.",
    ),
    "compress": ("recpress.cli.compress", "Train and compress one recommender, and save it as a folder."),
    "recommend": ("recpress.cli.recommend", "Recommend items to users, from a saved folder or a run."),
    "new": ("recpress.cli.new", "Make a method or a data set to start from."),
    "check": ("recpress.cli.check", "Check methods and data sets against their contracts."),
    "submit": ("recpress.cli.submit", "Check, run and bundle a method for a pull request."),
    "score": ("recpress.cli.score", "Measure an artefact that was made elsewhere, in any language."),
    "doctor": ("recpress.cli.doctor", "Show the machine and what it lacks; look after the cache."),
}


class Verbs(LazyGroup):
    """The verbs."""

    table = VERBS
    kind = "verb"

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; click would end the program with 1, as if something had been found, where nobody reads on."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _end(None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, also by the name that it had."""
        return super().resolve_command(ctx, present(args))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="recpress")
@click.option(
    "--plugin-dir",
    "plugins",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    multiple=True,
    envvar=PLUGINS,
    show_envvar=True,
    help="Folder with your own methods, as FAMILY/NAME/card.toml and method.py; may be repeated.",
)
def cli(plugins: tuple[Path, ...]) -> None:
    """Benchmark compressed graph recommenders: run, submit, track.

    \b
    Start here:
      recpress demo            real MovieLens-100K, a table and a page
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
        click.echo("recpress: stopped. Finished work is saved: the same command continues from here.", err=True)
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
