"""Each public complaint about HTML and Markdown gives what is right."""

from distilmt.documents import TranslateWithAttention, translate_document, translate_html
from distilmt.documents.document_report import DocumentReport
from distilmt.documents.html_charset import declared_encoding
from distilmt.documents.markdown import translate_markdown


def upper(texts):
    return [text.upper() for text in texts]


def test_t19_long_expressions_in_pages():
    expression = '{{ _h("' + "Due to abuse, many words stand here. " * 5 + '") }}'
    assert translate_html(f"<p>{expression}</p><p>x</p>", upper) == f"<p>{expression}</p><p>X</p>"
    assert translate_html(f"<meta name=description content='{expression}'>", upper).count(expression) == 1


def test_t24_icon_fonts():
    icons = '<i class="material-icons">delete</i><span class="material-symbols-outlined">home</span>'
    assert translate_html(f"<p>{icons} Remove it</p>", upper) == f"<p>{icons} REMOVE IT</p>"


def test_t26_attributes_without_quotes():
    assert translate_html("<img src=a.png alt=Photo>", upper) == '<img src=a.png alt="PHOTO">'


def test_t27_the_language_of_a_page():
    model = TranslateWithAttention(upper, lambda texts, output: [[] for _ in texts], languages=("en", "he"))
    assert translate_html('<html lang="en"><p>x</p>', model) == '<html dir="rtl" lang="he"><p>X</p>'


def test_t28_white_space_and_entities():
    assert translate_html("<p>&lt;</p>\n\t<p>a&nbsp;b</p>", upper) == "<p>&lt;</p>\n\t<p>A&nbsp;B</p>"


def test_t29_tags_in_a_word():
    assert translate_html('<b>d</b><i>o</i><a id="1">g</a>', upper) == '<b><i><a id="1">DOG</a></i></b>'


def test_t30_a_page_in_latin_1():
    page = b'<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"><p>The caf\xe9.</p>'
    assert declared_encoding(page) == "cp1252"
    assert page.decode("cp1252").encode("cp1252") == page


def test_t31_toml_head():
    head = '+++\ntitle = "The first page"\ndraft = false\n+++\n\n'
    assert translate_markdown(f"{head}Text.\n", upper) == f"{head}TEXT.\n"


def test_t33_directives_in_colons():
    text = ":::note\n\nRead.\n\n:::\n\n:::warning Be careful\n\n:::\n\n:::tip[A good idea]\nUse.\n:::\n"
    instance = ":::note\n\nREAD.\n\n:::\n\n:::warning BE CAREFUL\n\n:::\n\n:::tip[A GOOD IDEA]\nUSE.\n:::\n"
    assert translate_markdown(text, upper) == instance


def test_t36_shortcodes():
    figure = (
        '{{< figure src="/img/house.png" alt="A big red house near the small river" caption="The house of a friend" >}}'
    )
    read = figure.replace("A big red house near the small river", "A BIG RED HOUSE NEAR THE SMALL RIVER")
    read = read.replace("The house of a friend", "THE HOUSE OF A FRIEND")
    assert translate_markdown(f"Text {figure} here.", upper) == f"TEXT {read} HERE."
    code = '{{< code-toggle >}}\ndata = ["name"]\n{{< /code-toggle >}}'
    assert translate_markdown(f"{code}\nText.", upper) == f"{code}\nTEXT."


def test_t37_imports_exports_and_expressions():
    text = "import Tabs from '@theme/Tabs';\n\nexport const answer = 42;\n\nThe {items.map((i) => <b>{i}</b>)}.\n"
    assert translate_markdown(text, upper) == text.replace("The", "THE")


def test_n10_fragments_of_mdx():
    text = "<>\nSome text\n</>\n\nAn <>inner one</> and `<>`.\n\n```\n<>\n```\n"
    instance = translate_document(text.encode(), "a.mdx", upper).decode()
    assert instance == text.replace("Some text", "SOME TEXT").replace("An <>inner one</> and", "AN <>INNER ONE</> AND")
    assert translate_document(text.encode(), "a.mdx", list).decode() == text


def test_n11_the_head_of_pandoc_and_commands_of_tex_are_counted():
    report = DocumentReport()
    model = TranslateWithAttention(upper, lambda texts, translations: [[] for _ in texts], report=report)
    text = "% A title\n% Author Name\n% 2024\n\n\\section{A title of two}\n\nText.\n"
    assert translate_document(text.encode(), "a.md", model).decode() == text.replace("Text", "TEXT")
    assert report.left == 2


def test_t39_wiki_links_and_marks():
    assert translate_markdown("A [[Wiki Page|the label]] ==is== it.", upper) == "A [[Wiki Page|THE LABEL]] ==IS== IT."


def test_w6_a_tag_with_very_many_attributes():
    tag = "<p " + " ".join(f'a{i}="x"' for i in range(20_000)) + ">"
    assert translate_html(f"{tag}word</p>", upper) == f"{tag}WORD</p>"


def test_w7_snake_case_is_not_nested():
    text = "some_snake_case_name is here. " * 60 + "*a " * 500
    assert translate_markdown(text, lambda texts: list(texts)) == text
    assert "some_snake" not in translate_markdown(text, upper)


def test_k3_a_long_page_is_translated_in_bounded_batches():
    sizes = []

    def translate(texts):
        sizes.append(sum(map(len, texts)))
        return list(texts)

    translate_html("".join(f"<p>Paragraph number {i} of the page.</p>" for i in range(3000)), translate)
    assert max(sizes) <= 20_000 and len(sizes) >= 5


def test_n01_ruby_in_pages():
    report = DocumentReport()
    model = TranslateWithAttention(upper, lambda texts, translations: [[] for _ in texts], report=report)
    page = "<p>A <ruby>base<rp>(</rp><rt>above</rt><rp>)</rp></ruby> is</p>"
    assert translate_html(page, model) == page.replace("base", "BASE").replace("is<", "IS<")
    assert report.left == 1 and translate_html(page, list) == page
