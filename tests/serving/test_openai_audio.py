"""OpenAI's own client against `distilmt serve`: unchanged, and 32 connections at once."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.recordings import RATE, synthesized, wav
from helpers.servers import distilmt_server

openai = pytest.importorskip("openai")
pytest.importorskip("av")
pytest.importorskip("faster_whisper")
# The package marks translations as deprecated, in favor of transcriptions by newer models.
pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
TEXTS = ("One.", "Two men are outside.", "A woman reads a newspaper in the garden.", "They wait for the bus.")


@pytest.fixture(scope="module")
def client(speech_model):
    with distilmt_server(speech_model, "--threads", "1") as (_, port):
        yield openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)


def recording(text):
    silence = np.zeros(RATE // 2, np.float32)
    return wav(np.concatenate([silence, synthesized(text), silence]))


def test_translations_in_all_formats(client):
    data = recording(TEXTS[2])
    plain = client.audio.translations.create(model="whisper-1", file=("talk.wav", data))
    assert isinstance(plain, openai.types.audio.Translation) and plain.text
    verbose = client.audio.translations.create(
        model="whisper-1", file=io.BytesIO(data), response_format="verbose_json", temperature=0, prompt="names"
    )
    assert verbose.text == plain.text and verbose.language == "italian" and verbose.duration > 2
    openai.types.audio.TranslationVerbose.model_validate(verbose.model_dump(), strict=True)
    assert verbose.segments[0].end > verbose.segments[0].start > 0.2
    for form, start in (("text", plain.text), ("srt", "1\n00:00:00,"), ("vtt", "WEBVTT\n\n00:00:00.")):
        text = client.audio.translations.create(model="x", file=("talk.wav", data), response_format=form)
        assert isinstance(text, str) and text.startswith(start)


def test_errors_are_those_that_the_client_knows(client):
    with pytest.raises(openai.BadRequestError, match="is not a recording that can be read") as error:
        client.audio.translations.create(model="whisper-1", file=("talk.wav", b"no sound"))
    assert error.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError, match="translate speech and do not transcribe it"):
        client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", recording("One.")))


def test_32_connections_get_their_own_translations(client):
    recordings = [recording(text) for text in TEXTS]

    def translated(number):
        return client.audio.translations.create(model="whisper-1", file=("talk.wav", recordings[number])).text

    expected = [translated(number) for number in range(len(TEXTS))]
    assert len(set(expected)) == len(TEXTS)
    with ThreadPoolExecutor(32) as threads:
        results = list(threads.map(translated, [number % len(TEXTS) for number in range(64)]))
    assert results == [expected[number % len(TEXTS)] for number in range(64)]
