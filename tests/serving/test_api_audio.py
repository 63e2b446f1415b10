"""Recordings over HTTP: OpenAI's formats and clients, subtitles as files, limits, and models of text beside."""

import asyncio
import json
import shutil

import numpy as np
import pytest
from helpers.clients import Client
from helpers.recordings import RATE, encoded, synthesized, tone, wav

from distilmt.audio.decoding import SUFFIXES
from distilmt.recordings.subtitles import srt, vtt
from distilmt.serving.catalog import served_models
from distilmt.serving.documents import Documents
from distilmt.serving.errors import ApiError
from distilmt.serving.processes import DocumentProcess
from distilmt.serving.recording_job import RecordingJob
from distilmt.utils.errors import UserError

pytest.importorskip("av")
pytest.importorskip("faster_whisper")
TRANSLATIONS, TRANSCRIPTIONS = "/v1/audio/translations", "/v1/audio/transcriptions"
LANGUAGES = {"source": "en", "target": "it"}


@pytest.fixture(scope="module")
def talk():
    silence = np.zeros(RATE, np.float32)
    sentences = [synthesized(text) for text in ("Two men are outside, near many bushes.", "A woman reads a newspaper.")]
    return encoded(np.concatenate([silence, sentences[0], silence, sentences[1], silence]), "ogg", "flac")


@pytest.fixture(scope="module")
def client(speech_model, run):
    return Client(run, speech_model)


@pytest.fixture(scope="module")
def alone(speech_model):
    return Client(speech_model, recording_seconds=4.0)


def upload(data, name="talk.ogg", **values):
    return {"data": {"model": "whisper-1"} | values, "files": {"file": (name, data)}}


def test_every_format_has_the_same_segments(client, talk):
    def responses(*forms):
        return client(*(("POST", TRANSLATIONS, upload(talk, response_format=form)) for form in forms))

    verbose, text, subtitles, webvtt = responses("verbose_json", "text", "srt", "vtt")
    result = verbose.json()
    segments = result["segments"]
    assert len(segments) == 2 and all(each["text"] for each in segments), verbose.text
    assert (result["task"], result["language"]) == ("translate", "italian")
    assert 0.5 < segments[0]["start"] < segments[0]["end"] < segments[1]["start"] < segments[1]["end"]
    assert segments[1]["end"] < result["duration"] < 12
    assert all(each["avg_logprob"] < 0 < each["compression_ratio"] for each in segments)
    assert [each["seek"] for each in segments] == [round(100 * each["start"]) for each in segments]
    assert text.text.splitlines() == [each["text"] for each in segments]
    assert text.headers["content-type"] == subtitles.headers["content-type"] == "text/plain; charset=utf-8"
    assert subtitles.text.startswith("1\n00:00:0") and webvtt.text.startswith("WEBVTT\n\n00:00:0")
    assert client(("POST", TRANSLATIONS, upload(talk))).json() == {"text": result["text"]}


def test_a_recording_without_speech_gives_nothing(client):
    hum = wav(tone(2))
    expected = {"json": '{"text":""}', "text": "", "srt": "", "vtt": "WEBVTT\n\n"}
    for form, body in expected.items():
        response = client(("POST", TRANSLATIONS, upload(hum, response_format=form)))
        assert (response.status_code, response.text) == (200, body)
    file = client(("POST", "/translate_file", upload(hum, "hum.wav", **LANGUAGES)))
    assert (file.status_code, file.json()["error"]) == (400, "Invalid request: no speech was found in the recording")


def test_a_file_comes_back_as_subtitles(client, talk):
    url = client(("POST", "/translate_file", upload(talk, "my talk.OGG", **LANGUAGES))).json()["translatedFileUrl"]
    assert url.endswith(".my_talk_it.srt")
    expected = client(("POST", TRANSLATIONS, upload(talk, response_format="srt"))).text
    assert client(("GET", url)).text == expected and expected.count(" --> ") >= 2


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"no recording at all", 400, "is not a recording that can be read"),
        (wav(tone(1))[:50], 400, "the recording"),
        (b"", 400, "missing file parameter"),
        (wav(tone(6)), 413, "is longer than"),
    ],
)
def test_broken_and_long_recordings_are_refused_in_openais_format(alone, data, status, message):
    response = alone(("POST", TRANSLATIONS, upload(data)))
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (status, "invalid_request_error"), response.text
    assert message in error["message"] and "\n" not in error["message"]


def test_requests_are_checked(client, talk):
    def error(path, **values):
        response = client(("POST", path, upload(talk, **values)))
        assert response.status_code == 400
        return response.json()["error"]["message"]

    assert "response_format flac is not supported: use json, text" in error(TRANSLATIONS, response_format="flac")
    expected = "This server's models translate speech and do not transcribe it: use /v1/audio/translations"
    assert error(TRANSCRIPTIONS) == expected
    assert error(TRANSLATIONS, target="de") == "Invalid request: set the model parameter to one of listener"
    assert error(TRANSLATIONS, model="listener", response_format="x").startswith("Invalid request: response_format")
    response = client(("POST", "/translate_file", upload(talk, **LANGUAGES | {"source": "it", "target": "en"})))
    assert response.status_code == 400 and "not available as a target language" in response.json()["error"]


def test_a_body_beyond_the_limit_is_refused_in_openais_format(speech_model):
    small = Client(speech_model, body_limit="10KB")
    response = small(("POST", TRANSLATIONS, upload(wav(tone(1)))))
    assert response.status_code == 413 and response.json()["error"]["message"].startswith("Invalid request: more than")


def test_a_recording_that_takes_too_long_is_refused_and_its_process_ends(talk, monkeypatch):
    documents, closed, close = Documents(seconds=0.2), [], DocumentProcess.close
    monkeypatch.setattr(DocumentProcess, "close", lambda process: closed.append(close(process)))
    with pytest.raises(ApiError, match="the recording takes longer than") as error:
        asyncio.run(documents.run_recording(RecordingJob(talk, 5, 60), lambda utterances, check: []))
    assert error.value.status == 413 and len(closed) == 1
    documents.close()


def test_more_recordings_than_wait_are_refused(talk):
    async def overload():
        documents = Documents()
        work = [documents.run_recording(RecordingJob(b"", 5, 60), lambda utterances, check: []) for _ in range(70)]
        results = await asyncio.gather(*work, return_exceptions=True)
        documents.close()
        return [result.status for result in results]

    statuses = asyncio.run(overload())
    assert statuses.count(503) == 6 and statuses.count(400) == 64


def test_each_model_gets_what_it_reads(client, alone, run, talk):
    text = {"q": "Hello.", **LANGUAGES}
    response = alone(("POST", "/translate", {"json": text}))
    expected = "This server has only models that read speech: send a recording to /v1/audio/translations"
    assert (response.status_code, response.json()) == (400, {"error": expected})
    response = Client(run)(("POST", TRANSLATIONS, upload(talk)))
    expected = "This server has no model that reads speech: send text to /translate"
    assert (response.status_code, response.json()["error"]["message"]) == (400, expected)
    assert client(("POST", "/translate", {"json": text})).status_code == 200
    inputs = {model["name"]: model["input"] for model in client(("GET", "/models")).json()}
    assert inputs.pop("listener") == "speech" and set(inputs.values()) == {"text"}


def test_what_is_served_shows(client, alone, run):
    formats = [client(("GET", "/frontend/settings")).json(), Client(run)(("GET", "/frontend/settings")).json()]
    assert set(formats[0]["supportedFilesFormat"]) - set(formats[1]["supportedFilesFormat"]) == set(SUFFIXES)
    assert [each["audioTranslation"] for each in formats] == [True, False]
    assert alone(("GET", "/languages")).json() == [
        {"code": "en", "name": "English", "targets": [], "audioTargets": ["it"]},
        {"code": "it", "name": "Italian", "targets": [], "audioTargets": []},
    ]
    for one in (client, alone):
        operation = one(("GET", "/spec")).json()["paths"][TRANSLATIONS]["post"]
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert {"file", "model", "response_format"} <= set(form["properties"]) and form["required"] == ["file"]
        assert {"200", "400", "413", "503"} <= set(operation["responses"])


@pytest.fixture(scope="module")
def transcriber(speech_model, tmp_path_factory):
    """The same weights as a model whose source and target are one language."""
    directory = tmp_path_factory.mktemp("transcriber") / "scribe"
    shutil.copytree(speech_model, directory)
    card = json.loads((directory / "card.json").read_text())
    (directory / "card.json").write_text(json.dumps(card | {"source": "en", "target": "en"}))
    return directory


def test_a_model_of_one_language_transcribes(transcriber, speech_model, talk):
    both = Client(transcriber, speech_model)
    verbose = both(("POST", TRANSCRIPTIONS, upload(talk, response_format="verbose_json", language="en"))).json()
    assert (verbose["task"], verbose["language"]) == ("transcribe", "english") and len(verbose["segments"]) == 2
    named = both(("POST", TRANSLATIONS, upload(talk, model="listener"))).json()
    assert named == both(("POST", TRANSLATIONS, upload(talk))).json()
    only = Client(transcriber)(("POST", TRANSLATIONS, upload(talk))).json()["error"]["message"]
    assert only.endswith("transcribe speech and do not translate it: use /v1/audio/transcriptions")


def test_models_of_later_versions_are_refused(speech_model, tmp_path):
    copied = shutil.copytree(speech_model, tmp_path / "copied")
    manifest = json.loads((copied / "distilmt.json").read_text())
    (copied / "distilmt.json").write_text(json.dumps(manifest | {"input": "smell"}))
    (copied / "card.json").unlink()
    with pytest.raises(UserError, match="reads smell, and this version serves models of text, pictures and speech"):
        served_models([f"en-it={copied}"], "student-int8")


def test_subtitles_of_no_segments_are_empty():
    assert [*srt([]), *vtt([])] == []
