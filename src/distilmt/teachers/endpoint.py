"""Requests to a server: some at once, no faster than allowed, made again when they fail in passing."""

from __future__ import annotations

import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, TypeVar

from distilmt.errors import UserError

T = TypeVar("T")
_IN_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0


class Refused(Exception):
    """The server will not answer this request, whenever it is made."""


class Endpoint:
    """A server that takes JSON and answers in JSON."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Take the fields of `config.EndpointConfig`.

        Raises:
            UserError: the key's variable is not set.
        """
        self.concurrent, self.retries = int(settings["concurrent"]), int(settings["retries"])
        self.timeout, self.pause = float(settings["timeout"]), 60.0 / (settings["per_minute"] or float("inf"))
        self.requests, self._slot, self._lock = 0, 0.0, threading.Lock()
        self.stop = threading.Event()
        variable = settings["key_variable"]
        self.key = os.environ.get(variable) if variable else None
        if variable and not self.key:
            raise UserError(f"teacher.endpoint.key_variable is {variable}, which is not set: export {variable}=… first")

    def post(self, url: str, body: dict[str, Any]) -> Any:
        """Send JSON, give back what comes.

        Raises:
            Refused: the server says that the request is at fault.
            UserError: there is no such server, it wants a key, or it failed too often.
        """
        reason = ""
        for number in range(self.retries + 1):
            self._take_turn()
            try:
                return self._send(url, body)
            except urllib.error.HTTPError as error:
                reason = f"status {error.code}: {_told(error)}"
                if error.code in (401, 403, 404):
                    raise UserError(f"{url} answers with {reason}: check teacher.url, the model and the key") from None
                if error.code not in _IN_PASSING:
                    raise Refused(reason) from None
                self._rest(number, error.headers.get("Retry-After"))
            except (OSError, ValueError) as error:  # no connection, a time-out, half an answer
                reason = str(getattr(error, "reason", error)) or type(error).__name__
                self._rest(number, None)
        raise UserError(
            f"{url} failed {self.retries + 1} times ({reason}): see that it runs, then the same command goes on"
        )

    def _send(self, url: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "User-Agent": "distilmt"}
        headers |= {"Authorization": f"Bearer {self.key}"} if self.key else {}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=self.timeout) as answer:
            return json.loads(answer.read())

    def _take_turn(self) -> None:
        """Wait until another request may be made."""
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._slot)
            self._slot = mine + self.pause
            self.requests += 1
        if self.stop.wait(mine - now):
            raise UserError("stopped")

    def _rest(self, number: int, told: str | None) -> None:
        """Wait before a request is made again: as long as the server asks for, else twice as long each time."""
        if number == self.retries:
            return
        asked = float(told) if told and told.isdigit() else _FIRST_WAIT * 2**number * random.uniform(0.75, 1.25)
        if self.stop.wait(min(asked, 10 * _LONGEST_WAIT if told else _LONGEST_WAIT)):
            raise UserError("stopped")

    def side_by_side(self, work: Callable[[T], Any], items: Iterable[T]) -> Iterator[tuple[T, Any]]:
        """`work` of every item, some at once; as they are done. Whoever stops early ends what waits."""
        rest = iter(items)
        running: dict[Future[Any], T] = {}
        with ThreadPoolExecutor(self.concurrent) as pool:
            try:
                while True:
                    for item in islice(rest, self.concurrent - len(running)):
                        running[pool.submit(work, item)] = item
                    if not running:
                        return
                    done: set[Future[Any]] = wait(running, return_when=FIRST_COMPLETED).done
                    for future in done:
                        yield running.pop(future), future.result()
            finally:
                self.stop.set() if running else None
                pool.shutdown(cancel_futures=True)


def _told(error: urllib.error.HTTPError) -> str:
    """What a server says of an error, in a line."""
    text = error.read(2000).decode(errors="replace")
    try:
        found = json.loads(text)["error"]
        text = found["message"] if isinstance(found, dict) else str(found)
    except (ValueError, KeyError, TypeError):
        pass
    return " ".join(text.split())[:200] or str(error.reason)
