"""Whatever a method tries from its stage, nobody outside notices: each way out is tried, and canaries tell."""

from __future__ import annotations

import json

import pytest
from canaries import SECRET
from checkouts import Checkout
from placed import Done, attacked, kernel_holds

MARK = "I was here"
# What each way is tried on; see `placed.Placed`.
REFUSED = [
    ("loads_the_set", "set"),
    ("parses_the_set", "set"),
    ("loads_a_real_set", "served set"),
    ("connects", "address"),
    ("connects_with_the_first_packet", "address"),
    ("asks_by_http", "address"),
    ("sends_a_datagram", "address"),
    ("listens", "host"),
    ("connects_to_a_path", "path"),
    ("connects_to_a_name", "name"),
    ("sends_to_a_name", "datagrams"),
    ("opens_a_socket", "AF_INET"),
    ("opens_a_socket", "AF_INET6"),
    ("opens_a_socket", "AF_NETLINK"),
    ("opens_a_socket", "AF_PACKET"),
    ("opens_a_socket", "AF_VSOCK"),
    ("opens_a_socket", "AF_ALG"),
    ("opens_a_socket_by_32_bits", ""),
    ("opens_a_socket_by_x32", ""),
    ("is_forked_outside", "missing"),
    ("holds_what_isn_t_its_own", ""),
    ("reads_what_is_typed", ""),
    ("spoils_a_kernel", "kernel"),
    ("spoils_a_module", "package"),
    ("spoils_a_module", "method"),
    ("kills", "process"),
    ("terminates", "process"),
    ("kills_a_group", "process"),
    ("kills_by_descriptor", "process"),
    ("kills_a_thread", "process"),
    ("queues_a_signal", "process"),
    ("finds_its_parents_alive", ""),
    ("limits", "process"),
    ("reads_limits", "process"),
    ("slows", "process"),
    ("pins", "process"),
    ("idles", "process"),
    ("slows_the_disk", "process"),
    ("traces", "process"),
    ("counts_events", "process"),
    ("takes_a_descriptor", "process"),
    ("reads_environment", ""),
    ("reads_environment", "process"),
    ("reads_its_own_environment", "token"),
    ("reads_command_line", "process"),
    ("reads_by_anothers_root", "process"),
    ("reads_memory", ""),
    ("reads_memory_by_call", ""),
    ("writes_memory", "process"),
    ("lifts_its_limits", ""),
    ("is_spared", ""),
    ("has_capabilities", ""),
    ("reads", "home"),
    ("reads", "passwd"),
    ("reads", "data"),
    ("reads", "cache"),
    ("reads", "results"),
    ("reads", "per-user"),
    ("reads", "temporary"),
    ("reads", "memory"),
    ("reads", "file"),
    ("lists", "home"),
    ("lists", "folder"),
    ("lists_the_run", ""),
    ("writes_in_the_run", ""),
    ("makes_anything", "folder"),
    ("makes_anything", "code folder"),
    ("removes", "file"),
    ("cuts", "file"),
    ("takes", "file"),
    ("moves", "file"),
    ("makes_a_device", ""),
    ("opens_by_handle", "data"),
    ("changes_mode", "file"),
    ("changes_mode_by_the_new_call", "file"),
    ("changes_mode_by_descriptor", "code"),
    ("changes_owner", "file"),
    ("changes_owner_by_descriptor", "code"),
    ("changes_times", "file"),
    ("changes_times_by_descriptor", "code"),
    ("notes_on_a_file", "file"),
    ("notes_on_a_file_by_the_new_call", "file"),
    ("notes_on_a_file_by_descriptor", "code"),
    ("sets_flags", "code"),
    ("sets_flags_by_the_new_call", "file"),
    ("locks", "lock"),
    ("watches", "folder"),
    ("types_at_a_terminal", "terminal"),
    ("listens_at_a_terminal", "terminal"),
    ("writes_to_a_terminal", "terminal"),
    ("leaves_a_file", "missing"),
    ("leaves_a_file", "new memory"),
    ("leaves_shared_memory", "name of new memory"),
    ("leaves_system_v_memory", "number"),
    ("leaves_system_v_semaphores", "number"),
    ("leaves_system_v_messages", "number"),
    ("leaves_a_message_queue", "queue"),
    ("leaves_a_key", "key"),
    ("unshares_users", ""),
    ("unshares_network", ""),
    ("unshares_mounts", ""),
    ("joins_a_namespace", ""),
    ("clones_users", ""),
    ("clones_users_by_the_new_call", ""),
    ("uses_a_ring", ""),
    ("loads_a_program", ""),
    ("opens_a_file_system", ""),
    ("opens_a_tree", ""),
]
# What the system lets happen, or can't see, and what has to become of the cell: its status, if it is told, and a part
# of the reason.
ANSWERED = {
    ("has_shared_memory_removed", "name of memory"): ("failed", ""),
    ("kills_as_owner_of_a_pipe", "process"): ("failed", ""),
    ("prints", ""): ("ok", ""),
    ("raises_escapes", ""): ("failed", MARK),
    ("links_to_a_secret", "file"): ("", ""),
    ("links_to_a_folder", "home"): ("", ""),
    ("links_its_manifest", "file"): ("failed", ""),
    ("leaves_a_pipe_beside", ""): ("", ""),
    ("leaves_a_pipe_for_tensors", ""): ("failed", "regular file"),
    ("leaves_a_socket_beside", ""): ("", ""),
    ("nests_its_manifest", ""): ("failed", "nested too deeply"),
    ("claims_other_params", ""): ("", ""),
    ("claims_a_result_too_soon", ""): ("failed", ""),
    ("answers_in_depth", ""): ("failed", "nonsense"),
    ("answers_no_share", ""): ("ok", ""),
    ("leaves_a_closed_folder", ""): ("failed", ""),
}
# Where a method may find test labels, and by which way it gets at them.
LABELS = [
    ("loaded", "set"),
    ("parsed", "set"),
    ("cached", "parsed"),
    ("fetched", "address"),
    ("told", "path"),
    ("told", "@name"),
    ("forked", "set"),
    *(("read", where) for where in ("home", "data", "cache", "results", "temporary", "memory", "file")),
]
# Here they lie beside the method's own code, where it may read.
OPENLY = [("read", "code")]

pytestmark = [pytest.mark.slow, kernel_holds]


@pytest.fixture(scope="module")
def done(checkout: Checkout) -> Done:
    return attacked(checkout, REFUSED, [*ANSWERED], [*LABELS, *OPENLY])


@pytest.mark.parametrize(("way", "what"), REFUSED)
def test_what_reaches_out_is_refused(done: Done, way: str, what: str) -> None:
    # A way that looks for something and finds nothing goes on.
    assert done.said[way, what].startswith(("refused: ", "went on", "ended: SIGSYS")), done.said[way, what]


@pytest.mark.parametrize(("way", "what"), ANSWERED)
def test_what_is_left_and_answered_leads_nobody_astray(done: Done, way: str, what: str) -> None:
    status, reason = ANSWERED[way, what]
    made = done.of(way, what)
    assert made.status == (status or made.status), made.reason
    assert reason in (made.reason or "")
    assert not (made.reason or "").startswith(("RuntimeError: broken", "the runner itself"))


@pytest.mark.parametrize(("way", "what"), [*REFUSED, *ANSWERED])
def test_nothing_of_others_comes_to_harm(done: Done, way: str, what: str) -> None:
    assert (way, what) not in done.harmed, done.harmed[way, what]


def test_nobody_is_reached(done: Done) -> None:
    assert done.reached == []


def test_what_others_keep_is_not_copied(done: Done) -> None:
    kept = done.checkout.cache / "artefacts"
    assert [path for path in kept.rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())] == []
    assert [path for path in kept.rglob("*") if path.is_file() and SECRET in path.read_bytes()] == []


def test_no_record_says_what_a_method_made_up(done: Done) -> None:
    written = list((done.checkout.root / "attacks" / "records").rglob("*.json"))
    assert written
    assert [path for path in written if "forged" in path.read_text()] == []
    assert {(way, "", what) for way, what in ANSWERED} < set(done.records)


def test_what_is_printed_is_the_run_s_alone(done: Done) -> None:
    assert all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines())
    assert "\x1b" not in done.stdout + done.stderr
    assert f"{{{MARK}" not in done.stderr


def test_nothing_is_left_behind(done: Done) -> None:
    assert done.checkout.leftovers() == []
    assert list(done.checkout.root.rglob("*left by an attacker*")) == []


@pytest.mark.parametrize(("way", "what"), LABELS)
def test_who_wants_labels_is_no_better_for_it(done: Done, way: str, what: str) -> None:
    honest, made = done.records["honest", "", ""], done.knowing(way, what)
    assert honest.quality is not None
    assert made.status == "failed" or made.quality == honest.quality


def test_who_has_labels_would_be_better(done: Done) -> None:
    """Without this, the test above could be passed by a method that makes nothing of labels."""
    honest, (way, what) = done.records["honest", "", ""], *OPENLY
    knowing = done.knowing(way, what)
    assert honest.quality.metrics["recall@20"] < 0.6
    assert knowing.quality.metrics["recall@20"] > 0.9
