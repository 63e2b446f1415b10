"""A page in Chinese has what its English page has: headings, commands, code, keys, tables, figures and links."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path

import pytest
from helpers.pages import PAGES, ROOT

SUFFIX = ".zh-CN.md"
TRANSLATED = [page for page in PAGES if page.name.endswith(SUFFIX)]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"(^|\s+)#\s.*$", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(r"(?<![\w.,])\d[\d.,]*")
HAN = re.compile("[\u4e00-\u9fff]")
OWN = {"README.zh-CN.md": {'make demo DEMO_FLAGS="--report_language zh"'}}
"""Commands that only readers of Chinese need."""


def english(page: Path) -> Path:
    return page.with_name(page.name.replace(SUFFIX, ".md"))


def identity(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(text: str) -> str:
    """The text without blocks and without code."""
    return CODE.sub("", FENCE.sub("", text))


def headings(text: str) -> list[int]:
    return [len(line.split()[0]) for line in FENCE.sub("", text).splitlines() if re.match("#+ ", line)]


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and lines of each block, without comments: those are translated."""
    return [(language, COMMENT.sub("", block)) for language, block in FENCE.findall(text)]


def codes(text: str) -> Counter[str]:
    return Counter(" ".join(code.split()) for code in CODE.findall(FENCE.sub("", text)))


def tables(text: str) -> list[int]:
    """The number of cells in each row of each table."""
    return [CODE.sub("", line).count("|") for line in FENCE.sub("", text).splitlines() if line.startswith("|")]


def figures(text: str) -> Counter[str]:
    """Numbers in prose and tables; 30 万 is 0.3 million."""
    plain = LINK.sub("](", prose(text))
    for unit, factor in ((" million", 1_000_000), (" 万", 10_000)):
        plain = re.sub(r"(\d[\d.]*)" + unit, lambda match, one=factor: f"{float(match[1]) * one:.0f}", plain)
    return Counter(number.rstrip(".,") for number in NUMBER.findall(plain))


def links(text: str) -> Counter[str]:
    """Targets without their place on the page: headings have other names."""
    targets = LINK.findall(prose(text))
    return Counter(target.partition("#")[0].replace(SUFFIX, ".md") or "#" for target in targets)


@pytest.mark.parametrize("part", [headings, blocks, tables, figures, links])
@pytest.mark.parametrize("page", TRANSLATED, ids=identity)
def test_both_languages_have_the_same(page, part):
    assert part(page.read_text("utf-8")) == part(english(page).read_text("utf-8"))


@pytest.mark.parametrize("page", TRANSLATED, ids=identity)
def test_both_languages_name_the_same_code(page):
    own = Counter(OWN.get(page.name, ()))
    assert codes(page.read_text("utf-8")) - own == codes(english(page).read_text("utf-8"))


@pytest.mark.parametrize("page", TRANSLATED, ids=identity)
def test_the_pages_link_to_each_other_at_the_top(page):
    """And a page in Chinese links to pages in Chinese where they exist."""
    text = page.read_text("utf-8")
    top = ["\n".join(path.read_text("utf-8").splitlines()[:8]) for path in (page, english(page))]
    assert f"[English]({english(page).name})" in top[0] and f"[中文]({page.name})" in top[1]
    for target in LINK.findall(prose(text).replace(f"[English]({english(page).name})", "")):
        path = page.parent / target.partition("#")[0]
        is_english = path.suffix == ".md" and not path.name.endswith(SUFFIX)
        assert not (is_english and path.with_suffix(SUFFIX).exists()), target


@pytest.mark.parametrize("page", TRANSLATED, ids=identity)
def test_no_paragraph_is_left_in_english(page):
    for paragraph in prose(page.read_text("utf-8")).split("\n\n"):
        words = re.findall(r"[A-Za-z]{2,}", LINK.sub("]", paragraph))
        assert len(words) < 6 or HAN.search(paragraph), paragraph


@pytest.mark.parametrize("page", TRANSLATED, ids=identity)
def test_no_line_break_splits_a_sentence(page):
    """Browsers show a space for it, which does not belong between Chinese words."""
    lines = FENCE.sub("", page.read_text("utf-8")).splitlines()
    for line, following in itertools.pairwise(lines):
        assert not (HAN.search(line) and re.match(r"[\u4e00-\u9fff\[`（“*A-Za-z]", following)), line


def test_there_are_pages_in_chinese():
    assert len(TRANSLATED) >= 7


def test_comments_are_no_commands():
    text = "```bash\nmake demo   # 演示\n# 说明\n```\n"
    assert blocks(text) == [("bash", "make demo\n")]
    assert (
        figures("30 万，2,000 个；[甲](a1.md)；`x 7`") == figures("0.3 million, 2,000") == Counter(["300000", "2,000"])
    )
