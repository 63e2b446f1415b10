"""A process that has imported torch, transformers and distilmt once, and forks a child for each request.

`helpers.processes` starts it, one for all of xdist's workers, and sends the requests; it ends with the last worker. A
child is a real process: it can be killed, and has limits, threads and children of its own. Only its imports are done
already, which cost 5 s elsewhere.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import resource
import runpy
import selectors
import signal
import socket
import sys
import threading
import types
from contextlib import suppress
from typing import Any, NoReturn

MESSAGE_BYTES = 1 << 20
IMPORTS = ("torch.nn.utils.rnn", "torch.distributed", "ctranslate2", "sklearn", "transformers.models.marian")


def preload() -> None:
    """Import what commands use; what is not installed is left to the command that needs it."""
    from transformers import MarianMTModel, MarianTokenizer, PreTrainedTokenizerFast  # noqa: F401

    import distilmt

    modules = [module.name for module in pkgutil.walk_packages(distilmt.__path__, "distilmt.")]
    for name in (*IMPORTS, *(name for name in modules if not name.endswith("__main__"))):
        with suppress(ImportError):
            importlib.import_module(name)


def run(request: dict[str, Any], streams: list[int]) -> None:
    """What a child does: the module or program of the request, as `python -m` and `python -c` run them."""
    import numpy as np

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, request["cores"])
    if request["file_bytes"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_bytes"],) * 2)
    np.random.seed()
    paths = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [request["directory"], *(path for path in paths if path and path not in sys.path)]
    sys.argv = [request["module"] or "-c", *request["arguments"]]
    if request["module"]:
        if "." in request["module"]:
            sys.modules.pop(request["module"], None)  # it runs as the main module, as in a new process
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(request["program"], "<program>", "exec"), main.__dict__)


def ended(request: dict[str, Any], streams: list[int]) -> int:
    """Run and end as Python does, but leave the imported modules to the kernel: taking them down needs a second."""
    try:
        run(request, streams)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    return status


def run_child(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Run in a forked process, with the signals of a new one, and end it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os._exit(ended(request, streams))


def serve(listener: socket.socket) -> None:
    """Fork a child for each request; write its identifier, and its status at its end, into the request's pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wakeup, wakeup_writer = os.pipe()
    os.set_blocking(wakeup, False)
    os.set_blocking(wakeup_writer, False)
    signal.set_wakeup_fd(wakeup_writer)
    replies: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(wakeup, selectors.EVENT_READ)
        workers: set[socket.socket] = set()
        while True:
            for key, _ in selector.select():
                if key.fileobj == wakeup:
                    with suppress(BlockingIOError):
                        os.read(wakeup, 4096)
                    reap(replies)
                    continue
                if key.fileobj is listener:
                    worker, _ = listener.accept()
                    workers.add(worker)
                    selector.register(worker, selectors.EVENT_READ)
                    continue
                worker = next(each for each in workers if each is key.fileobj)
                message, files, _, _ = socket.recv_fds(worker, MESSAGE_BYTES, 4)
                if not message:
                    selector.unregister(worker)
                    workers.remove(worker)
                    worker.close()
                    if not workers:
                        os.unlink(listener.getsockname())
                        return  # the tests have ended
                    continue
                *streams, reply = files
                child = os.fork()
                if not child:
                    selector.close()
                    for connection in (listener, *workers):
                        connection.close()
                    for file in (wakeup, wakeup_writer, reply, *replies.values()):
                        os.close(file)
                    run_child(json.loads(message), streams)
                for file in streams:
                    os.close(file)
                replies[child] = reply
                os.write(reply, f"{child}\n".encode())


def reap(replies: dict[int, int]) -> None:
    """Write the status of every child that has ended."""
    for child in list(replies):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            reply = replies.pop(child)
            with suppress(BrokenPipeError):
                os.write(reply, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(reply)


if __name__ == "__main__":
    preload()
    gc.collect()
    gc.freeze()  # children share the memory of what is imported, and do not search it
    serve(socket.socket(fileno=int(sys.argv[1])))
