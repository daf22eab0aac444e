"""A server for this machine alone: the page of a watch, its rows, and a door for images that are in no file yet."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

_logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
LARGEST = 1 << 30  # bytes of an image that is sent


class PageServer:
    """Serve a watch on the loopback interface, which no other machine reaches.

    ``GET /`` is the page, ``/rows.json`` the rows, ``/NAME.png`` a picture. ``POST /image?name=NAME&pixel_size=NM``
    with an array as `numpy.save` writes it takes an image, and answers with its row; it must be of the type
    ``application/octet-stream``, which pages of other sites cannot send.

    Parameters
    ----------
    page
        Returns the page.
    rows
        Returns the rows.
    picture
        Returns the bytes of a picture by its name, None where there is none.
    receive
        Takes an array, a name and a pixel size, and returns a row.
    port
        Where to listen; another one where it is taken, and any with 0.
    """

    def __init__(
        self,
        page: Callable[[], str],
        rows: Callable[[], list],
        picture: Callable[[str], bytes | None],
        receive: Callable[[np.ndarray, str, float | None], dict],
        port: int = 0,
    ):
        handler = type("Handler", (_Handler,), {"doors": (page, rows, picture, receive)})
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        except OSError:
            if not port:
                raise
            _logger.warning("Port %d is taken; another one serves the page.", port)
            self._server = ThreadingHTTPServer((LOOPBACK, 0), handler)
        self._server.daemon_threads = True
        self.address = f"http://{LOOPBACK}:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="page", daemon=True).start()

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    doors: tuple = ()

    def do_GET(self):  # noqa: D102, N802 - the name that the standard library calls
        page, rows, picture, _ = self.doors
        path = unquote(urlsplit(self.path).path)
        if not self._is_local():
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"this machine alone\n")
        elif path in ("/", "/index.html"):
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", page().encode())
        elif path == "/rows.json":
            self._answer(HTTPStatus.OK, "application/json", json.dumps(rows()).encode())
        elif (content := picture(path[1:])) is not None:
            self._answer(HTTPStatus.OK, "image/png", content)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there is no such page\n")

    def do_POST(self):  # noqa: D102, N802
        receive = self.doors[3]
        split = urlsplit(self.path)
        length = self.headers.get("Content-Length", "")
        if not self._is_local() or self.headers.get("Content-Type") != "application/octet-stream":
            self._refuse(HTTPStatus.FORBIDDEN, "expected application/octet-stream from this machine")
        elif split.path != "/image":
            self._refuse(HTTPStatus.NOT_FOUND, "images go to /image")
        elif not length.isdigit() or not 0 < int(length) <= LARGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected an array of 1 to {LARGEST} bytes")
        else:
            try:
                array, name, pixel_size = _read_image(self.rfile.read(int(length)), split.query)
                row = receive(array, name, pixel_size)
            except (ValueError, TypeError, OSError, EOFError) as error:
                self._refuse(HTTPStatus.BAD_REQUEST, str(error))
                return
            self._answer(HTTPStatus.OK, "application/json", json.dumps(row).encode())

    def _is_local(self) -> bool:
        """Whether the request was made to this machine by its own name: no site's that points here."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        return host in (LOOPBACK, "localhost")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what was sent is not read
        self._answer(status, "application/json", json.dumps({"error": why}).encode())

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the browser has gone
            self.close_connection = True

    def log_message(self, format, *args):  # noqa: A002, D102
        _logger.debug(format, *args)


def _read_image(content: bytes, query: str) -> tuple[np.ndarray, str, float | None]:
    """Array, name and pixel size of what was sent."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not array.size:
        raise ValueError(f"Expected an image of rows and columns, not {array.dtype} of the shape {array.shape}.")
    fields = parse_qs(query)
    name = re.sub(r"[^\w.+-]+", "_", fields.get("name", ["image"])[0]).strip("._")[:80] or "image"
    given = fields.get("pixel_size", [""])[0]
    if not given:
        return array, name, None
    pixel_size = float(given)
    if not 0 < pixel_size < float("inf"):
        raise ValueError(f"pixel_size={given}; expected a size in nm above zero.")
    return array, name, pixel_size
