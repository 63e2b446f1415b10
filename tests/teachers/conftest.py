"""A real endpoint on this machine, whose responses a test chooses."""

import pytest
from helpers.servers import ScriptedServer


@pytest.fixture
def server():
    instance = ScriptedServer()
    yield instance
    instance.http.shutdown()
    instance.http.server_close()
