"""Clients of the server in this process."""

from __future__ import annotations

import asyncio

import httpx

from distilmt.config.commands import ServeConfig
from distilmt.serving.server import build


class Client:
    """Sends requests to an app in this process."""

    def __init__(self, *models, **settings):
        self.app = build(ServeConfig([str(model) for model in models], threads=1, **settings))

    def __call__(self, *requests):
        async def request():
            transport = httpx.ASGITransport(self.app.state.middleware)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await asyncio.gather(*(client.request(*r[:2], **(r[2] if len(r) > 2 else {})) for r in requests))

        responses = asyncio.run(request())
        return responses if len(responses) > 1 else responses[0]

    def post(self, path, **values):
        return self(("POST", path, {"json": values}))
