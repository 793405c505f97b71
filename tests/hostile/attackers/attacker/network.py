"""Ways to somebody else by sockets, of whatever family and by whatever call."""

import ctypes
import mmap
import platform
import socket
import urllib.request

from .system import Refused, checked, libc


def connects(where: str) -> str:
    with socket.create_connection(_address(where), timeout=5) as connected:
        connected.sendall(b"labels, please")
    return "a connection"


def connects_with_the_first_packet(where: str) -> str:
    """Let sendto connect, which has been forgotten before where connect was refused."""
    with socket.socket() as made:
        made.sendto(b"labels, please", socket.MSG_FASTOPEN, _address(where))
    return "a connection"


def asks_by_http(where: str) -> str:
    with urllib.request.urlopen(f"http://{where}/labels", timeout=5) as answer:
        return f"{len(answer.read())} bytes"


def sends_a_datagram(where: str) -> str:
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.sendto(b"labels, please", _address(where))
    return "a datagram has gone"


def listens(where: str) -> str:
    with socket.create_server((where, 0)) as server:
        return f"a server at {server.getsockname()}"


def loads_a_real_set(where: str) -> str:
    from recpress.data import load

    return f"{load(where).split.test.nnz} test labels"


def loads_the_set(where: str) -> str:
    from recpress.data import load

    return f"{load(where).split.test.nnz} test labels"


def parses_the_set(where: str) -> str:
    from recpress.data import dataset

    return f"{dataset.parse(where).split.test.nnz} test labels"


def connects_to_a_path(where: str) -> str:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(where)
    return "a connection"


def connects_to_a_name(where: str) -> str:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(f"\0{where}")
    return "a connection"


def sends_to_a_name(where: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.sendto(b"labels, please", f"\0{where}")
    return "a datagram has gone"


def opens_a_socket(where: str) -> str:
    """Open a socket of a family, be it one that few think of."""
    kinds = {"AF_ALG": socket.SOCK_SEQPACKET, "AF_NETLINK": socket.SOCK_RAW, "AF_PACKET": socket.SOCK_RAW}
    socket.socket(getattr(socket, where), kinds.get(where, socket.SOCK_STREAM)).close()
    return "a socket"


def opens_a_socket_by_32_bits(where: str) -> str:
    """Ask by the gate for 32-bit programs, where the calls have other numbers: 359 is socket."""
    if platform.machine() != "x86_64":
        raise Refused("there is no such gate on this machine")
    code = bytes.fromhex("53 b867010000 bb02000000 b901000000 31d2 cd80 5b c3")
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    result = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    if result < 0:
        raise OSError(-result, "by the 32-bit gate")
    return f"socket {result}"


def opens_a_socket_by_x32(where: str) -> str:
    """Ask by the numbers of x32, which are the usual ones with a bit more: 41 is socket."""
    if platform.machine() != "x86_64":
        raise Refused("there are no such numbers on this machine")
    return f"socket {checked(libc.syscall(ctypes.c_long(0x40000000 | 41), 2, 1, 0))}"


def _address(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    return host, int(port)
