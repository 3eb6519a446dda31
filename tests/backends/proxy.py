"""A connection between client and server that breaks: it is cut, goes silent, or loses bytes."""

import random
import socket
import ssl
import threading
from contextlib import suppress


class Proxy:
    """Passes bytes on between clients and a port, until it is told otherwise."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.target = port
        # It speaks TLS to clients, and what is in it to the port.
        self._tls = tls
        # It is one of HTTP: a client says first where to.
        self.asked: list[str] = []
        self.connects = False
        # Bytes that each direction of a connection passes on before it is cut; None is no end.
        self.cut_after: tuple[int, int] | None = None
        self.connections = 0
        self._silent = threading.Event()
        self._open: set[socket.socket] = set()
        self._dice = random.Random(4)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all connections."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def silence(self, silent: bool = True) -> None:
        """Take bytes and pass none on, and accept connections all the same; or end that."""
        if silent:
            self._silent.set()
        else:
            self._silent.clear()

    def close(self) -> None:
        """End everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                if self._tls is not None:
                    client = self._tls.wrap_socket(client, server_side=True)
                server = socket.create_connection(("127.0.0.1", self.target))
                if self.connects:
                    self.asked.append(client.recv(65536).decode())
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            except OSError:
                client.close()
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {client, server}
            budget = None if self.cut_after is None else self._dice.randint(*self.cut_after)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(
                    target=self._pass_on, args=(source, sink, budget), daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, budget: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._silent.is_set():
                    continue
                if budget is not None:
                    data = data[:budget]
                    budget -= len(data)
                sink.sendall(data)
                if budget == 0:
                    break
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()
