"""What readers see and is not translated is counted and named; template code is never text."""

from dataclasses import replace

import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention, translate_document
from distilmt.documents.document_report import DocumentReport


def report_and_bytes(text, name):
    """The report of a document that a translator of capitals went through, and the translation."""
    upper = TranslateWithAttention(lambda texts: [t.upper() for t in texts], lambda texts, output: [[] for _ in texts])
    upper = replace(upper, report=DocumentReport())
    return upper.report, translate_document(text.encode(), name, upper).decode()


# A document, and a word of the reason for which one text of it is left.
LEFT = [
    ("a.md", "[[Page name]]", "name of a linked page"),
    ("a.md", "---\ntitle: A title\n---\n", "front matter"),
    ("a.md", '{{< card text="two words" >}}', "shortcode"),
    ("a.md", '{{< note "two words" >}}', "shortcode"),
    ("a.md", "{{< figure caption='a [b](c)' >}}", None),
    ("a.mdx", "{a && <b>Two words</b>}", "expression"),
    ("a.html", "<pre>Two words.</pre>", "<pre>"),
    ("a.html", "<textarea>Two words.</textarea>", "<textarea>"),
    ("a.html", "<svg><text>Two words.</text></svg>", "<svg>"),
    ("a.html", "<pre class=x><code>two words</code></pre>", None),
    ("a.html", "<script>two words</script>", None),
    ("a.html", '<div translate="no"><pre>two words</pre></div>', None),
    ("a.html", '<input type="submit" name="a" value="Send it">', "button"),
    ("a.html", "{% trans 'Save' as a %}", "template"),
    ("a.html", '<a title="{{ _("Close") }}">1</a>', "template"),
    ("a.html", '{% include "a.html" with title="Two words" %}', "template"),
    ("a.html", '{% if a == "two words" %}{% endif %}', None),
    ("a.html", "{% comment %}Two words.{% endcomment %}", None),
    ("a.json", '{"a": "Timor-Leste"}', "identifier"),
    ("a.json", '{"a": "jola-fonyi"}', "identifier"),
]


@pytest.mark.parametrize(("name", "text", "reason"), LEFT)
def test_each_text_that_is_left_is_counted(name, text, reason):
    report, instance = report_and_bytes(text, name)
    assert instance == text
    assert report.left == (reason is not None)
    assert reason is None or reason in next(iter(report.skipped))


@settings(max_examples=example_count(60), deadline=None)
@given(st.sampled_from(["md", "html"]), st.data())
def test_counts_add_up(kind, data):
    kinds = [(text, reason) for name, text, reason in LEFT if name == f"a.{kind}" and "title: " not in text]
    chosen = data.draw(st.lists(st.sampled_from(kinds), max_size=6))
    joint = "\n\n<!-- -->\n\n" if kind == "md" else "\n<p>1</p>\n"
    text = joint.join(text for text, _ in chosen)
    report, instance = report_and_bytes(text, f"a.{kind}")
    assert instance == text
    assert report.left == sum(reason is not None for _, reason in chosen)


# Template code around the parts of tags; all of it stands as it stood.
TEMPLATES = [
    "<{% if a %}a href='{{ b }}'{% else %}button{% endif %} class=\"c\">",
    "</{% if a %}a{% else %}button{% endif %}>",
    '<{{ a.tag }} {% if b %}class="{% spaceless %}\n{{ c }}\n{% endspaceless %}"{% endif %}>',
    "</{{ a.tag }}>",
    "<p {% if a > b %}class='x'{% elif c %} checked {% endif %}>",
    "</p>",
    '<input {% for k, v in a %}{{ k }}="{{ v }}"{% endfor %}>',
    "<<%= tag %> id=x>",
    "<option value=\"{{ a }}\"{% if a == 'b c' %} selected{% endif %}>",
    "{% block a %}",
    "{% endblock %}",
    "{% comment 'why' %} no <b>text</b> {% endcomment %}",
]


@settings(max_examples=example_count(150), deadline=None)
@given(st.lists(st.sampled_from([*TEMPLATES, "some words"]), max_size=12))
def test_template_code_in_tags_is_no_text(parts):
    text = "\n".join(parts)
    _, instance = report_and_bytes(text, "a.html")
    assert instance == "\n".join(part.upper() if part == "some words" else part for part in parts)
    assert translate_document(text.encode(), "a.html", list) == text.encode()


def test_text_of_blocktranslate_is_translated():
    text = (
        "<b>{% blocktrans trimmed %}You have <i>edits</i>{% endblocktrans %}</b><noscript><p>Turn it on</p></noscript>"
    )
    assert report_and_bytes(text, "a.html")[1] == text.replace("You have", "YOU HAVE").replace(
        "edits", "EDITS"
    ).replace("Turn it on", "TURN IT ON")


@settings(max_examples=example_count(100), deadline=None)
@given(st.text(st.sampled_from("ab \"'()\\&;]*_"), min_size=1, max_size=12), st.sampled_from(['""', "''", "()"]))
def test_titles_of_links_keep_their_link(title, quotes):
    """Whatever a title holds, the link leads where it led, and an identity changes nothing."""
    from markdown_it import MarkdownIt

    text = f"[a](b {quotes[0]}{title}{quotes[1]}) c\n"
    assert translate_document(text.encode(), "a.md", list) == text.encode()
    instance = report_and_bytes(text, "a.md")[1]
    before, after = (MarkdownIt().parseInline(t)[0].children for t in (text, instance))
    assert [t.attrs.get("href") for t in before] == [t.attrs.get("href") for t in after]
