"""The columns of the board: name, unit, how a figure is written, and what it means in one sentence.

The terminal's tables, the exports and the site all read this one list.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from recpress.headline import COLUMN, HEADLINE, SECOND, column_of
from recpress.metrics import LABEL, help_of, label_of, metric_of

Better = Literal["high", "low"]


@dataclass(frozen=True)
class Column:
    """One column of the board.

    Parameters
    ----------
    key : str
        Name in data frames and exports.
    label : str
        Name in headings.
    help : str
        One sentence for the reader.
    unit : str
        Unit in headings; empty for a pure number or text.
    decimals : int or None
        Decimals of a number; None for text.
    significant : bool
        Write that many significant digits instead of decimals.
    better : {"high", "low"} or None
        Which end is good.
    headline : bool
        Shown without being asked for.
    timed : bool
        Belongs to one machine: its figures change with the machine whose timings are shown.
    """

    key: str
    label: str
    help: str
    unit: str = ""
    decimals: int | None = None
    significant: bool = False
    better: Better | None = None
    headline: bool = True
    timed: bool = False

    @property
    def heading(self) -> str:
        """Label with unit."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label

    def text(self, value: float, sd: float = math.nan) -> str:
        """Write a figure, with its standard deviation where there is one; unknown is an en dash."""
        if self.decimals is None:
            raise TypeError(f"column {self.key} holds text")
        if math.isnan(value):
            return "–"
        places = significant_places(value, self.decimals) if self.significant else self.decimals
        written = f"{value:,.{places}f}"
        spread = f"{sd:.{places}f}"
        # A spread that rounds to nothing says nothing: the figure is the same for every seed.
        return written if math.isnan(sd) or float(spread) == 0 else f"{written} ± {spread}"


def significant_places(value: float, digits: int) -> int:
    """Return the decimals that show so many significant digits of a value (none for large ones)."""
    if value == 0:
        return digits - 1
    return min(max(digits - 1 - math.floor(math.log10(abs(value))), 0), 9)


# From the weakest to the strongest.
TIERS: Final = {
    "self-reported": "The record alone, and a check of the results folder finds something wrong with it.",
    "checked": "Nothing was run again. Its place, split and machine are known. It agrees with its method's card, and "
    "its figures agree with each other: bytes with their breakdown, energy with the bytes read, retention with fp32.",
    "re-scored": "Every metric was computed again from the served lists and is the same.",
    "re-run": "Run again by the maintainers on the same machine: quality and bytes are equal to the last digit, and "
    "the intervals of the ratios to fp32 overlap, once widened by the spread between two runs there.",
    "re-run elsewhere": "Run again on another machine: quality and bytes are equal to the last digit.",
}
SELF_REPORTED: Final = next(iter(TIERS))

# What a record says of it, in words.
ISOLATED: Final = {True: "yes", False: "no", None: ""}

TEXT = (
    Column("dataset", "Dataset", "The data set, with one fixed split."),
    Column("backbone", "Backbone", "The uncompressed recommender that was compressed."),
    Column("method", "Method", "How the backbone was compressed."),
    Column("variant", "Variant", "The byte budget (a fraction of the dense fp32 tables), or the fixed parameters."),
    Column("family", "Family", "The kind of compression.", headline=False),
    Column(
        "division",
        "Division",
        "closed: transforms the frozen backbone; open: it trains; reference: what others are compared with.",
        headline=False,
    ),
    Column(
        "serve_form",
        "Serve form",
        "What is stored: final vectors (table), base vectors with the graph (graph), or a function of ids.",
        headline=False,
    ),
    Column("protocol", "Protocol", "standard: tuned on valid; paper: as the published figures.", headline=False),
    Column(
        "tier",
        "Tier",
        "How far it was checked or reproduced: self-reported, checked, re-scored from stored lists, re-run by "
        "maintainers, re-run elsewhere. Of several seeds, the lowest counts.",
        headline=False,
    ),
    Column(
        "machine",
        "Machine",
        "The machine that the times belong to, by its fingerprint.",
        headline=False,
        timed=True,
    ),
    Column(
        "developed",
        "Developed here",
        "yes (†): the method was developed while looking at this set's test scores, so its rows here confirm nothing.",
        headline=False,
    ),
    Column(
        "doubtful",
        "Flagged for review",
        f"(‡): a closed method retains more than compressing explains, or {LABEL} lies far above every uncompressed "
        "model and reference of the set. It may be noise, or test items that the method has seen.",
        headline=False,
    ),
    Column(
        "isolated",
        "Isolated",
        "Whether the operating system confined the run's processes. Where it didn't, nothing kept the method from "
        "reading test. Empty for runs that are older than this mark.",
        headline=False,
    ),
    Column("status", "Status", "ok, or why there are no figures: a failed run is a row, never a gap."),
    Column("reason", "Reason", "What went wrong, where something did.", headline=False),
)


def _of_metric(name: str) -> Column:
    return Column(column_of(name), label_of(name), help_of(name), decimals=4, better=metric_of(name).better)


NUMBERS = (
    _of_metric(HEADLINE),
    Column(
        "retained",
        "Retained",
        f"{LABEL} as a share of what the same backbone reaches uncompressed; 100 % is no loss.",
        unit="%",
        decimals=1,
        better="high",
    ),
    Column(
        "of_best",
        "Of the best model",
        f"{LABEL} as a share of what the best uncompressed model of the data set reaches, whatever its backbone.",
        unit="%",
        decimals=1,
        better="high",
        headline=False,
    ),
    _of_metric(SECOND),
    Column(
        "mb",
        "Size",
        "All bytes of the artefact on disk, in millions: what a server must download.",
        unit="MB",
        decimals=3,
        significant=True,
        better="low",
    ),
    Column(
        "smaller",
        "Smaller",
        "Bytes of the dense fp32 tables over the bytes of the artefact; below 1 it grew.",
        unit="×",
        decimals=2,
        better="high",
    ),
    Column(
        "single_ms",
        "Single",
        "Median time to find the top items for one user, on the chosen machine.",
        unit="ms",
        decimals=3,
        significant=True,
        better="low",
        timed=True,
    ),
    Column(
        "single_ratio",
        "Single vs fp32",
        "That time over the dense fp32 time, measured in turn in one process; below 1 is faster.",
        unit="×",
        decimals=2,
        better="low",
        timed=True,
    ),
    Column(
        "batch_ms",
        "Batch",
        "Median time to find the top items for 256 users at once, on the chosen machine.",
        unit="ms",
        decimals=3,
        significant=True,
        better="low",
        timed=True,
    ),
    Column(
        "batch_ratio",
        "Batch vs fp32",
        "That time over the dense fp32 time, measured in turn in one process; below 1 is faster.",
        unit="×",
        decimals=2,
        better="low",
        timed=True,
    ),
    Column(
        "analytic_mj",
        "Energy, analytic",
        "Energy of one query from operations and bytes moved times a published table; the same on every machine.",
        unit="mJ",
        decimals=3,
        significant=True,
        better="low",
    ),
    Column(
        "modelled_mj",
        "Energy, modelled",
        "Energy of one query from time and a power model; never compare it with the other grades.",
        unit="mJ",
        decimals=3,
        significant=True,
        better="low",
        headline=False,
        timed=True,
    ),
    Column(
        "measured_mj",
        "Energy, measured",
        "Energy of one query from hardware counters, idle power subtracted.",
        unit="mJ",
        decimals=3,
        significant=True,
        better="low",
        headline=False,
        timed=True,
    ),
    Column(
        "compress_s",
        "Compressing",
        "Time to compress, without training the backbone, on the machine that did it.",
        unit="s",
        decimals=3,
        significant=True,
        better="low",
        headline=False,
    ),
    Column(
        "nonzero",
        "Non-zero",
        "Parameters that are not zero. Papers often call this the size; it is not the bytes.",
        unit="M",
        decimals=3,
        significant=True,
        headline=False,
    ),
)

# 95 % intervals: they are shown with their figure, not as columns of their own.
INTERVALS = {
    "retained": ("retained_low", "retained_high"),
    "of_best": ("of_best_low", "of_best_high"),
    "single_ratio": ("single_low", "single_high"),
    "batch_ratio": ("batch_low", "batch_high"),
}
# What the pages' scripts get by machine, beside the columns that belong to one.
NOISY: Final = ("single_noisy", "batch_noisy")
# Figures of the pages without scripts: what fits a page's width.
PAGE = (COLUMN, "retained", "mb", "smaller", "single_ms", "single_ratio", "batch_ratio", "analytic_mj")
COLUMNS = {column.key: column for column in (*TEXT, *NUMBERS)}
