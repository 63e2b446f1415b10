"""A real endpoint on this machine, whose responses a test chooses."""

import pytest
from helpers.servers import ScriptedServer


@pytest.fixture
def server():
    made = ScriptedServer()
    yield made
    made.http.shutdown()
    made.http.server_close()
