"""Python processes that start in milliseconds, by a server that has done their imports (`helpers.fork_server`)."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

TESTS = Path(__file__).resolve().parents[1]


@functools.cache
def _server() -> socket.socket:
    """A connection to the fork server, which the first of xdist's workers starts and which ends with the last one."""
    prefix = f"{tempfile.gettempdir()}/distilmt-tests-{os.getuid()}"
    address = Path(f"{prefix}-{_session()}")
    with FileLock(f"{prefix}.lock"):
        connection = _connected(address) or _started(address)
    atexit.register(connection.close)
    return connection


def _session() -> str:
    """What the workers of one test session share, and no other session has."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))


def _connected(address: Path) -> socket.socket | None:
    """A connection to a server that runs, or None."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(address))
    except OSError:
        connection.close()
        return None
    return connection


def _started(address: Path) -> socket.socket:
    """A connection to a new server; the socket listens before the server's imports, so that others need not wait."""
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen()
        paths = [os.path.abspath(path) for path in sys.path if path]  # it imports what this process would import
        environment = offline_environment() | {"PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-m", "helpers.fork_server", str(listener.fileno())]
        files = {"stdin": subprocess.DEVNULL, "pass_fds": [listener.fileno()]}
        atexit.register(subprocess.Popen(command, env=environment, cwd=TESTS, **files).poll)  # and is referred to
        connection = _connected(address)
    assert connection is not None
    return connection


class Process:
    """A process as `subprocess.Popen` shows one; what it writes is collected in files and read at its end.

    Args:
        arguments: those behind `python -m MODULE` or `python -c PROGRAM`.
        module: the module to run.
        program: the text of a program, if there is no module; it may import these helpers.
        environment: its environment; by default that of this process, without network and on one thread.
        input: what it reads from its standard input.
        file_bytes: the size beyond which no file of it grows, as on a full disk; 0 for none.
    """

    def __init__(
        self,
        *arguments: object,
        module: str = "",
        program: str = "",
        environment: Mapping[str, str] | None = None,
        input: bytes = b"",
        file_bytes: int = 0,
    ) -> None:
        request = {
            "module": module,
            "program": program,
            "arguments": [str(argument) for argument in arguments],
            "environment": dict(offline_environment() if environment is None else environment),
            "directory": os.getcwd(),
            "cores": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
            "file_bytes": file_bytes,
        }
        self._files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - they end with this object
        self._files[0].write(input)
        self._files[0].seek(0)
        reader, writer = os.pipe()
        streams = [file.fileno() for file in self._files]
        socket.send_fds(_server(), [json.dumps(request).encode()], [*streams, writer])
        os.close(writer)
        self._reply = os.fdopen(reader, "rb", buffering=0)
        self.pid = int(self._reply.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, or None while the process runs."""
        if self.returncode is None and select.select([self._reply], [], [], 0)[0]:
            self.returncode = int(self._reply.readline())
            self._reply.close()
        return self.returncode

    def wait(self, timeout: float = 240) -> int:
        """The exit status; `subprocess.TimeoutExpired` if the process still runs after so many seconds."""
        if self.returncode is None:
            select.select([self._reply], [], [], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired("distilmt", timeout)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)

    def written(self) -> tuple[bytes, bytes]:
        """What the process wrote to its standard output and standard error so far."""
        outputs = []
        for file in self._files[1:]:
            size = os.fstat(file.fileno()).st_size
            outputs.append(os.pread(file.fileno(), size, 0))
        return outputs[0], outputs[1]

    def completed(self, timeout: float = 240) -> subprocess.CompletedProcess[bytes]:
        """Wait for the end, and no longer than `timeout` seconds; what the process wrote and its status."""
        try:
            status = self.wait(timeout)
        finally:
            self.kill()
        return subprocess.CompletedProcess([], status, *self.written())


def offline_environment() -> dict[str, str]:
    """This process's environment without network, on one thread."""
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
