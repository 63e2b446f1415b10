"""The site of the documentation: built without warnings, links lead somewhere, pages fit a phone, searches find."""

from __future__ import annotations

import posixpath
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from helpers import commands, pages
from helpers.browser import chromium, served, watched

pytest.importorskip("mkdocs")
pytestmark = pytest.mark.slow
PHONE = {"width": 390, "height": 844}
SEEN = (
    "index.html",
    "tutorials/first-student.html",
    "how-to/translate.html",
    "reference/configuration.html",
    "reference/api.html",
    "explanation/what-is-distillation.zh-CN.html",
)
PATIENCE = 60_000
"""Milliseconds; only a search that finds nothing waits so long."""


class Page(HTMLParser):
    """What a page links to, what it loads, and the places that links may name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = {"", "__tabbed"}
        self.language = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if tag == "html":
            self.language = values["lang"]
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in ("script", "img", "link"):
            self.loaded += [values[name] for name in ("src", "href") if name in values]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The directory of the built site."""
    directory = tmp_path_factory.mktemp("documentation") / "site"
    program = "import sys; from mkdocs.__main__ import cli; sys.exit(cli())"
    arguments = ["build", "--strict", "--config-file", pages.ROOT / "mkdocs.yml", "--site-dir", directory]
    process = commands.Process(*arguments, program=program).completed()
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    return directory


@pytest.fixture(scope="module")
def parsed(site):
    """The pages by their path in the site."""
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}


def test_nothing_is_loaded_from_other_hosts(parsed):
    assert not [link for page in parsed.values() for link in page.loaded if urlsplit(link).netloc]


def test_links_lead_somewhere(site, parsed):
    """To a file of the site, and to a place on it. The page for errors has the links of a server's root."""
    broken = []
    for path, page in parsed.items():
        for link in page.links if path != "404.html" else ():
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path)))
            target = path if not parts.path else target
            is_there = (site / target).exists()
            if not is_there or (target in parsed and unquote(parts.fragment) not in parsed[target].places):
                broken.append(f"{path}: {link}")
    assert sum(len(page.links) for page in parsed.values()) > 1000
    assert not broken, "\n".join(broken)


def test_pages_name_their_language(parsed):
    for path, page in parsed.items():
        assert page.language == ("zh" if path.endswith(".zh-CN.html") else "en"), path


@pytest.mark.parametrize("name", SEEN)
def test_a_page_fits_a_phone(site, name):
    """Only tables and code are wider than the screen, and move by themselves."""
    with chromium() as browser, served(site) as url, watched(browser, viewport=PHONE) as page:
        page.goto(url + name)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


@pytest.mark.parametrize(
    ("words", "title"),
    [("temperature", "Objectives"), ("glossary", "Glossary"), ("蒸馏", "什么是蒸馏"), ("挑战集", "怎样阅读报告")],
)
def test_a_search_finds_the_page(site, words, title):
    with chromium() as browser, served(site) as url, watched(browser) as page:
        page.goto(url + "index.html")
        page.wait_for_load_state("networkidle")
        page.click(".md-search__input")
        page.type(".md-search__input", words)
        page.keyboard.press("End")  # a key, as the last one of an input method
        heading = f".md-search-result__item h1:has-text('{title}')"
        page.wait_for_selector(heading, state="attached", timeout=PATIENCE)
        assert page.locator(heading).count() > 0
