"""Hold results to the versions that they are declared under, by golden digests in tests/golden/.

  python tools/versions.py check
  python tools/versions.py bump codec uniform "halves are rounded up"
  python tools/versions.py record        # what is new, or whose version was raised by hand

A digest that changes needs another version: `bump` raises it in the card or in versions.toml, with what changed, and
records what comes of it now. Methods whose digest changed by a codec that they declare go with it: their identity has
its version. Nothing else is recorded anew.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from examples import EXAMPLES, Near, Outcome
from method_examples import method
from recpress import registry, versions
from recpress.backbones.catalogue import backbone, card_of
from recpress.core.cards import Versioned
from recpress.core.errors import UserError, unknown
from recpress.registry import OWN

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
METHOD = "method"
# Rooms whose things have a card of their own: from a name to the file that holds it, and what it says.
CARDS: dict[str, Callable[[str], tuple[Path, Versioned]]] = {
    METHOD: lambda name: (registry.method(name).folder / "card.toml", registry.method(name).card),
    "backbone": lambda name: (backbone(name).file, backbone(name).card),
}
HEADER = """\
# The version of everything that results rest on, beside methods and backbones, whose cards say theirs.
# `python tools/versions.py bump ROOM NAME "what changed"` raises one and adds its line to history.
# Metrics that are not named here have version 1.
"""

Thing = tuple[str, str]
Record = dict[str, Any]


def registered() -> dict[Thing, str]:
    """Return all that has a version, and why it can't be held to it ("" where it can)."""
    found: dict[Thing, str] = {}
    for room, (names, examples, _) in EXAMPLES.items():
        for name in names:
            found[room, name] = "" if name in examples else "has no example in tools/examples.py"
    for name, entry in registry.methods().items():
        if entry.source.label == OWN and entry.card.version is not None:
            found[METHOD, name] = "" if entry.card.codecs else "declares no codecs in its card"
    return found


def version(thing: Thing) -> int:
    """Return the declared version of something."""
    room, name = thing
    if room in CARDS:
        return CARDS[room](name)[1].version or 0
    if room == "metric":
        return versions.versions(room).get(name, 1)
    return versions.version(room, name)  # type: ignore[arg-type]  # A room.


def outcome(thing: Thing) -> Outcome:
    """Compute what comes of the examples of something, in one thread."""
    room, name = thing
    return method(name) if room == METHOD else EXAMPLES[room][2](name)


# The files.


def read() -> dict[Thing, Record]:
    """Return what is recorded."""
    files = sorted(GOLDEN.glob("*.json"))
    return {
        (file.stem, name): made
        for file in files
        if file.stem in (METHOD, *EXAMPLES)
        for name, made in json.loads(file.read_text(encoding="utf-8")).items()
    }


def write(records: dict[Thing, Record]) -> None:
    """Write what is recorded, a file for each room."""
    for room, things in groupby(sorted(records), key=lambda thing: thing[0]):
        made = {name: records[room, name] for _, name in things}
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / f"{room}.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def recorded(thing: Thing, made: Outcome) -> Record:
    """Return what is recorded of an outcome."""
    facts = {name: fact if isinstance(fact, str) else _packed(fact) for name, fact in made.facts.items()}
    why = {"differs_by_processor": made.why} if made.why else {}
    return {"version": version(thing), "rests_on": sorted(map(" ".join, made.rests)), **why, "facts": facts}


def _packed(fact: Near) -> Record:
    kinds = {"f4": "<f4", "f8": "<f8", "i8": "<i2"}
    kind = kinds[fact.values.dtype.str[1:]]
    # Scores of methods and backbones are rounded to halves already.
    if kind == "<f4" and (fact.values.astype("<f2") == fact.values).all():
        kind = "<f2"
    values = base64.b64encode(np.ascontiguousarray(fact.values, kind).tobytes()).decode("ascii")
    return {"within": fact.within, "type": kind, "shape": list(fact.values.shape), "values": values}


def _unpacked(packed: Record) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(packed["values"]), packed["type"]).reshape(packed["shape"])


def differs(made: Outcome, before: Record) -> bool:
    """Return whether a fact isn't as recorded. Examples that are new or gone change nothing."""
    known = before["facts"]
    return any(_far(made.facts[name], known[name]) for name in made.facts.keys() & known.keys())


def _far(fact: str | Near, was: str | Record) -> bool:
    if isinstance(fact, Near) and not isinstance(was, str):
        return fact.far(_unpacked(was))
    return fact != was


class Standing:
    """How all that has a version stands to what is recorded of it.

    Attributes
    ----------
    known : dict
        What is recorded.
    outcomes : dict
        What came of each thing now.
    faults : list of str
        Of what can't be held to its version.
    raised : set
        What has another version than the recorded one.
    changed : set
        What gives other results under the same version.
    untold : set
        What is new or has other examples, and gives the same results.
    gone : set
        What is recorded and no longer registered.
    """

    def __init__(self) -> None:
        told = registered()
        self.known = read()
        self.faults = [f"{said([thing])} {fault}." for thing, fault in told.items() if fault]
        self.outcomes = {thing: outcome(thing) for thing, fault in told.items() if not fault}
        both = self.outcomes.keys() & self.known.keys()
        self.raised = {thing for thing in both if self.known[thing]["version"] != version(thing)}
        self.changed = {thing for thing in both - self.raised if differs(self.outcomes[thing], self.known[thing])}
        same = {thing for thing in both if self.outcomes[thing].facts.keys() == self.known[thing]["facts"].keys()}
        self.untold = self.outcomes.keys() - same - self.raised - self.changed
        self.gone = self.known.keys() - told.keys()


# What is wrong, in sentences.


def said(things: Iterable[Thing]) -> str:
    """Return things in words: "codec uniform and methods qat, uniform"."""
    rooms = defaultdict(list)
    for room, name in sorted(things):
        rooms[room].append(name)
    parts = [f"{room}{'s' if len(names) > 1 else ''} {', '.join(names)}" for room, names in rooms.items()]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def roots(things: Iterable[Thing], outcomes: dict[Thing, Outcome]) -> list[Thing]:
    """Return those of the changed things that rest on no other of them."""
    changed = set(things)
    return sorted(thing for thing in changed if not outcomes[thing].rests & changed)


def complaint(things: set[Thing], outcomes: dict[Thing, Outcome]) -> str:
    """Return the sentence about things that changed without a version."""
    numbers = {version(thing) for thing in things}
    whose = f"their version {numbers.pop()} did" if len(numbers) == 1 else "their versions did"
    if len(things) == 1:
        whose = whose.replace("their", "its")
    commands = [
        f'`python tools/versions.py bump {room} {" ".join(name for _, name in names)} "what changed"`'
        for room, names in groupby(roots(things, outcomes), key=lambda thing: thing[0])
    ]
    gives = "gives" if len(things) == 1 else "give"
    return f"{said(things)} {gives} other results than {whose}: {', then '.join(commands)} (or undo it)."


def check() -> list[str]:
    """Return what doesn't fit together: nothing where all results are those of their versions."""
    now = Standing()
    found = now.faults
    if now.changed:
        found.append(complaint(now.changed, now.outcomes))
    for things, what in ((now.raised | now.untold, "not recorded as declared"), (now.gone, "gone")):
        if things:
            verb = "is" if len(things) == 1 else "are"
            found.append(f"{said(things)} {verb} {what}: `python tools/versions.py record`.")
    return found


# Raising and recording.


def record(*, partly: bool = False) -> list[str]:
    """Record what is new or has another version, and what changed by it; return what must be bumped first.

    Parameters
    ----------
    partly : bool
        Record also where something else changed, too; by default nothing is recorded then.
    """
    now = Standing()
    by_others = {thing for thing in now.changed if now.outcomes[thing].rests & now.raised}
    left = now.changed - by_others
    if not left or partly:
        kept = {thing: made for thing, made in now.known.items() if thing not in now.gone}
        anew = now.raised | now.untold | by_others
        write(kept | {thing: recorded(thing, now.outcomes[thing]) for thing in anew})
    return [*now.faults, *([complaint(left, now.outcomes)] if left else [])]


def bump(room: str, names: list[str], what: str) -> list[str]:
    """Raise versions and record what comes of them."""
    things = [(room, name) for name in names]
    for _, name in things:
        known = [each for place, each in registered() if place == room]
        if name not in known:
            raise unknown(room, name, known)
    for thing in things:
        raise_version(thing, what)
    return record(partly=True)


def raise_version(thing: Thing, what: str) -> None:
    """Write the next version of something, and what it changes, where it declares it."""
    room, name = thing
    number = version(thing) + 1
    line = f"{number}: {what}"
    if room in CARDS:
        path, card = CARDS[room](name)
        history = [*card.history, line]
        text = re.sub(r"^history = \[.*?\]\n", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        declared = f"version = {number}\n{_history(history)}"
        path.write_text(re.sub(r"^version = \d+\n", lambda _: declared, text, count=1, flags=re.M), encoding="utf-8")
        card_of.cache_clear()
        return
    all_of_them = versions.declared().model_dump()
    entry = all_of_them[room].setdefault(name, {"version": 1, "history": ()})
    entry["version"], entry["history"] = number, [*entry["history"], line]
    blocks = [
        f"[{place}.{each}]\nversion = {said['version']}\n{_history(said['history'])}"
        for place, things in all_of_them.items()
        for each, said in sorted(things.items())
    ]
    versions.FILE.write_text("\n".join([HEADER, *blocks]), encoding="utf-8")
    versions.declared.cache_clear()


def _history(lines: Iterable[str]) -> str:
    quoted = [f"  {json.dumps(line, ensure_ascii=False)},\n" for line in lines]
    return f"history = [\n{''.join(quoted)}]\n" if quoted else ""


def main() -> int:
    """Do what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check", help="compute all digests and compare them")
    verbs.add_parser("record", help="record what is new or was raised; refused where results changed without that")
    bumped = verbs.add_parser("bump", help="raise versions, with what changed, and record their digests")
    bumped.add_argument("room", choices=[METHOD, *EXAMPLES])
    bumped.add_argument("names", nargs="+", metavar="name")
    bumped.add_argument("what", help="what changed, in a line")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        if options.verb == "bump":
            found = bump(options.room, options.names, options.what)
        else:
            found = check() if options.verb == "check" else record()
    except UserError as error:
        found = [str(error)]
    print("\n".join(found) or "All results are those of their versions.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
