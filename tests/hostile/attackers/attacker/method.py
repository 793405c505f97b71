import errno
import json
import os
import signal
from pathlib import Path
from urllib.error import URLError

import torch

from recpress.api import Artefact, Dense, Field, Method, Params, Shape, Task
from recpress.core.errors import UserError

from . import answers, caches, descriptors, files, kernel, labels, leftovers, network, processes
from .system import Refused

# As the kernel says no, and says that it has no such thing.
REFUSALS = {
    getattr(errno, name)
    for name in (
        "EPERM",
        "EACCES",
        "EXDEV",
        "EBADF",
        "ENOSYS",
        "ENOTTY",
        "EOPNOTSUPP",
        "EAFNOSUPPORT",
        "EPROTONOSUPPORT",
        "ESOCKTNOSUPPORT",
    )
}
WENT_ON = "went on"
MODULES = (answers, caches, descriptors, files, kernel, leftovers, network, processes)


class AttackerParams(Params):
    way: str = Field("honest", description="What it tries.")
    what: str = Field("", description="What it tries that on.")
    labels: str = Field("", description="How it tries to get at test labels.")


class Attacker(Method[AttackerParams]):
    Params = AttackerParams

    def params_for(self, budget: int, shape: Shape) -> AttackerParams:
        return AttackerParams()

    def compress(self, task: Task[AttackerParams]) -> Artefact:
        params, users, items = task.params, task.backbone.users, task.backbone.items
        if params.labels:
            stolen = labels.stolen(params.labels, told(params.labels, params.what))
            if stolen is not None:
                users, items = cheating(users, items, torch.as_tensor(stolen))
        elif params.way != "honest":
            attack(params.way, told(params.way, params.what))
        return Artefact(Dense.encode(users), Dense.encode(items))


def told(way: str, what: str) -> str:
    """Return the path, the address or the process that a way is tried on, as the test has put it beside this file."""
    if not what:
        return ""
    found: dict[str, str] = json.loads(Path(__file__).with_name("told.json").read_text())
    return found[f"{way} {what}"]


def attack(way: str, where: str) -> None:
    """Try one way; tell by an exception what came of it. A way that returns nothing goes on like an honest method."""
    if way == "several":
        raise RuntimeError(json.dumps([apart(*each) for each in json.loads(where)]))
    said = outcome(way, where)
    if said != WENT_ON:
        raise RuntimeError(said)


def apart(way: str, where: str) -> str:
    """Try one way in a process of its own, so that others can follow whatever becomes of it; return how it went."""
    said = Path("said").resolve()  # No pipe, which would be found among what the stage holds.
    said.write_text("")
    pid = os.fork()
    if pid == 0:
        try:
            said.write_text(outcome(way, where)[:1_000])
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return said.read_text() or f"ended: {signal.Signals(-code).name if code < 0 else code}"


def outcome(way: str, where: str) -> str:
    """Try one way here, and return how it went."""
    (tried,) = [vars(module)[way] for module in MODULES if way in vars(module)]
    try:
        got = tried(where)
    except Exception as error:
        # Whatever else went wrong, the way itself is, and nothing was refused.
        return f"{'refused' if refuses(error) else 'broken'}: {type(error).__name__}: {error}"
    return WENT_ON if got is None else f"GOT: {got}"


def refuses(error: Exception) -> bool:
    """Tell whether an error is the system's refusal."""
    if isinstance(error, URLError):
        error = error.reason
    return isinstance(error, UserError | Refused) or (isinstance(error, OSError) and error.errno in REFUSALS)


def cheating(users: torch.Tensor, items: torch.Tensor, pairs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tables whose products are the backbone's scores, and above them whatever is a label."""
    scores = users @ items.T
    scores[pairs[:, 0], pairs[:, 1]] += 1_000
    return scores, torch.eye(len(items))
