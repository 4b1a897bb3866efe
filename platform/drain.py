"""Whether this process is about to end: it finishes what is in flight and begins nothing that lasts."""

import signal
import socket
import threading

draining = threading.Event()


def notice() -> None:
    """Set ``draining`` when this process is asked to end, whoever answers the signal. For the main thread only.

    A web server that answers signals itself tells the application nothing. Python writes each signal that it handles
    to its wakeup socket as well, and a thread listens there.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard, told), name="drain", daemon=True).start()


def _listen(heard: socket.socket, told: socket.socket) -> None:
    """Listen for as long as the process lives; ``told`` is kept open, for signals go there as long."""
    while True:
        if heard.recv(1)[0] in (signal.SIGTERM, signal.SIGINT):
            draining.set()
