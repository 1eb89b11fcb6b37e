"""Stands in for each of the five services while supervision is tested: small, and able to fail on demand."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer({"ready": True, "items": [], "next_cursor": None})

    def do_POST(self) -> None:
        self._answer({"url": "http://127.0.0.1/sign-in/once"})

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main(name: str) -> None:
    if "bootstrap" in sys.argv:
        print("bootstrapped with", os.environ["GATEWAY_BOOTSTRAP_API_KEY"])
        return
    if name == os.environ.get("STANDIN_BROKEN"):
        sys.exit(f"{name} misses a setting")
    print(f"{name} listens", flush=True)
    address = (os.environ["ROTA_HTTP_HOST"], int(os.environ["ROTA_HTTP_PORT"]))
    ThreadingHTTPServer(address, Handler).serve_forever()
