"""The shim: an HTTP server that looks like Stripe, misbehaves on request, and shows its books.

========================== =================================================================================
``POST /_shim/faults``     a list of faults (``tests.stripe.faults``): ``[{"kind": "dropped_after", "path":
                           "/confirm$", "method": "POST", "times": 1, "skip": 0, "seconds": 30}]``
``GET``, ``DELETE`` faults  those that have not struck yet; call them off
``POST /_shim/let_go``     let the longest held request be done; answered once it is
``GET /_shim/ledger``      charges that took money (id, attempt, amount, currency, refunded) and refunds
``GET /_shim/events``      the events so far, oldest first, as a webhook would carry them
``POST /_shim/cards``      ``{"card": "declines"}``: store a card; its token (see ``tests.stripe.cards``)
``POST /_shim/over``       start over with empty books
``POST /_shim/payments``   a payment in the dashboard; ``/_shim/refunds`` a refund there
``POST /_shim/refund_ends`` how the next refund, or one that was made, ends
``POST /_shim/disputes``   a bank takes money back, or decides
========================== =================================================================================

An API key ``sk_test_wrong…`` is unknown (401), ``rk_test_narrow…`` may do nothing (403).
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.stripe.behind import PATIENCE, Behind, localstripe, nested
from tests.stripe.checkout import Checkout
from tests.stripe.company import Company
from tests.stripe.dashboard import Dashboard
from tests.stripe.faults import Fault, Faults
from tests.stripe.keys import Answer, Keys, error

BROKEN = error(500, "Something went wrong on Stripe's end.", type_="api_error")
REFUSED_AT_THE_DOOR = {
    "500_before": BROKEN,
    "409": error(409, "Another request with this key is in progress.", type_="idempotency_error"),
    "429": error(429, "Too many requests.", code="rate_limit"),
}


@dataclass(frozen=True, slots=True)
class Held:
    """A request that is held until it may go."""

    go: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


class Shim:
    def __init__(self, behind: Behind, origin: str) -> None:
        self.lock = threading.RLock()
        self._held: SimpleQueue[Held] = SimpleQueue()
        self._behind, self._origin = behind, origin
        self.start_over()

    def start_over(self) -> None:
        """Empty books, no keys used, no faults ordered."""
        behind, origin = self._behind, self._origin
        behind.forget()
        self.faults, self.keys = Faults(), Keys()
        self.company = Company(behind)
        self.checkout = Checkout(self.company, origin)
        self.dashboard = Dashboard(self.company)
        company, checkout, dashboard = self.company, self.checkout, self.dashboard
        self._routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", "/v1/balance", lambda form: (200, {"object": "balance", "livemode": False})),
            ("POST", "/v1/customers", company.customer),
            ("GET", "/v1/payment_methods/(pm_[^/]+)", lambda ref, form: company.method(ref)),
            ("POST", "/v1/payment_methods/(pm_[^/]+)/attach", company.attach),
            ("POST", "/v1/payment_methods/(pm_[^/]+)/detach", company.detach),
            ("POST", "/v1/payment_intents", company.create),
            ("GET", "/v1/payment_intents/([^/]+)", company.intent),
            ("POST", "/v1/payment_intents/([^/]+)/confirm", company.confirm),
            ("POST", "/v1/payment_intents/([^/]+)/cancel", company.cancel),
            ("POST", "/v1/refunds", company.refund),
            ("GET", "/v1/refunds", company.refunds_of),
            ("GET", "/v1/refunds/([^/]+)", company.refund_by),
            ("GET", "/v1/disputes/([^/]+)", dashboard.dispute),
            ("POST", "/v1/checkout/sessions", checkout.create),
            ("GET", "/v1/checkout/sessions/([^/]+)", checkout.retrieve),
            ("POST", "/v1/checkout/sessions/([^/]+)/expire", checkout.expire),
            ("POST", "/_shim/cards", dashboard.card),
            ("POST", "/_shim/payments", dashboard.payment),
            ("POST", "/_shim/refunds", dashboard.refund),
            ("POST", "/_shim/refund_ends", dashboard.refunds_end),
            ("POST", "/_shim/disputes", dashboard.open_dispute),
            ("GET", "/_shim/ledger", lambda form: (200, company.ledger())),
            ("GET", "/_shim/events", lambda form: (200, {"events": company.events})),
            ("GET", "/_shim/faults", lambda form: (200, {"faults": self.faults.listed()})),
            ("POST", "/_shim/faults", self._order_faults),
            ("DELETE", "/_shim/faults", self._clear_faults),
            ("POST", "/_shim/over", self._start_over),
        ]

    def answer(self, method: str, path: str, form: dict[str, Any]) -> Answer:
        for verb, pattern, handle in self._routes:
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                with self.lock:
                    return handle(*found.groups(), form)
        with self.lock:
            ask = self.company.behind.get if method == "GET" else self.company.behind.post
            return ask(path, **form)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The block is done once somebody lets it go."""
        held = Held()
        self._held.put(held)
        held.go.wait()
        try:
            yield
        finally:
            held.done.set()

    def let_go(self) -> Answer:
        """Raises Empty if nothing is held."""
        held = self._held.get(timeout=PATIENCE)
        held.go.set()
        held.done.wait()
        return 200, {}

    def _start_over(self, form: dict[str, Any]) -> Answer:
        self.start_over()
        return 200, {}

    def _order_faults(self, form: dict[str, Any]) -> Answer:
        try:
            self.faults.order(form["faults"])
        except ValueError as unknown:
            return error(400, str(unknown))
        return 200, {"faults": self.faults.listed()}

    def _clear_faults(self, form: dict[str, Any]) -> Answer:
        return 200, {"faults": self.faults.clear()}


class Handler(BaseHTTPRequestHandler):
    shim: Shim

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: tests read their own output."""

    def _serve(self) -> None:
        at = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if at.path.startswith("/c/pay/"):
            self._serve_page(at.path.removeprefix("/c/pay/"), dict(parse_qsl(body)))
        elif at.path == "/_shim/let_go":
            self._send(self.shim.let_go())
        elif at.path.startswith("/_shim/"):
            asked = json.loads(body or "{}")
            form = {"faults": asked} if isinstance(asked, list) else asked
            self._send(self.shim.answer(self.command, at.path, form))
        else:
            self._serve_api(at.path, body or at.query)

    def _serve_api(self, path: str, query: str) -> None:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not re.match("[sr]k_test_", key) or key.startswith("sk_test_wrong"):
            self._send(error(401, f"Invalid API Key provided: {key[:8]}****"))
            return
        if key.startswith("rk_test_narrow"):
            self._send(
                error(403, f"The provided key '{key[:8]}****' does not have the required permissions.")
            )
            return
        fault = self.shim.faults.take(self.command, path)
        if fault is None:
            self._send(self._done(path, query))
        else:
            self._misbehave(fault, path, query)

    def _done(self, path: str, query: str, *, kept: Answer | None = None, act: bool = True) -> Answer:
        """Do what is asked, once per key; ``kept`` is answered in place of what came of it."""
        form = nested(parse_qsl(query))

        def do() -> Answer:
            answer = self.shim.answer(self.command, path, form) if act else BROKEN
            return kept or answer

        return self.shim.keys.once(self.headers.get("Idempotency-Key", ""), path, query, do)

    def _misbehave(self, fault: Fault, path: str, query: str) -> None:
        if fault.kind in REFUSED_AT_THE_DOOR:
            self._send(REFUSED_AT_THE_DOOR[fault.kind])
        elif fault.kind.startswith("500"):
            self._send(self._done(path, query, kept=BROKEN, act=fault.kind == "500_after"))
        elif fault.kind in ("refused", "dropped_before", "dropped_after"):
            if fault.kind == "dropped_after":
                self._done(path, query)
            self._hang_up(reset=fault.kind == "refused")
        elif fault.kind == "held":
            with self.shim.held():
                answer = self._done(path, query)
            self._send(answer)
        elif fault.kind == "slow":
            answer = self._done(path, query)
            time.sleep(fault.seconds)
            self._send(answer)
        else:
            time.sleep(fault.seconds)
            self._send(self._done(path, query))

    def _hang_up(self, *, reset: bool) -> None:
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _serve_page(self, ref: str, form: dict[str, str]) -> None:
        with self.shim.lock:
            if self.command == "POST":
                self.send_response(303)
                self.send_header("Location", self.shim.checkout.act(ref, form))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status, page = self.shim.checkout.page(ref)
        self._send_text(status, page, "text/html; charset=utf-8")

    def _send(self, answer: Answer) -> None:
        self._send_text(answer[0], json.dumps(answer[1]), "application/json")

    def _send_text(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass  # whoever asked has gone


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was closed on purpose is no news."""


@contextmanager
def running(port: int = 0) -> Iterator[tuple[str, Shim]]:
    """The address of a Stripe with empty books, and its shim. Raises NotInstalled."""
    with localstripe() as behind:
        server = Server(("127.0.0.1", port), Handler)
        origin = f"http://127.0.0.1:{server.server_address[1]}"
        shim = Shim(behind, origin)
        server.RequestHandlerClass = type("Bound", (Handler,), {"shim": shim})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield origin, shim
        finally:
            server.shutdown()
            server.server_close()
