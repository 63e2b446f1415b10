import gzip
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.data.pairs import Pair, match_language
from distilmt.data.readers.files import read_pairs
from distilmt.data.readers.xml_characters import mark_forbidden
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import peak_rss, reset_peak_rss

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1).filter(str.strip)
QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path, source: str = "en", target: str = "it") -> list[Pair]:
    return list(read_pairs([str(path)], source, target))


def complaint(path: Path, data: str, source: str = "en", target: str = "it") -> str:
    path.write_text(data, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read(path, source, target)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def tmx(units: list[dict[str, str]], doctype: str = "") -> str:
    report_text = "".join(
        "<tu>"
        + "".join(f"<tuv xml:lang={quoteattr(code)}><seg>{seg}</seg></tuv>" for code, seg in unit.items())
        + "</tu>"
        for unit in units
    )
    return f'<?xml version="1.0"?>{doctype}<tmx version="1.4"><header/><body>{report_text}</body></tmx>'


@QUICK
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_tmx_round_trip(tmp_path: Path, pairs: list[tuple[str, str]], encoding: str) -> None:
    written = tmx([{"EN_us": escape(left), "it": escape(right), "de": "x"} for left, right in pairs])
    (tmp_path / "a.tmx.gz").write_bytes(gzip.compress(written.encode(encoding), mtime=0))
    assert read(tmp_path / "a.tmx.gz") == [Pair(line, *pair) for line, pair in enumerate(pairs, 1)]


@QUICK
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), st.booleans())
def test_xliff_round_trip(tmp_path: Path, pairs: list[tuple[str, str]], first: bool) -> None:
    sides = [(escape(left), escape(right)) for left, right in pairs]
    if first:
        units = "".join(f"<trans-unit><source>{a}</source><target>{b}</target></trans-unit>" for a, b in sides)
        text = (
            '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">'
            f'<file source-language="en-GB" target-language="it"><body>{units}</body></file></xliff>'
        )
    else:
        units = "".join(f"<unit><segment><source>{a}</source><target>{b}</target></segment></unit>" for a, b in sides)
        text = (
            '<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang="en" trgLang="it">'
            f"<file>{units}</file></xliff>"
        )
    (tmp_path / "a.xlf").write_text(text, encoding="utf-8")
    assert read(tmp_path / "a.xlf") == [Pair(line, *pair) for line, pair in enumerate(pairs, 1)]


def test_inline_elements_become_their_text(tmp_path: Path) -> None:
    left = 'Click <bpt i="1">&lt;b&gt;</bpt><hi>here</hi><ept i="1">&lt;/b&gt;</ept>, <!-- no -->now<ph/>.'
    (tmp_path / "a.tmx").write_text(
        tmx([{"en": left, "it": "Clicca <it pos='begin'>&lt;i></it>qui."}, {"en": "alone"}])
    )
    assert read(tmp_path / "a.tmx") == [Pair(1, "Click here, now.", "Clicca qui.")]


def test_xliff_segments_states_and_directions(tmp_path: Path) -> None:
    marked = [f'<mrk mtype="seg" mid="{n}">{text} <g id="1">{n}</g></mrk>' for n, text in ((1, "One"), (2, "Two"))]
    turned = [f'<mrk mtype="seg" mid="{n}">{text} {n}</mrk>' for n, text in ((1, "Uno"), (2, "Due"))]
    units = [
        f"<source>One 1 Two 2</source><seg-source>{' '.join(marked)}</seg-source><target>{' '.join(turned)}</target>",
        '<source>new</source><target state="needs-translation">new</target>',
        "<source>no target</source>",
        "<source>x</source><target>y</target><alt-trans><source>old</source><target>vecchio</target></alt-trans>",
    ]
    body = "".join(f"<trans-unit>{unit}</trans-unit>" for unit in units)
    other = "<trans-unit><source>sì</source><target>yes</target></trans-unit>"
    (tmp_path / "a.xliff").write_text(
        f'<xliff><file source-language="en" target-language="it"><body><group>{body}</group></body></file>'
        f'<file source-language="it" target-language="en"><body>{other}</body></file>'
        f'<file source-language="en" target-language="fr"><body>{other}</body></file></xliff>'
    )
    expected = [Pair(1, "One 1", "Uno 1"), Pair(2, "Two 2", "Due 2"), Pair(5, "x", "y"), Pair(6, "yes", "sì")]
    assert read(tmp_path / "a.xliff") == expected


FORBIDDEN = [
    "\x0b",
    "\x00",
    "&#x1F;",
    "&#11;",
    "R&D",
    "a & b",
    "x < y",
    "&nbsp;",
    "]]>",
    "&unfinished",
    "\ufffe",
    "&#xD800;",
]


@QUICK
@given(st.lists(st.sampled_from(FORBIDDEN), min_size=1, max_size=3), st.integers(0, 59), st.integers(1, 60))
def test_a_unit_with_what_xml_forbids_is_counted_and_the_others_read(
    tmp_path: Path, bad: list[str], place: int, size: int
) -> None:
    units = [{"en": f"text &amp; {n} <![CDATA[R&D <b>]]>", "it": f"testo {n}"} for n in range(60)]
    units[place]["en"] += " ".join(bad)
    (tmp_path / "a.tmx").write_text(tmx(units), encoding="utf-8")
    messages: list[str] = []
    pairs = list(read_pairs([str(tmp_path / "a.tmx")], "en", "it", report=messages.append))
    assert pairs == [Pair(n + 1, f"text & {n} R&D <b>", f"testo {n}") for n in range(60) if n != place]
    assert len(messages) == 1 and f"a.tmx, unit {place + 1}: has what XML forbids" in messages[0]
    written = tmx(units).encode()
    chunks = [written[i : i + size] for i in range(0, len(written), size)]
    assert b"".join(mark_forbidden(chunks)) == b"".join(mark_forbidden([written]))


@QUICK
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_nothing_is_marked_in_whole_xml(pairs: list[tuple[str, str]], encoding: str) -> None:
    written = tmx([{"en": escape(left), "it": escape(right)} for left, right in pairs]).encode(encoding)
    assert b"".join(mark_forbidden([written[:90], written[90:]])) == written


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_bytes_of_another_encoding_and_control_characters_cost_their_unit(tmp_path: Path, encoding: str) -> None:
    body = "".join(f"<trans-unit><source>é {n}</source><target>è</target></trans-unit>" for n in range(40))
    written = (
        f'<?xml version="1.0" encoding="{encoding}"?><xliff version="1.2"><file source-language="en"'
        f' target-language="it"><body>{body}</body></file></xliff>'
    )
    data = written.replace("é 7<", "\x0b 7<").encode(encoding)
    (tmp_path / "a.xlf").write_bytes(data.replace(b"\xc3\xa9 9<", b"\xe9 9<"))
    left_out = {8, 10} if encoding == "utf-8" else {8}
    assert read(tmp_path / "a.xlf") == [Pair(n + 1, f"é {n}", "è") for n in range(40) if n + 1 not in left_out]


def test_a_file_of_undeclared_entities_is_refused_with_the_remedy(tmp_path: Path) -> None:
    message = complaint(tmp_path / "a.tmx", tmx([{"en": f"a&nbsp;{n}", "it": "b"} for n in range(30)]))
    assert "unit 1: has what XML forbids" in message and "30 of 30 rows" in message


BOMB = '<!DOCTYPE tmx [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("doctype", "segment"),
    [
        (BOMB + "]>", "&i;"),
        (BOMB + "]>", "no use of it"),
        ('<!DOCTYPE tmx [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"),
        ('<!DOCTYPE tmx [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>', "x"),
        ("<!DOCTYPE tmx [<!ELEMENT tmx ANY>]>", "x"),
    ],
)
def test_entities_and_document_types_are_refused(tmp_path: Path, doctype: str, segment: str) -> None:
    reset_peak_rss()
    before = peak_rss()
    report_text = complaint(tmp_path / "a.tmx", tmx([{"en": segment, "it": segment}], doctype))
    assert "unsafe" in report_text or "not complete XML" in report_text
    assert peak_rss() - before < 50 << 20


def test_a_bomb_in_an_attribute_is_refused(tmp_path: Path) -> None:
    report_text = complaint(tmp_path / "a.tmx", BOMB + ']><tmx version="&i;"><body/></tmx>')
    assert "unsafe" in report_text or "not complete XML" in report_text


def test_a_document_type_that_is_only_named_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "tmx14.dtd").write_text('<!ENTITY x "expanded">')
    written = tmx([{"en": "a", "it": "b"}], '<!DOCTYPE tmx SYSTEM "tmx14.dtd">')
    (tmp_path / "a.tmx").write_text(written)
    assert read(tmp_path / "a.tmx") == [Pair(1, "a", "b")]
    (tmp_path / "a.tmx").write_text(written.replace(">a<", ">a&x;b<"))
    assert read(tmp_path / "a.tmx") == [Pair(1, "a&x;b", "b")]


def test_what_is_wrong_is_reported(tmp_path: Path) -> None:
    written = tmx([{"en": "a", "it": "b"}])
    assert "not complete XML" in complaint(tmp_path / "a.tmx", written[:-9])
    assert "not complete XML" in complaint(tmp_path / "a.tmx", "")
    assert "first element is not <tmx>" in complaint(tmp_path / "a.tmx", "<html><body/></html>")
    assert "first element is not <xliff>" in complaint(tmp_path / "a.xlf", written)
    assert "languages in it: en, it" in complaint(tmp_path / "a.tmx", written, "en", "fr")
    assert "encoding" in complaint(tmp_path / "a.tmx", written.replace('1.0"', '1.0" encoding="klingon"'))
    (tmp_path / "a.tmx.gz").write_bytes(gzip.compress(written.encode() * 9, mtime=0)[:60])
    with pytest.raises(UserError, match="gzip"):
        read(tmp_path / "a.tmx.gz")


def test_memory_is_flat(tmp_path: Path) -> None:
    unit = f"<tu><tuv xml:lang='en'><seg>{'a ' * 200}</seg></tuv><tuv xml:lang='it'><seg>b</seg></tuv></tu>\n"
    for name, tag in (
        ("a.tmx", unit),
        ("a.xlf", f"<trans-unit><source>{'a ' * 200}</source><target>b</target></trans-unit>"),
    ):
        root = name.split(".")[1].replace("xlf", "xliff")
        with (tmp_path / name).open("w") as file:
            file.write(f"<{root}><body>")
            for _ in range(10):
                file.write(tag * 2000)
            file.write(f"</body></{root}>")
        reset_peak_rss()
        before = peak_rss()
        assert sum(1 for _ in read_pairs([str(tmp_path / name)], "en", "it")) == 20_000
        assert (tmp_path / name).stat().st_size > 8_000_000
        assert peak_rss() - before < 5_000_000


def test_languages_match_leniently() -> None:
    assert match_language("en", {"EN_us": 1, "it": 2}) == 1
    assert match_language("en-GB", {"en": 1}) == 1
    assert match_language("pt_BR", {"pt-PT": 1, "pt-br": 2}) == 2
    assert match_language("pt", {"pt-PT": 1, "pt-br": 2}) is None
    assert match_language("de", {"en": 1}) is None
