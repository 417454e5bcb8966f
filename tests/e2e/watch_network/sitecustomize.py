"""Loaded by every Python process of the program under test: notes each connection that leaves the machine."""

import os
import sys

_LOCAL = ("127.", "localhost", "::1", "0.0.0.0", "::")
_LOG = os.environ.get("EVENHAND_TEST_NETWORK_LOG")


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if name and not name.startswith(_LOCAL):
        with open(str(_LOG), "a") as log:
            log.write(f"{event} {name}\n")


if _LOG:
    sys.addaudithook(_note)
