"""Ways to leave something behind that outlives the stage, or to have something of others' removed."""

import os
from multiprocessing import shared_memory
from pathlib import Path

from .system import call, checked, libc

CREATE, USERS_KEYRING = 0o1000, -4


def leaves_a_file(where: str) -> str:
    Path(where).write_text("I was here")
    return "a file"


def leaves_shared_memory(where: str) -> str:
    shared = shared_memory.SharedMemory(where, create=True, size=64)
    shared.close()
    return "shared memory"


def leaves_system_v_memory(where: str) -> str:
    checked(libc.shmget(int(where), 64, CREATE | 0o600))
    return "shared memory"


def leaves_system_v_semaphores(where: str) -> str:
    checked(libc.semget(int(where), 1, CREATE | 0o600))
    return "semaphores"


def leaves_system_v_messages(where: str) -> str:
    checked(libc.msgget(int(where), CREATE | 0o600))
    return "a queue of messages"


def leaves_a_message_queue(where: str) -> str:
    checked(libc.mq_open(where.encode(), os.O_CREAT | os.O_RDWR, 0o600, None))
    return "a queue of messages"


def leaves_a_key(where: str) -> str:
    call("add_key", b"user", where.encode(), b"I was here", 10, USERS_KEYRING)
    return "a key"


def has_shared_memory_removed(where: str) -> str:
    """Tell the run's resource tracker that some shared memory is ours: it removes what is left at the end."""
    told = f"REGISTER:/{where}:shared_memory\n".encode()
    for number in list(Path("/proc/self/fd").iterdir()):
        try:
            if str(number.readlink()).startswith("pipe:"):
                os.write(int(number.name), told)
        except OSError:
            continue
    return "told the tracker: see the memory"
