"""A run of attacks: canaries that each way could do harm to, what it is told of them, and what became of them."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import canaries
import pytest
from canaries import SECRET
from checkouts import Checkout

from recpress.isolation import landlock
from recpress.records import record
from recpress.records.record import Record

kernel_holds = pytest.mark.skipif(
    landlock.version() < 6, reason=f"the kernel's Landlock is version {landlock.version()}, and they need 6"
)
TOKEN = "canary-of-the-tests"
# Of the first core that runs may use here.
GATE = f"gate-{min(os.sched_getaffinity(0))}.lock"
# Of System V, the first of several.
NUMBER = 0x7265_6370
# Attacks that share a cell.
TOGETHER = 14
# Where somebody's files may lie.
FOLDERS = ("home", "data", "cache", "results", "per-user", "temporary", "file", "code")
# Loads the set once, as a run does, writes its test labels, and tells which file numba keeps a kernel's index in.
BEFORE = """
import sys
import numpy as np
from recpress.data import load
from recpress.evaluation import _hits

test = load("synthetic-tiny").split.test
users = np.repeat(np.arange(test.n_users), np.diff(test.indptr))
np.save(sys.argv[1], np.stack([users, test.items], axis=1).astype(np.int64))
print(_hits._mark._cache._cache_file._index_path)
"""
# Runs what could have been spoiled: a kernel, a module of the package, a module of a method.
AFTER = """
import numpy as np
import recpress.core.errors
import recpress.methods.attackers.bystander.method
from recpress.data.interactions import UserItems
from recpress.evaluation import _hits

test = UserItems.from_pairs(np.zeros(1, np.int64), np.zeros(1, np.int64), 1, 4)
_hits.find(np.array([[0, 1]], np.int32), np.zeros(1, np.int64), test)
"""
# A set whose file lies at a server.
CARD = """
title = "Served"
domain = "content"
task = "user-item"
description = "A set whose file a test serves."
license = "CC0-1.0"
redistribution = true
citation = "none: generated"

[[files]]
role = "interactions"
name = "served.txt"
format = "pairs"
checksums = ["sha256:{sha256}"]
sources = ["http://{address}/served.txt"]

[split]
protocol = "random-per-user"
valid = 0.1
test = 0.1
seed = 0
"""

# A way, and what it is tried on.
Attack = tuple[str, str]


@dataclass
class Placed:
    """Canaries in and around a checkout, one for each way that could do harm to it."""

    checkout: Checkout
    servers: canaries.Servers
    labels: bytes
    index: str
    stack: ExitStack
    _states: dict[Attack, Callable[[], object]] = field(default_factory=dict)
    _before: dict[Attack, object] = field(default_factory=dict)

    def place(self, way: str, what: str) -> str:
        """Put up what a way is tried on; return what it is told of it."""
        fixed = self._fixed().get(what)
        if fixed is not None or what.startswith("AF_"):
            return what if fixed is None else fixed
        told, state = self._file(way, what) if what in FOLDERS else self._new(way, what)
        self._states[way, what], self._before[way, what] = state, state()
        return told

    def harmed(self) -> dict[Attack, tuple[object, object]]:
        """Return what has come to harm, as it was and as it is."""
        now = {attack: state() for attack, state in self._states.items()}
        return {attack: (self._before[attack], found) for attack, found in now.items() if found != self._before[attack]}

    def _fixed(self) -> dict[str, str]:
        return {
            "": "",
            "set": "synthetic-tiny",
            "served set": "served",
            "host": "127.0.0.1",
            "token": TOKEN,
            "address": self.servers.address,
            "path": self.servers.path,
            "name": self.servers.name,
            "@name": f"@{self.servers.name}",
            "datagrams": self.servers.datagrams,
            "passwd": "/etc/passwd",
            "lock": str(
                self.checkout.temporary / f"recpress-{getpass.getuser()}" / f"gate-{min(os.sched_getaffinity(0))}.lock"
            ),
            "parsed": str(self.checkout.cache / "parsed" / "synthetic-tiny"),
        }

    def _file(self, way: str, what: str) -> tuple[str, Callable[[], object]]:
        folder = folder_of(self.checkout, what)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{way}.npy"
        path.write_bytes(self.labels if way == "read" else SECRET)
        told = folder if way in ("lists", "links_to_a_folder") else path
        return str(told), lambda: canaries.state_of_file(path)

    def _new(self, way: str, what: str) -> tuple[str, Callable[[], object]]:
        missing = folder_of(self.checkout, "file") / f"{way}-{what}"
        mark = f"recpress-test-{os.getpid()}-{way}"
        match what:
            case "missing":
                return str(missing), missing.exists
            case "kernel":
                return f"{self.index}{os.pathsep}{missing}", missing.exists
            case "package":
                module = self.checkout.root / "benchmark" / "recpress" / "core" / "errors.py"
                return f"{module}{os.pathsep}{missing}", missing.exists
            case "method":
                module = folder_of(self.checkout, "code").parent / "bystander" / "method.py"
                return f"{module}{os.pathsep}{missing}", missing.exists
            case "folder" | "code folder":
                folder = folder_of(self.checkout, "file" if what == "folder" else "code") / f"{way}-folder"
                folder.mkdir()
                return str(folder), lambda: sorted(each.name for each in folder.iterdir())
            case "process":
                process = self.stack.enter_context(canaries.asleep(TOKEN))
                return str(process.pid), lambda: canaries.state_of(process)
            case "memory" | "name of memory":
                path = self.stack.enter_context(canaries.shared(mark, self.labels if way == "read" else SECRET))
                return str(path) if what == "memory" else mark, lambda: canaries.state_of_file(path)
            case "new memory" | "name of new memory":
                path = Path("/dev/shm") / mark
                self.stack.callback(path.unlink, missing_ok=True)
                return str(path) if what == "new memory" else mark, path.exists
            case "terminal":
                return self.stack.enter_context(canaries.terminal())
            case "number":
                number = NUMBER + len(self._states)
                return str(number), lambda: canaries.system_v_left(number)
            case "queue":
                return f"/{mark}", lambda: canaries.queue_left(f"/{mark}")
            case "key":
                return mark, lambda: canaries.key_left(mark)
        raise KeyError(what)


def folder_of(checkout: Checkout, what: str) -> Path:
    """Return where files lie, by whose they are."""
    return {
        "home": checkout.root / "home",
        "data": checkout.root / "data",
        "cache": checkout.cache / "per-user",
        "results": checkout.root / "attacks" / "per-user",
        "per-user": checkout.root / "results" / "per-user",
        "temporary": checkout.temporary,
        "file": checkout.root / "outside",
        "code": checkout.root / "methods" / "attackers" / "attacker",
    }[what]


@dataclass(frozen=True)
class Done:
    """What a run of attacks left.

    Attributes
    ----------
    said : dict
        How each attack went that shared a cell with others.
    records : dict
        By way, by way to labels, and by what that was tried on.
    harmed : dict
        What has come to harm, as it was and as it is.
    reached : list of str
        The servers of the test that somebody asked.
    """

    checkout: Checkout
    said: dict[Attack, str]
    records: dict[tuple[str, str, str], Record]
    harmed: dict[Attack, tuple[object, object]]
    reached: list[str]
    stdout: str
    stderr: str

    def of(self, way: str, what: str) -> Record:
        """Return the record of an attack that had a cell of its own."""
        return self.records[way, "", what]

    def knowing(self, way: str, what: str) -> Record:
        """Return the record of a method that wants labels by a way."""
        return self.records["honest", way, what]


@contextmanager
def placed(checkout: Checkout) -> Iterator[Placed]:
    """Give a place for canaries; all that they need ends with the ``with`` block."""
    for what in FOLDERS:
        folder_of(checkout, what).mkdir(parents=True, exist_ok=True)
    checkout.variables |= {
        "HOME": str(folder_of(checkout, "home")),
        "RECPRESS_DATA": str(folder_of(checkout, "data")),
        "CANARY": TOKEN,
    }
    labels = folder_of(checkout, "code") / "labels.npy"
    index = checkout.python(BEFORE, str(labels)).strip()
    # Python makes this folder for whoever imports a module, unless it is told to compile nothing.
    for module in ("benchmark/recpress/core/errors.py", "methods/attackers/bystander/method.py"):
        (checkout.root / module).with_name("__pycache__").mkdir(exist_ok=True)
    with ExitStack() as stack:
        servers = stack.enter_context(canaries.servers(folder_of(checkout, "file"), labels.read_bytes()))
        card = checkout.root / "datasets" / "served" / "card.toml"
        card.parent.mkdir()
        card.write_text(CARD.format(address=servers.address, sha256=sha256(canaries.SET).hexdigest()))
        yield Placed(checkout, servers, labels.read_bytes(), index, stack)


def attacked(checkout: Checkout, brief: Sequence[Attack], attacks: Sequence[Attack], labels: Sequence[Attack]) -> Done:
    """Try all attacks and all ways to labels in one run, two at a time.

    Parameters
    ----------
    brief : sequence of Attack
        Those that are over when they were tried: several of them share a cell.
    """
    with placed(checkout) as place:
        told = {f"{way} {what}": place.place(way, what) for way, what in (*brief, *attacks, *labels)}
        groups = [brief[start : start + TOGETHER] for start in range(0, len(brief), TOGETHER)]
        for number, group in enumerate(groups):
            told[f"several {number}"] = json.dumps([(way, told[f"{way} {what}"]) for way, what in group])
        (folder_of(checkout, "code") / "told.json").write_text(json.dumps(told))
        cells = [{"way": "several", "what": str(number)} for number in range(len(groups))]
        cells += [{"way": way, "what": what} for way, what in attacks]
        cells += [{"labels": way, "what": what} for way, what in labels]
        stdout, stderr = run(checkout, "attacks", [{}, *cells])
        checkout.python(AFTER)
        made = records(checkout, "attacks")
        said = {}
        for number, group in enumerate(groups):
            said |= zip(group, _told_by(checkout, made["several", "", str(number)]), strict=True)
        return Done(checkout, said, made, place.harmed(), place.servers.reached, stdout, stderr)


def _told_by(checkout: Checkout, made: Record) -> list[str]:
    """Return how each of several attacks went; a record's reason would be too short for it, so it is in the log."""
    assert (made.reason or "").startswith("RuntimeError: ["), made.reason
    log = (checkout.cache / "logs" / f"{made.identity.key}.txt").read_text()
    found: list[str] = json.loads(log.rpartition("RuntimeError: ")[2])
    return found


def records(checkout: Checkout, name: str) -> dict[tuple[str, str, str], Record]:
    """Return the records of a run by way, by way to labels, and by what that was tried on."""
    return {
        (params["way"], params["labels"], params["what"]): each
        for each in record.read_all(checkout.root / name)
        # Of what failed, those that were asked for.
        for params in [{"way": "honest", "labels": "", "what": ""} | each.identity.params]
    }


def run(
    checkout: Checkout,
    name: str,
    cells: Sequence[dict[str, str]],
    timeout: str = "60",
    patience: float = 600,
    code: int = 1,
) -> tuple[str, str]:
    """Run cells of the attacker, and return what the run printed to stdout and stderr.

    Parameters
    ----------
    timeout : str
        Seconds that a stage may take.
    patience : float
        Seconds that the run may take.
    code : int
        What it has to end with.
    """
    listed = ", ".join(
        "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in cell.items()) + "}" for cell in cells
    )
    (checkout.root / f"{name}.toml").write_text(
        'title = "Attacks"\ndatasets = ["synthetic-tiny"]\nbackbones = ["mf"]\ntiming_seconds = 0\n'
        f'[[methods]]\nname = "attacker"\nparams = [{listed}]\n'
    )
    words = ("run", "--suite", f"{name}.toml", "--jobs", "2", "--timeout", timeout, "--memory-gb", "1", "--json-log")
    done = subprocess.run(
        checkout.command(*words, "--results", str(checkout.root / name)),
        cwd=checkout.root,
        env=checkout.environment,
        input="what the user types",
        capture_output=True,
        text=True,
        timeout=patience,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr
