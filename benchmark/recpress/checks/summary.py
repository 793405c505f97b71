"""Results of checks of a method or a data set (*file: expectation: fix*), and what each check expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recpress.core.paths import checkout_root

State = Literal["passed", "failed", "flagged", "skipped"]


@dataclass(frozen=True)
class Promise:
    """Expectation of one check: the file, what must hold, and the fix."""

    file: str
    expects: str
    fix: str


METHOD, CARD = "method.py", "card.toml"
PROMISES: Mapping[str, Promise] = {
    # The files of a method.
    "card-is-toml": Promise(CARD, "the card is valid TOML", "fix the syntax"),
    "card-complete": Promise(
        CARD,
        "every field of the card is there, known and of the right type",
        "benchmark/docs/how-to/add-a-method.md shows one",
    ),
    "licence-named": Promise(
        CARD,
        "the licence of the code is an SPDX expression",
        'give it as https://spdx.org/licenses does: license = "MIT"',
    ),
    "code-there": Promise(METHOD, "method.py holds Python", "fix the syntax, or add the file"),
    "only-code": Promise(
        ".", "a method's folder holds a card and code, no data", "remove it: a method makes all it needs from its task"
    ),
    "public-imports": Promise(
        METHOD,
        "of this project, a method imports recpress.api, .codecs, .backbones and .compression alone",
        "take what you need from those; data comes with the task",
    ),
    # What the module does when it is imported.
    "imports": Promise(METHOD, "the module can be imported and defines one Method", "fix the error that is raised"),
    "imports-quickly": Promise(
        METHOD,
        "importing the module takes less than 3 s, without the libraries that it imports",
        "do slow work in compress",
    ),
    "imports-alone": Promise(
        METHOD, "importing reads, writes and starts nothing and connects to nothing", "do nothing at module level"
    ),
    # Its parameters.
    "params-documented": Promise(
        METHOD, "every parameter has a default and a description", "Field(default, ge=…, le=…, description=…)"
    ),
    "params-ranged": Promise(METHOD, "every number has a range", "give Field a bound: ge, gt, le or lt"),
    "params-strict": Promise(
        METHOD, "parameters that there aren't are refused", 'leave `extra="forbid"` of api.Params as it is'
    ),
    # Its budget solver.
    "refuses-one-byte": Promise(
        METHOD, "params_for raises BudgetUnreachable for one byte", "let api.largest choose among candidates"
    ),
    "meets-budgets": Promise(
        METHOD,
        "what params_for chooses makes an artefact that is at most 2 % over its budget",
        "count every stored tensor in params_for, scales and codebooks too, or raise BudgetUnreachable",
    ),
    # How it compresses.
    "compresses": Promise(
        METHOD, "compress returns an Artefact with default parameters", "fix the error that is raised"
    ),
    "leaves-the-backbone": Promise(METHOD, "the frozen backbone's tensors stay as they are", "clone before writing"),
    "sees-train-alone": Promise(
        METHOD,
        "compress reads no file and loads no data set: all it may see is in its task",
        "use task.graph and task.backbone; methods get no test data",
    ),
    "writes-nothing": Promise(METHOD, "compress writes no file", "return what is stored as codecs of the Artefact"),
    "works-alone": Promise(
        METHOD, "compress connects to nothing, starts no process and leaves no thread", "do the work in compress itself"
    ),
    "prints-nothing": Promise(
        METHOD, "nothing is printed on the standard output", "report with task.progress; it is where results are piped"
    ),
    "leaves-the-process": Promise(
        METHOD,
        "threads, global seeds, environment and working folder are left as they were",
        "draw from task.generator, and set nothing that outlives compress",
    ),
    "repeats": Promise(
        METHOD, "one seed gives the same bytes, whatever was drawn before", "draw from task.generator alone"
    ),
    # What it makes.
    "known-codecs": Promise(
        METHOD,
        "the artefact is made of codecs of recpress.codecs: whoever serves it has no code of the method",
        "build it from those; a new codec goes to benchmark/recpress/codecs in the same pull request",
    ),
    "declares-its-codecs": Promise(
        CARD,
        "if the card declares codecs, artefacts use no others: their new versions outdate its results",
        "add what is missing to codecs, or leave codecs out and every codec counts",
    ),
    "right-shapes": Promise(
        METHOD, "the artefact has a row for every user and item", "encode a table of n_users and one of n_items rows"
    ),
    "finite-values": Promise(METHOD, "every value that is served is a finite number", "find where it divides by 0"),
    "reloads-alike": Promise(
        METHOD, "saved and loaded again, the artefact gives the same lists", "keep nothing outside the codecs' tensors"
    ),
    # The audits of the artefact, in processes without the method (recpress.checks.audit).
    "finishes": Promise(METHOD, "each stage ends by itself, with an answer", "fix what ends its process"),
    "served-without-it": Promise(
        METHOD, "a process that has no code of the method loads the artefact and answers", "store what it needs"
    ),
    "nothing-unclaimed": Promise(
        METHOD, "every byte of the artefact is one that its codecs name", "leave Artefact.save as it is"
    ),
    "breakdown-adds-up": Promise(METHOD, "the breakdown is every byte of the folder", "leave Artefact.save as it is"),
    "bits-as-claimed": Promise(
        METHOD, "a codec stores as many bits as it claims", "let encode set bits, and change no field afterwards"
    ),
    "same-bytes": Promise(
        METHOD, "two processes with one seed make identical files", "draw from task.generator; depend on no clock"
    ),
    "moves": Promise(METHOD, "in another folder the artefact answers the same", "keep no path in it"),
    "reads-only-itself": Promise(METHOD, "answering opens no file but the artefact", "store what answers need"),
    "stays-alone": Promise(METHOD, "answering connects to nothing and starts no process", "answer from the artefact"),
    "times-as-scored": Promise(METHOD, "the lists that are timed are those that are scored", "answer one way"),
    "keeps-no-answers": Promise(METHOD, "no answer is kept for the next time that it is asked", "remove the cache"),
    # A short run.
    "runs": Promise(
        METHOD, "a short run ends with figures, or says that the budget can't be met", "fix the error that is reported"
    ),
    "plausible": Promise(
        METHOD,
        "a short run ranks as well as compressing allows (recpress.records.plausible)",
        "a person looks for the cause: noise on a small set, or test items that the method has seen",
    ),
    # Data sets.
    "data-card-complete": Promise(
        CARD,
        "every field of the card is there, known and of the right type",
        "benchmark/docs/how-to/add-a-dataset.md shows one",
    ),
    "filled-in": Promise(
        CARD,
        "licence, citation, description and sources are the set's own",
        "replace what `recpress new` wrote; a licence that its owner doesn't state is 'not stated'",
    ),
    "homepage-there": Promise(CARD, "a page tells about the set", 'add homepage = "https://…"'),
    "sources-there": Promise(CARD, "each file can be fetched from somewhere", "name its official address in sources"),
    "checksums-there": Promise(
        CARD, "each file has a checksum or the split is pinned", "add checksums, or sha256 to [split]"
    ),
    "loads": Promise(
        CARD,
        "the set can be fetched and parsed, and is what its card says",
        "fix the card, or get the files",
    ),
    "parses-alike": Promise(CARD, "parsing twice gives the same ids and the same split", "sort what has no order"),
    "ids-consistent": Promise(
        CARD, "ids count from 0, one for each user and item of the file", "fix the parser, or [ids]"
    ),
    "parts-disjoint": Promise(
        CARD, "no interaction of valid or test is in train", "drop the repeated interactions, or fix the split"
    ),
    "test-there": Promise(CARD, "test holds interactions of users that have some in train", "choose another split"),
    "statistics-stated": Promise(CARD, "the card states users, items and interactions", "add [statistics]"),
    "split-pinned": Promise(CARD, "the card pins the hash of the split", "add it to [split]"),
}


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check.

    Attributes
    ----------
    check : str
        Its name, a key of `PROMISES`.
    state : {"passed", "failed", "flagged", "skipped"}
        Flagged for review; no failure.
    file : str
        From where the user stands, or from the root of the checkout; where something is to be done.
    line : int or None
    expects : str
        What the check expects.
    message : str
        What was found, and what to do; or why the check was skipped; of what passed, what there is to tell.
    """

    check: str
    state: State
    file: str = ""
    line: int | None = None
    expects: str = ""
    message: str = ""


def check_result(
    check: str,
    folder: Path,
    found: str | None,
    *,
    file: str = "",
    line: int | None = None,
    skipped: bool = False,
    flagged: bool = False,
    fix: str | None = None,
) -> CheckResult:
    """Make the result of a check of something's folder.

    Parameters
    ----------
    found : str or None
        What isn't as expected, or why the check was skipped; None: nothing.
    file : str
        The file in the folder, where it isn't the one of the check's promise.
    skipped : bool
    flagged : bool
        Findings are flagged for review.
    fix : str, optional
        What to do, where it isn't the fix of the check's promise.
    """
    promise = PROMISES[check]
    shown = _shown(folder / (file or promise.file))
    if found is None or skipped:
        return CheckResult(check, "skipped" if skipped else "passed", shown, None, promise.expects, found or "")
    state: State = "flagged" if flagged else "failed"
    return CheckResult(check, state, shown, line, promise.expects, f"{found}; {fix or promise.fix}")


def _shown(path: Path) -> str:
    root = checkout_root()
    return str(path.relative_to(root) if root and path.is_relative_to(root) else path)
