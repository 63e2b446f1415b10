"""Any bytes give pairs or one clear line, from every reader; benchmarks/fuzz_readers.py does so for longer."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.data.pairs import Pair
from distilmt.data.readers.files import read_pairs
from distilmt.utils.errors import UserError

SEEDS: dict[str, list[bytes]] = {
    "a.po": [
        b'# c\n#, fuzzy\n#| msgid "o"\nmsgctxt "x"\nmsgid "a"\nmsgid_plural "b"\nmsgstr[0] "c"\nmsgstr[1] "d"\n\n',
        b'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n"Language: it\\n"\n\n#~ msgid "a\\"\\n"\n',
    ],
    "a.mo": [
        b"\xde\x12\x04\x95\0\0\0\0\x01\0\0\0\x1c\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x2c\0\0\0\x01\0\0\0\x2e\0\0\0a\0b\0"
    ],
    "a.tmx": [
        b'<?xml version="1.0" encoding="utf-8"?><!DOCTYPE tmx SYSTEM "a.dtd"><tmx version="1.4"><header/><body><tu>'
        b'<tuv xml:lang="en"><seg>a <bpt i="1">&lt;</bpt><hi>b</hi></seg></tuv><tuv lang="it"><seg>c</seg></tuv></tu>'
        b"</body></tmx>",
        b'<!DOCTYPE tmx [<!ENTITY a "b"><!ENTITY c SYSTEM "/x">]><tmx>&a;<![CDATA[ ]]><!-- --><?p i?></tmx>',
    ],
    "a.xlf": [
        b'<xliff xmlns="urn:x"><file source-language="en" target-language="it"><body><group><trans-unit id="1">'
        b'<source>a</source><seg-source><mrk mtype="seg" mid="1">a</mrk></seg-source><target state="new">'
        b'<mrk mtype="seg" mid="1">b</mrk></target></trans-unit></group></body></file></xliff>',
        b'<xliff srcLang="it" trgLang="en"><file><unit><segment><source>a</source><target>b</target></segment></unit>'
        b"</file></xliff>",
    ],
    "a.tsv": [b"a\tb\n\xef\xbb\xbfc\td\te\r\n", b"\x1f\x8b\0\xff\n"],
    "a.jsonl": [b'{"en": "a", "it": "b"}\n{"translation": {"en": "a", "it": null}}\n', b'[{"en": "\\ud800"}]\n1e999'],
}


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """A file as it should be, with pieces cut, repeated, moved or replaced; or bytes of any kind."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    data = draw(st.sampled_from(SEEDS[name]))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 40)))
        piece = draw(st.sampled_from([b"", data[start:stop] * 2, data[:40]]) | st.binary(max_size=6))
        data = data[:start] + piece + data[stop:]
    return data


@pytest.mark.parametrize("name", SEEDS)
@settings(
    max_examples=int(os.environ.get("DISTILMT_FUZZ_EXAMPLES", "150")),
    deadline=2000,  # milliseconds: what takes longer hangs
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_bytes_give_pairs_or_one_clear_line(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = tmp_path / name
    path.write_bytes(data.draw(damaged(name)))
    try:
        pairs = list(read_pairs([str(path)], "en", "it"))
    except UserError as error:
        assert "\n" not in str(error)
        assert name in str(error)
        return
    assert all(isinstance(pair, Pair) and isinstance(pair.source, str) for pair in pairs)
    for pair in pairs:
        assert isinstance(pair.target, str)
    assert len({pair.line for pair in pairs}) == len(pairs)
