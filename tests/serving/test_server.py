"""A server in a process of its own: real clients, bad ones, and how it stops."""

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from helpers import toy
from helpers.servers import distilmt_server
from libretranslatepy import LibreTranslateAPI

from distilmt.inference.translator import Translator

SENTENCE = toy.pairs(1, seed=5)[0][0]


def request(text=SENTENCE, length=None, extra=""):
    body = json.dumps({"q": text, "source": "en", "target": "it"}).encode()
    length = len(body) if length is None else length
    head = f"POST /translate HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    return f"{head}{extra}\r\n".encode() + body


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def until_closed(connection):
    """All that comes until the server hangs up."""
    result = b""
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            result += part
    return result


def one_response(connection):
    """Status and body of a response with a length; None where the connection was closed before it."""
    result = b""
    while b"\r\n\r\n" not in result:
        part = connection.recv(65536)
        if not part:
            return None
        result += part
    head, _, body = result.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(head[9:12]), body, b"connection: close" in head.lower()


def healthy(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=20) as response:
        return response.status == 200


def memory(process):
    """Peak resident bytes of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def test_libretranslatepy_works_unchanged(server, exported_model):
    client = LibreTranslateAPI(f"http://127.0.0.1:{server}")
    texts = toy.pairs(3, seed=6)[0]
    assert [client.translate(text, "en", "it") for text in texts] == Translator(exported_model).translate(texts)
    assert client.translate(SENTENCE, "auto", "it") == Translator(exported_model).translate([SENTENCE])[0]
    assert client.languages()[0] == {"code": "en", "name": "English", "targets": ["it"]}
    assert client.detect("Where is the library of the university?")[0]["language"] == "en"


def test_deep_translator_works_unchanged(server, exported_model):
    from deep_translator import LibreTranslator

    client = LibreTranslator("en", "it", api_key="any", custom_url=f"http://127.0.0.1:{server}/")
    texts = [SENTENCE, f"{SENTENCE}\n{SENTENCE}"]
    expected = Translator(exported_model).translate([SENTENCE])[0]
    assert client.translate_batch(texts) == [expected, f"{expected}\n{expected}"]


@pytest.mark.slow
def test_translate_of_npm_works_unchanged(server, exported_model, tmp_path):
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm is not there")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "translate@3.1.0"]
    got = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    if got.returncode:
        pytest.skip(f"npm cannot install it: {got.stderr[-200:]}")
    program = shutil.copy(Path(__file__).parent / "consumers" / "translate.mjs", tmp_path)
    texts = toy.pairs(3, seed=6)[0]
    command = ["node", program, f"http://127.0.0.1:{server}", "en", "it", *texts]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.stdout.splitlines() == Translator(exported_model).translate(texts), process.stderr


def test_slow_requests_are_cut_off(server):
    """Requests of which no more comes, all at once: each waits for the server's 2 seconds."""
    whole = request()
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(3)]
        for connection, sent in zip(connections, (b"", whole[:20], whole[:-5]), strict=True):
            connection.sendall(sent)
        for connection in connections:
            response = until_closed(connection)
            assert response.startswith(b"HTTP/1.1 408") and b'{"error"' in response
    assert healthy(server)


def test_a_trickle_is_cut_off_too(server):
    whole, sent = request("a" * 500), 0
    with connect(server) as connection, suppress(ConnectionError):
        for byte in whole:
            connection.sendall(bytes([byte]))
            sent += 1
            time.sleep(0.02)
    assert sent < len(whole), "it would have taken 12 seconds and more"
    assert healthy(server)


def test_half_closed_connections_are_served(server):
    with connect(server) as connection:
        connection.sendall(request(extra="Connection: close\r\n"))
        connection.shutdown(socket.SHUT_WR)
        response = until_closed(connection)
    assert response.startswith(b"HTTP/1.1 200") and b"translatedText" in response
    with connect(server) as connection:
        connection.sendall(request()[:-3])
        connection.shutdown(socket.SHUT_WR)
        assert b"translatedText" not in until_closed(connection)
    assert healthy(server)


def test_too_much_is_refused_before_it_is_read(server):
    with connect(server) as connection:
        connection.sendall(request(length=100_000_000))
        assert until_closed(connection).startswith(b"HTTP/1.1 413")
    with connect(server) as connection, suppress(ConnectionError):
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"a" * 200_000)
        assert until_closed(connection).startswith(b"HTTP/1.1 431")
    for nonsense in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST /translate HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with connect(server) as connection:
            connection.sendall(nonsense)
            assert until_closed(connection).startswith(b"HTTP/1.1 400")
    assert healthy(server)


def test_requests_behind_one_another_are_served_in_order(server, exported_model):
    texts = toy.pairs(20, seed=9)[0]
    expected = Translator(exported_model).translate(texts)
    with connect(server) as connection:
        last = request(texts[-1], extra="Connection: close\r\n")
        connection.sendall(b"".join(map(request, texts[:-1])) + last)
        responses = until_closed(connection)
    bodies = [part.split(b"\r\n\r\n")[1] for part in responses.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [json.loads(body)["translatedText"] for body in bodies] == expected


def test_a_document_cannot_name_a_file(server):
    for path in ("/download_file/../../etc/passwd", "/download_file/%2e%2e%2fetc%2fpasswd", "/static/../models.py"):
        with connect(server) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
            assert until_closed(connection).startswith(b"HTTP/1.1 404")


class Requester(threading.Thread):
    """Requests one text after another over one connection, until the server closes it."""

    def __init__(self, port):
        super().__init__()
        self.port, self.statuses, self.cut, self.unanswered = port, [], 0, 0

    def run(self):
        with connect(self.port) as connection:
            while True:
                try:
                    connection.sendall(request(f"{SENTENCE} {SENTENCE}"))
                    result = one_response(connection)
                except ConnectionError:
                    result = None
                if result is None:
                    self.unanswered += 1
                    return
                self.statuses.append(result[0])
                if result[2]:
                    return


def test_sigterm_under_load_loses_nothing(run):
    with distilmt_server(run, "--threads", "1") as (process, port):
        askers = [Requester(port) for _ in range(8)]
        for labeler in askers:
            labeler.start()
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        for labeler in askers:
            labeler.join(30)
        assert process.wait(30) == 0
    assert {status for labeler in askers for status in labeler.statuses} == {200}
    assert sum(labeler.unanswered for labeler in askers) == 0, "whoever was connected was answered, and told to go"


def test_the_same_signal_twice_stops_the_server_once(run):
    """A program between the terminal and the server passes on the Ctrl-C that the server got already."""
    with distilmt_server(run, "--threads", "1") as (process, port), connect(port) as connection:
        connection.sendall(request()[:-5])
        time.sleep(0.1)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        connection.sendall(request()[-5:])
        assert one_response(connection)[0] == 200
        assert process.wait(30) == 0
        assert process.stderr.read().count(b"\n") == 1, "only the address, from its start"


def test_a_second_signal_ends_the_server_at_once(run):
    with distilmt_server(run, "--threads", "1", "--timeout", "60") as (process, port), connect(port) as connection:
        connection.sendall(request()[:-5])
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read().splitlines()[1:] == [b"", b"Interrupted: requests in progress are lost."]


@pytest.mark.slow
def test_memory_stays_bounded_under_big_bodies_and_long_queues(run):
    with distilmt_server(run, "--threads", "1", "--max_queue_size", "2000", "--body-limit", "10MB") as (process, port):
        begin = memory(process)

        def big():
            with connect(port) as connection, suppress(ConnectionError):
                connection.sendall(request(length=100_000_000))
                connection.sendall(b"a" * 100_000_000)

        threads = [threading.Thread(target=big) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = []
        connections = [connect(port) for _ in range(100)]
        for connection in connections:
            connection.sendall(b"".join(request(f"{SENTENCE} {i}") for i in range(100)))
        for connection in connections:
            for _ in range(100):
                result = one_response_of_many(connection, statuses)
                if not result:
                    break
            connection.close()
        assert len(statuses) == 10_000 and set(statuses) <= {200, 503}
        assert memory(process) - begin < 200_000_000
        assert healthy(port)


def one_response_of_many(connection, statuses):
    """Read one of several responses, byte by byte at its head so that the next one stays in the socket."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return False
        head += byte
    left = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while left:
        left -= len(connection.recv(left))
    statuses.append(int(head[9:12]))
    return True
