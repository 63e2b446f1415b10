"""Markdown: what people read is translated, and nothing else, whatever dialect a file is written in."""

import pytest
from helpers.document_models import calls, same, upper
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention, translate_document
from distilmt.documents.document_report import DocumentReport
from distilmt.documents.markdown import translate_markdown

# Blocks as they stand in a file, and in its translation by `upper`.
BLOCKS = [
    ("One *word* here.", "ONE *WORD* HERE."),
    ("## A heading {#an-id .class}", "## A HEADING {#an-id .class}"),
    ("Setext\n======", "SETEXT\n======"),
    (":::note\n\nRead it.\n\n:::", ":::note\n\nREAD IT.\n\n:::"),
    (":::warning Be careful\nText.\n:::", ":::warning BE CAREFUL\nTEXT.\n:::"),
    ("::code-group\n\nText.\n\n::", "::code-group\n\nTEXT.\n\n::"),
    ('::alert{type="info"}\nText.\n::', '::alert{type="info"}\nTEXT.\n::'),
    ("::card\n---\ntitle: a b\n---\nText.\n::", "::card\n---\ntitle: a b\n---\nTEXT.\n::"),
    ('::youtube[A big cat]{id="x"}', '::youtube[A BIG CAT]{id="x"}'),
    ('A :abbr[HTML text]{title="x"} and Note:[a b](c).', 'A :abbr[HTML TEXT]{title="x"} AND NOTE:[A B](c).'),
    ('--8<-- "snippet.md"\n\nText.', '--8<-- "snippet.md"\n\nTEXT.'),
    ("--8<--\na file.md\nb.md\n--8<--\nText.", "--8<--\na file.md\nb.md\n--8<--\nTEXT."),
    ("<<< @/code.js{1,2}\n\n@include(a.md)\n\nText.", "<<< @/code.js{1,2}\n\n@include(a.md)\n\nTEXT."),
    ("\\newcommand{\\x}{y}\n\nText.", "\\newcommand{\\x}{y}\n\nTEXT."),
    ("[comment]: <> (a b)\n[//]: # (a b)\n\nText.", "[comment]: <> (a b)\n[//]: # (a b)\n\nTEXT."),
    ("Text %%a comment%% here.\n\n%%\na comment\n%%", "TEXT %%a comment%% HERE.\n\n%%\na comment\n%%"),
    ("| The first line\n| The second\n  goes on", "| THE FIRST LINE\n| THE SECOND\n  GOES ON"),
    ("| a\n|-\n| b", "| A\n|-\n| B"),
    ("#. One item\n#. Two\n\n(@a) Three", "#. ONE ITEM\n#. TWO\n\n(@a) THREE"),
    ("As [@smith2004, p. 3] and @doe:x say.", "AS [@smith2004, P. 3] AND @doe:x SAY."),
    (":::tip[A good idea]\nText.\n:::", ":::tip[A GOOD IDEA]\nTEXT.\n:::"),
    ("::: {.class #id}\nText.\n:::", "::: {.class #id}\nTEXT.\n:::"),
    (
        "::::{grid} 2 2\n:gutter: 2\n:::{card} A card\nText.\n:::\n::::",
        "::::{grid} 2 2\n:gutter: 2\n:::{card} A CARD\nTEXT.\n:::\n::::",
    ),
    (':::image type="content" alt-text="a b":::', ':::image type="content" alt-text="A B":::'),
    (
        "```{figure} a.png\n:alt: A text\n:name: a b\n\nText.\n```",
        "```{figure} a.png\n:alt: A TEXT\n:name: a b\n\nTEXT.\n```",
    ),
    ("```{note} A title\n:class: tip\nText.\n```", "```{note} A TITLE\n:class: tip\nTEXT.\n```"),
    ("```{code-block} python\na = b\n```", "```{code-block} python\na = b\n```"),
    ("```\n:::note\n{{< a >}}\n```", "```\n:::note\n{{< a >}}\n```"),
    ("> [!NOTE]\n> Text.", "> [!NOTE]\n> TEXT."),
    ("> [!tip]- A title\n> Text.", "> [!tip]- A TITLE\n> TEXT."),
    ('!!! note "A title"\n    Text.\n\n    More.', '!!! note "A TITLE"\n    TEXT.\n\n    MORE.'),
    ("??? tip\n    Text.", "??? tip\n    TEXT."),
    ('=== "A tab"\n    Text.', '=== "A TAB"\n    TEXT.'),
    ("Term\n: Its meaning.", "TERM\n: ITS MEANING."),
    ("- [ ] A task\n- [x] Done", "- [ ] A TASK\n- [x] DONE"),
    ("| A b | `c` |\n|---|---|\n| d | e \\| f |", "| A B | `c` |\n|---|---|\n| D | E \\| F |"),
    ('{{< figure src="/a.png" alt="a b" >}}', '{{< figure src="/a.png" alt="A B" >}}'),
    (
        "{% include f.html caption='It is \\' x' title='a b' %}",
        "{% include f.html caption='It is \\' x' title='A B' %}",
    ),
    ('`{{< figure alt="a b" >}}`', '`{{< figure alt="a b" >}}`'),
    ('```\n{{< figure alt="a b" >}}\n```', '```\n{{< figure alt="a b" >}}\n```'),
    ('{: title="a b" .c}', '{: title="A B" .c}'),
    ("{% comment %}\na b\n{% endcomment %}", "{% comment %}\na b\n{% endcomment %}"),
    ('A [b](c "d \\"e\\" f") g.', 'A [B](c "D \\"E\\" F") G.'),
    ("An ![b](c (d)) g.", "AN ![B](c (D)) G."),
    ("[an other]: <b c>\n  'A title'", "[an other]: <b c>\n  'A TITLE'"),
    ("{{< figure src='" + "a" * 200 + "' >}}\nText.", "{{< figure src='" + "a" * 200 + "' >}}\nTEXT."),
    ("{{% notice %}}\nText.\n{{% /notice %}}", "{{% notice %}}\nTEXT.\n{{% /notice %}}"),
    ("{{< highlight go >}}\na b\n\nc d\n{{< /highlight >}}", "{{< highlight go >}}\na b\n\nc d\n{{< /highlight >}}"),
    ("{{< code-toggle >}}\na = [b c]\n{{</ code-toggle >}}", "{{< code-toggle >}}\na = [b c]\n{{</ code-toggle >}}"),
    ("{% if user.a == 'b c' %}\nText.\n{% endif %}", "{% if user.a == 'b c' %}\nTEXT.\n{% endif %}"),
    ('See {{< ref "a b.md" >}} here.', 'SEE {{< ref "a b.md" >}} HERE.'),
    (
        "import A from '@theme/A';\nimport {\n  B,\n} from 'b';",
        "import A from '@theme/A';\nimport {\n  B,\n} from 'b';",
    ),
    ("export const a = {\n  b: 'c d',\n};", "export const a = {\n  b: 'c d',\n};"),
    ("import duties are high.", "IMPORT DUTIES ARE HIGH."),
    ("export your data now.", "EXPORT YOUR DATA NOW."),
    ("So {items.map((i) => <b>{i} x</b>)} is.", "SO {items.map((i) => <b>{i} x</b>)} IS."),
    ("<Tabs>\n\nText.\n\n</Tabs>", "<Tabs>\n\nTEXT.\n\n</Tabs>"),
    ('<A b={{c: "d e"}} f={() => g}>\n\nText.\n\n</A>', '<A b={{c: "d e"}} f={() => g}>\n\nTEXT.\n\n</A>'),
    ("A [[Wiki Page|label]] and [[Page]].", "A [[Wiki Page|LABEL]] AND [[Page]]."),
    ("Some ==marked text== and H~2~O and x^2^.", "SOME ==MARKED TEXT== AND H~2~O AND x^2^."),
    ("A {ref}`a b` and :smile: too.", "A {ref}`a b` AND :smile: TOO."),
    ("$$\na b\n\nc d\n$$", "$$\na b\n\nc d\n$$"),
    ("\\begin{align}\na b\n\\end{align}", "\\begin{align}\na b\n\\end{align}"),
    ("The sum \\(a+b\\) and $x^2$ is $5.", "THE SUM \\(a+b\\) AND $x^2$ IS $5."),
    ("*[HTML]: Hyper Text", "*[HTML]: HYPER TEXT"),
    ("A note[^1].\n\n[^1]: Word.", "A NOTE[^1].\n\n[^1]: WORD."),
    ("[a]: https://b.c 'A title'", "[a]: https://b.c 'A TITLE'"),
    ('An <img src=x alt="old bridge"> here.', 'AN <img src=x alt="OLD BRIDGE"> HERE.'),
    ("Press <kbd>Ctrl a</kbd> and `b c` now.", "PRESS <kbd>Ctrl a</kbd> AND `b c` NOW."),
    (
        "<details>\n<summary>Click here</summary>\n\nText.\n\n</details>",
        "<details>\n<summary>CLICK HERE</summary>\n\nTEXT.\n\n</details>",
    ),
    ("<https://a.b> and https://c.d/e.", "<https://a.b> AND https://c.d/e."),
    ("[TOC]", "[TOC]"),
    ("{: .class #id}", "{: .class #id}"),
    ("1. One\n\n   ```\n   a b\n   ```\n2. Two", "1. ONE\n\n   ```\n   a b\n   ```\n2. TWO"),
    ("> > Quoted\n> > text.", "> > QUOTED\n> > TEXT."),
    ("Text <% for a in b do %> x `{{` and `}}` y.", "TEXT <% for a in b do %> X `{{` AND `}}` Y."),
    ("snake_case_name and `` a ` b `` too", "SNAKE_CASE_NAME AND `` a ` b `` TOO"),
]
HEADS = ["", "---\ntitle: A b\n---\n\n", '+++\ntitle = "A b"\n[menu]\n+++\n\n', '{\n  "title": "A b"\n}\n\n']


@pytest.mark.parametrize(("before", "after"), BLOCKS)
def test_each_construct(before, after):
    assert translate_markdown(before, upper) == after
    assert translate_markdown(before, same) == before


@settings(max_examples=example_count(150), deadline=None)
@given(st.sampled_from(HEADS), st.lists(st.sampled_from(BLOCKS), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_constructs_side_by_side(head, blocks, end):
    before = head + "\n\n<!-- -->\n\n".join(block for block, _ in blocks) + "\n"
    after = head + "\n\n<!-- -->\n\n".join(block for _, block in blocks) + "\n"
    before, after = before.replace("\n", end), after.replace("\n", end)
    assert translate_markdown(before, same) == before
    assert translate_markdown(before, upper) == after


PIECES = [
    "::",
    "::a[b]{c=d}",
    "%%",
    "| ",
    "#. ",
    "--8<--",
    "<<< a",
    "\\ab{c}",
    ":a[",
    "a",
    "b c. ",
    "\n",
    "\n\n",
    "    ",
    "> ",
    "- ",
    ":::",
    "```",
    "{{<",
    ">}}",
    "{{",
    "}}",
    "{%",
    "%}",
    "{",
    "}",
    "=>",
]
PIECES += [
    "<A b={",
    "/>",
    "</",
    "[[",
    "]]",
    "|",
    "==",
    "~",
    "^",
    "$$",
    "$",
    "\\(",
    "\\)",
    "`",
    "+++",
    "---",
    "import a",
    "export ",
]
PIECES += [
    "[^1]:",
    "!!! ",
    '"',
    "=== ",
    ": ",
    "\t",
    "*[",
    "]: ",
    "&amp;",
    "\r\n",
    "**",
    "_",
    "<!--",
    "-->",
    "<?",
    "\ue000",
]


@settings(max_examples=example_count(400), deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.booleans())
def test_identity_changes_no_byte_of_anything(text, is_mdx):
    assert translate_markdown(text, same, is_mdx) == text


def test_mdx_is_a_kind_of_its_own():
    text = "export const a = 1\n\nText {props.a} and {b} here.\n"
    instance = translate_document(text.encode(), "a.mdx", upper).decode()
    assert instance == "export const a = 1\n\nTEXT {props.a} AND {b} HERE.\n"


def test_what_is_left_is_counted():
    report = DocumentReport()
    hostile = TranslateWithAttention(
        lambda texts: ["a" for _ in texts], lambda texts, output: [[] for _ in texts], report
    )
    assert translate_markdown("One two.\n\nThree four.\n", hostile) == "a\n\na\n"
    assert report.translated == 2 and report.left == 0
    report = DocumentReport()
    changing = TranslateWithAttention(
        lambda texts: ["](x) [" for _ in texts], lambda texts, output: [[] for _ in texts], report
    )
    instance = translate_markdown("[One two](a) three.\n\nFour five six.\n", changing)
    assert report.translated + report.left == 2
    assert (instance.count("(x)") == 0) == (report.translated == 0)


BOMBS = [
    "*a ",
    pytest.param("*a", marks=pytest.mark.slow),  # ten seconds; "~~a" stands in for it
    "_a",
    "snake_case ",
    "&",
    "[",
    "[a](",
    "![",
    "`a ``b ",
    "<",
    "<a ",
    "a\n",
    "[a]: b\n",
    "{{",
    "{{ a",
    "{%",
]
BOMBS += [
    "{",
    "{a=>",
    "</",
    ":::a\n",
    "::: ",
    "$$\n",
    "$a ",
    "\\(",
    "> ",
    "- a\n",
    "| a ",
    "==a ",
    "[[a|",
    "~~a",
    "!!! a\n",
    "a\n: b\n",
]
BOMBS += [
    "export a\n",
    "```\n",
    "[^1]",
    "]",
    "\\begin{a}\n",
    "<!--",
    "~a ",
    "^a ",
    "***",
    "<b>a ",
    "+++\n",
    "---\n",
    "[a][",
    "a|",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_work_grows_with_length_and_no_faster(bomb):
    """Half as much again costs half as much again; both are longer than the length at which a paragraph is cut."""
    texts = [bomb * (length // len(bomb)) for length in (5_200, 7_800)]
    translations: list[str] = []
    small, big = (calls(lambda text=text: translations.append(translate_markdown(text, same))) for text in texts)
    assert big < 1.9 * small + 2000
    assert translations == texts


@settings(max_examples=example_count(60), deadline=None)
@given(
    st.text("abc ", min_size=1, max_size=12).filter(lambda text: text == " ".join(text.split())),
    st.sampled_from(["", "[]"]),
)
def test_the_text_of_a_reference_is_translated_and_its_name_stays(name, end):
    text = f"See [{name}]{end} here.\n\n[{name}]: target\n"
    assert translate_markdown(text, upper) == f"SEE [{name.upper()}][{name}] HERE.\n\n[{name}]: target\n"
    assert translate_markdown(text, same) == text


@pytest.mark.parametrize("name", ["v1.0", "`code`", "NPM", "fooBar", "@user", "#12"])
def test_a_name_in_code_is_no_text(name):
    text = f"See [{name}] here.\n\n[{name}]: target\n"
    assert translate_markdown(text, upper) == f"SEE [{name}] HERE.\n\n[{name}]: target\n"


def test_an_escaped_entity_is_no_entity():
    assert translate_markdown("One \\&amp; two &amp; three\n", upper) == "ONE \\&amp; TWO & THREE\n"
