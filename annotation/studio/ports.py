"""Ports on loopback: which one a review server takes, and on which ones it listens."""

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from schema.errors import ServiceError

if TYPE_CHECKING:
    import psutil

HOST = "127.0.0.1"


def choose_port(folder: Path, wanted: int) -> int:
    """Return the port that is ``wanted``; 0 takes the last one again, or else a free one.

    Raises:
        ServiceError: Another program has the port.
    """
    if wanted:
        if not _is_free(wanted):
            raise ServiceError(
                f"port {wanted} on {HOST} is taken by another program; end it, or set another port in study.toml"
            )
        return wanted
    try:
        last = int(json.loads((folder / "server.json").read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        last = 0
    return last if last and _is_free(last) else _free_port()


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_of(process: "psutil.Process") -> int:
    """Return the port that a review server was told to take; 0 where it has ended."""
    import psutil

    try:
        arguments = process.cmdline()
        return int(arguments[arguments.index("--port") + 1])
    except (psutil.Error, ValueError, IndexError):
        return 0


def listening_ports(process: "psutil.Process") -> set[int]:
    """Return the ports on which the process itself listens: a token is never sent to a stranger's server."""
    import psutil

    try:
        connections = process.net_connections(kind="tcp4")
    except psutil.Error:
        return set()
    return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}
