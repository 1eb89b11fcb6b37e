"""Serves one GGUF file with llama.cpp until it is told to stop.

ROTA_MODEL_API_KEY=... python -m rota_cli.local.model_server <file> [port]
"""

import os
import signal
import sys
import threading
from importlib import import_module
from typing import Any

_MAX_ANSWER_TOKENS = 256
_CONTEXT_TOKENS = 4096  # shared by the two answers at a time
_SLEEP_AFTER_SECONDS = 300  # gives 190 MB back


def main() -> None:
    if len(sys.argv) not in {2, 3}:
        sys.exit("usage: python -m rota_cli.local.model_server <file> [port]")
    port = int(sys.argv[2]) if len(sys.argv) == 3 else 0
    server = _start(sys.argv[1], port, _api_key())
    print("READY", server.listening_address, flush=True)
    _wait_for_signal()
    os._exit(0)  # it has nothing to save, and taking it down piece by piece lasts more than a second


def _wait_for_signal() -> None:
    """Called after the start of llama.cpp, which puts handlers of its own in place."""
    asked_to_stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: asked_to_stop.set())
    asked_to_stop.wait()


def _api_key() -> str:
    key = os.environ.pop("ROTA_MODEL_API_KEY", "")
    if not key:  # without one llama.cpp serves everybody, and every web page
        sys.exit("ROTA_MODEL_API_KEY is empty: the model server does not start without a key")
    return key


def _start(file: str, port: int, api_key: str) -> Any:
    xllamacpp: Any = import_module("xllamacpp")  # late: a wrong call is told without loading 20 MB

    parameters = xllamacpp.CommonParams()
    parameters.model.path = file
    parameters.hostname = "127.0.0.1"
    parameters.port = port
    parameters.api_keys = [api_key]
    parameters.n_ctx = _CONTEXT_TOKENS
    parameters.n_parallel = 2
    # Two threads on two busy cores wait for each other: an answer of 6 s took 109 s.
    threads = max(1, (os.cpu_count() or 1) // 2)
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.cache_ram_mib = 0
    parameters.webui = False
    parameters.n_predict = _MAX_ANSWER_TOKENS
    parameters.sleep_idle_seconds = _SLEEP_AFTER_SECONDS
    parameters.verbosity = 1
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    main()
