"""A teacher behind a `ScriptedServer` with OpenAI's API."""

from __future__ import annotations

from dataclasses import asdict

from distilmt.config import EndpointConfig
from distilmt.teachers.remote import RemoteTeacher


def teacher(server, responses=None, **settings):
    about = asdict(EndpointConfig(model="big", **settings))
    facts = {"kind": "openai", "name": "big", "url": server.url + "/v1", "source": "en", "target": "it"}
    return RemoteTeacher(facts | {"endpoint": about, "request": {}}, responses)


def output_of(*texts, tokens=(7, 3), reason="stop"):
    choices = [{"message": {"content": text}, "finish_reason": reason} for text in texts]
    return 200, {"choices": choices, "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}}


def upper(path, body):
    return output_of(*[body["messages"][0]["content"].split("\n")[-1].upper()] * body.get("n", 1))
