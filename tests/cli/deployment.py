"""A small server that answers calls as a Convex deployment does; it checks tokens in earnest."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mastra_convex.errors import UnauthenticatedError
from mastra_convex.tokens import Key, verify

WHO = {"code": "UNAUTHENTICATED", "message": "this call has no principal", "data": {}}


@dataclass
class Deployment:
    """What is deployed: functions under a path (None: not a version's answer), and who may call."""

    functions: dict[str, Any] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    providers: bool = True
    production: bool = False
    # A status and a body in place of any other answer.
    answer: tuple[int, bytes] | None = None

    def call(self, path: str, token: str | None) -> tuple[int, Any]:
        """Status and body of the answer to a call."""
        if token is not None:
            try:
                self._check(token)
            except UnauthenticatedError as error:
                code = "InvalidAuthHeader" if self.providers else "NoAuthProvider"
                return 401, {"code": code, "message": str(error)}
        if path not in self.functions:
            return self._error(f"Could not find public function for '{path}'. Did you forget?")
        if token is None:
            return self._error(f"Uncaught ConvexError: {json.dumps(WHO)}", errorData=WHO)
        return 200, {"status": "success", "value": self.functions[path]}

    def _check(self, token: str) -> None:
        if not self.providers:
            raise UnauthenticatedError("No auth provider found matching the given token")
        try:
            verify(token, [key.public_jwk for key in self.keys])
        except UnauthenticatedError as error:
            if "not known" in str(error):
                raise UnauthenticatedError("Could not decode token. The 'kid' ...") from None
            raise UnauthenticatedError(f"Could not validate token: {error}") from None

    def _error(self, text: str, **more: Any) -> tuple[int, Any]:
        shown = "[Request ID: 3c9a51d07be2f846] Server Error"
        if not self.production:
            shown += f"\n{text}"
        return 200, {"status": "error", "errorMessage": shown, **more}


@contextmanager
def serving(deployment: Deployment) -> Iterator[str]:
    """Serve it on a socket; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if deployment.answer is not None:
                status, content = deployment.answer
            elif self.path != "/api/query" or body["args"] != {}:
                status, content = 404, b""
            else:
                scheme, _, token = self.headers.get("Authorization", "").partition(" ")
                assert scheme in {"", "Bearer"}
                status, answer = deployment.call(body["path"], token or None)
                content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Keep the output of the tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
