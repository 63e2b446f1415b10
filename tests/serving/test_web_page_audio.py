"""Recordings on the server's page, in a real browser, over a real server: by microphone, chosen, dropped."""

import base64
import json

import numpy as np
import pytest
from helpers.browser import barriers, chromium, watched
from helpers.recordings import RATE, encoded, synthesized, tone, wav
from helpers.servers import distilmt_server

pytestmark = pytest.mark.slow
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
DROP = """
([name, encoded]) => {
  const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: "audio/mpeg" }));
  const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector("#text").dispatchEvent(event);
}
"""


@pytest.fixture(scope="module")
def talk():
    silence = np.zeros(RATE, np.float32)
    sentences = [synthesized(text) for text in ("Two men are outside, near many bushes.", "A woman reads a newspaper.")]
    return np.concatenate([silence, sentences[0], silence, sentences[1], silence])


@pytest.fixture(scope="module")
def engine(talk, tmp_path_factory):
    """A browser whose microphone plays the talk."""
    file = tmp_path_factory.mktemp("microphone") / "talk.wav"
    file.write_bytes(wav(talk))
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with chromium(*fake, f"--use-file-for-fake-audio-capture={file}%noloop") as browser:
        yield browser


@pytest.fixture(scope="module")
def address(speech_model):
    """Of `distilmt serve` with a model that reads speech alone."""
    pytest.importorskip("av")
    pytest.importorskip("faster_whisper")
    with distilmt_server(speech_model) as (_, port):
        yield f"http://127.0.0.1:{port}"


def opened(page, address):
    page.goto(address)
    page.locator("#source option[value=en]").wait_for(state="attached")


def translated(page, act):
    """The segments of the response to what translates a recording, once the page shows them."""
    with page.expect_response("**/v1/audio/translations", timeout=60_000) as response:
        act()
    page.get_by_text("Translated in").or_(page.get_by_text("翻译用时")).wait_for()
    return json.loads(response.value.body())["segments"]


@pytest.mark.parametrize("settings", [{"locale": "en"}, {"locale": "zh-CN", **PHONE}], ids=["desktop", "phone"])
def test_the_microphone_is_translated(engine, address, talk, settings):
    with watched(engine, **settings) as page:
        opened(page, address)
        page.locator("#record").click()
        page.locator("#record[aria-pressed=true]").wait_for()
        page.wait_for_timeout(1000 * len(talk) / RATE)
        segments = translated(page, lambda: page.locator("#record").click())
        assert segments and page.locator("#record").get_attribute("aria-pressed") == "false"
        shown = page.locator("#recording-text p").all_text_contents()
        assert [text.split(" ", 1)[1] for text in shown] == [each["text"] for each in segments]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the screen"
        assert barriers(page) == []


def test_a_recording_is_chosen_and_played_from_a_sentence(engine, address, talk, tmp_path):
    (tmp_path / "talk.mp3").write_bytes(encoded(talk, "mp3", "mp3"))
    with watched(engine, locale="en") as page:
        opened(page, address)
        segments = translated(page, lambda: page.locator("#recording").set_input_files(tmp_path / "talk.mp3"))
        assert len(segments) == 2
        page.get_by_role("button", name="Play from").nth(1).click()
        page.wait_for_function(f"document.querySelector('#player').currentTime >= {segments[1]['start'] - 0.01}")


def test_a_recording_is_dropped(engine, address, talk):
    encoded_talk = base64.b64encode(encoded(talk, "mp3", "mp3")).decode()
    with watched(engine, locale="en") as page:
        opened(page, address)
        segments = translated(page, lambda: page.evaluate(DROP, ["talk.mp3", encoded_talk]))
        assert page.locator("#recording-text p").count() == len(segments) == 2


def test_no_speech_and_no_recording_are_one_line(engine, address, tmp_path):
    (tmp_path / "hum.wav").write_bytes(wav(tone(2)))
    (tmp_path / "broken.mp3").write_bytes(b"no sound")
    with engine.new_context(locale="en") as context:
        page = context.new_page()
        opened(page, address)
        page.locator("#recording").set_input_files(tmp_path / "hum.wav")
        page.get_by_text("There is no speech in this recording.").wait_for()
        page.locator("#recording").set_input_files(tmp_path / "broken.mp3")
        status = page.get_by_text("is not a recording that can be read")
        status.wait_for()
        assert status.get_attribute("id") == "recording-status"
