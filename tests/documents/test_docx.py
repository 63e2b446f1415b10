import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention, report_of, translate_document
from distilmt.utils.errors import UserError

lxml = pytest.importorskip("lxml")
TRANSITIONAL = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def package(body, namespace=TRANSITIONAL, parts=(), main="word/document.xml"):
    """A Word document with this body, and other parts: the kind of their relationship, name and body."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as instance:
        root = f'<Relationship Id="a" Type="{KINDS}/officeDocument" Target="{main}"/>'
        instance.writestr("_rels/.rels", f'<Relationships xmlns="{RELATIONS}">{root}</Relationships>')
        instance.writestr(main, f'<w:document xmlns:w="{namespace}"><w:body>{body}</w:body></w:document>')
        links = "".join(
            f'<Relationship Id="r{i}" Type="{KINDS}/{k}" Target="{n}"/>' for i, (k, n, _) in enumerate(parts)
        )
        folder, _, name = main.rpartition("/")
        instance.writestr(f"{folder}/_rels/{name}.rels", f'<Relationships xmlns="{RELATIONS}">{links}</Relationships>')
        for _, name, content in parts:
            instance.writestr(f"{folder}/{name}", content)
        instance.writestr("word/media/x.bin", b"\x00\x01")
    return file.getvalue()


def run(text, look=""):
    return f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def part(data, name="word/document.xml"):
    return zipfile.ZipFile(io.BytesIO(data)).read(name).decode()


def asking(data):
    """What the model is given, and the document with every translation in capitals."""
    given_texts = []

    def shout(texts):
        given_texts.extend(texts)
        return [text.upper() for text in texts]

    return given_texts, translate_document(data, "a.docx", shout)


@pytest.mark.parametrize("namespace", [TRANSITIONAL, STRICT])
def test_both_namespaces_are_recognized(namespace):
    texts, instance = asking(package(f"<w:p>{run('one text')}</w:p>", namespace))
    assert texts == ["one text"] and "ONE TEXT" in part(instance)


def test_parts_are_located_by_relationships_whatever_their_names():
    header = f'<w:hdr xmlns:w="{TRANSITIONAL}"><w:p>{run("a header")}</w:p></w:hdr>'
    a = "http://schemas.openxmlformats.org/drawingml/2006/main"
    chart = f'<c xmlns:a="{a}"><a:p><a:r><a:t>a chart</a:t></a:r></a:p></c>'
    parts = [("header", "kopf.xml", header), ("chart", "charts/c1.xml", chart), ("theme", "t.xml", chart)]
    texts, instance = asking(package(f"<w:p>{run('one text')}</w:p>", parts=parts, main="word/document2.xml"))
    assert sorted(texts) == ["a chart", "a header", "one text"]
    assert "A HEADER" in part(instance, "word/kopf.xml") and "A CHART" in part(instance, "word/charts/c1.xml")
    assert part(instance, "word/t.xml") == chart


def test_hyphens_and_symbols_that_are_elements():
    body = (
        "<w:p><w:r><w:t>The high</w:t><w:noBreakHyphen/><w:t>speed trans</w:t><w:softHyphen/>"
        "<w:t>port is here.</w:t></w:r>"
        '</w:p><w:p><w:r><w:t xml:space="preserve">Price: 5 </w:t><w:sym w:font="Symbol" w:char="F0A0"/>'
        '<w:t xml:space="preserve"> euro</w:t></w:r></w:p>'
    )
    texts, instance = asking(package(body))
    assert "The high-speed transport is here." in texts and not any("5euro" in text for text in texts)
    xml = part(instance)
    assert "THE HIGH</w:t><w:noBreakHyphen/><w:t>SPEED TRANSPORT IS HERE.</w:t>" in xml and xml.count("<w:sym ") == 1
    assert xml.index("PRICE") < xml.index("<w:sym ") < xml.index("EURO")


def test_names_that_are_filled_in_are_preserved():
    def field(kind):
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    instruction = "<w:r><w:instrText> MERGEFIELD Name </w:instrText></w:r>"
    complex_field = f"{field('begin')}{instruction}{field('separate')}{run('«Name»')}{field('end')}"
    simple = f'<w:fldSimple w:instr=" MERGEFIELD Town ">{run("«Town»")}</w:fldSimple>'
    _, instance = asking(package(f"<w:p>{run('Dear ')}{complex_field}{run(' of ')}{simple}{run(', good day.')}</w:p>"))
    assert "«Name»" in part(instance) and "«Town»" in part(instance) and "GOOD DAY" in part(instance)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.text("abc .-", max_size=6), st.sampled_from(["", "<w:b/>", "<w:i/>"])), max_size=8))
def test_a_document_whose_text_stays_is_the_same_to_the_byte(runs):
    body = "".join(run(text, look) + "<w:r><w:noBreakHyphen/></w:r>" for text, look in runs)
    data = package(f"<w:p>{body}</w:p>")
    assert translate_document(data, "a.docx", list) == data
    changed = translate_document(data, "a.docx", lambda texts: [f"{text} z" for text in texts])
    remaining = [n for n in zipfile.ZipFile(io.BytesIO(data)).namelist() if n != "word/document.xml"]
    assert all(part(changed, name) == part(data, name) for name in remaining)


def test_packages_that_are_created_to_fill_the_memory_are_refused():
    bombs = {
        r"is packed \d+ to 1": run("a" * (4 << 20)),
        "MiB or": "".join(run(f"{i:x}") for i in range(300_000)),
    }
    for message, body in bombs.items():
        with pytest.raises(UserError, match=message):
            translate_document(package(f"<w:p>{body}</w:p>"), "a.docx", list)


def test_many_tiny_runs_are_one_text():
    body = "".join(run(f"{i % 10}a ", "<w:b/>" if i % 2 else "") for i in range(3000))
    texts, instance = asking(package(f"<w:p>{body}</w:p>"))
    assert len(texts) < 10 and part(instance).count("<w:r>") == 3000


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_texts_that_are_not_translated_are_counted(pictures, choices, rubies, labels):
    picture = '<docPr id="1" name="Picture 1" descr="A dog" title="12"/>'
    choice = '<w:listItem w:displayText="One" w:value="1"/>'
    ruby = f"<w:ruby><w:rt>{run('above')}</w:rt><w:rubyBase>{run('base')}</w:rubyBase></w:ruby>"
    body = f"<w:p>{picture * pictures}{choice * choices}<w:r>{ruby * rubies}</w:r>{run('Text.')}</w:p>"
    diagram = f'<d xmlns:a="urn:a">{"<a:t>Label</a:t>" * labels}<a:t>5</a:t></d>'
    data = package(body, parts=[("diagramData", "diagrams/data1.xml", diagram)])
    translate = TranslateWithAttention(list, lambda texts, translations: [[] for _ in texts])
    assert translate_document(data, "a.docx", translate) == data
    counts = {reason: skipped.count for reason, skipped in report_of(translate).skipped.items()}
    expected = {
        "descriptions of pictures are not translated": pictures,
        "choices of lists are not translated": choices,
        "ruby is not translated": rubies,
        "diagrams are not translated": labels,
    }
    assert counts == {reason: count for reason, count in expected.items() if count}
