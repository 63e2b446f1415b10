"""Pages of the site that are not in docs/: README as the first page, the notebook, and files that pages link to.

mkdocs calls the functions `on_…` (`hooks` in mkdocs.yml). In the repository a link to `../../configs/x.yaml` shows the
file. So that it does on the site too, every file that a page links to becomes a page under `repository/`. The names of
buttons and of the parts of a page are in the language of the page.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils.templates import TemplateContext
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")
SHORT_CODE = re.compile(r"(?<!<pre>)<code>(?=[^<]{1,30}</code>)")
CODE = re.compile(r"(```.*?\n\s*```|`[^`\n]+`)", re.DOTALL)
OWN_PAGES = {
    "README.md": "index.md",
    "README.zh-CN.md": "index.zh-CN.md",
    "docs/tutorials/first-student.ipynb": "tutorials/first-student-notebook.md",
}
LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".json": "json", ".service": "ini"}


def page_of(path: str) -> str:
    """Where the site has a file of the repository: page or asset, relative to the site's root."""
    if path in OWN_PAGES:
        return OWN_PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"repository/{path if path.endswith('.md') else path.rstrip('/') + '.md'}"


def file_of(page: str) -> str:
    """The file of the repository that a page of the site shows."""
    for path, own in OWN_PAGES.items():
        if page == own:
            return path
    if not page.startswith("repository/"):
        return f"docs/{page}"
    path = page.removeprefix("repository/")
    return path if (ROOT / path).exists() else path.removesuffix(".md")


def linked(path: str, text: str) -> Iterator[str]:
    """Files and directories of the repository that a text links to, from the file `path`."""
    for link in LINK.findall(CODE.sub("", text)):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
        if ":" not in link and not target.startswith("..") and (ROOT / target).exists():
            yield target


def content(path: str) -> str:
    """The text of a page that shows a file, a notebook or a directory of the repository."""
    source = ROOT / path
    if source.is_dir():
        names = sorted(child.name for child in source.iterdir() if not child.name.startswith((".", "__")))
        return f"# {path}\n\n" + "".join(f"- `{name}`\n" for name in names)
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".ipynb":
        return str(MarkdownExporter().from_notebook_node(nbformat.reads(text, as_version=4))[0])
    if source.suffix == ".md":
        return text
    return f"# {path}\n\n````{LANGUAGES.get(source.suffix, 'text')}\n{text}\n````\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README, the notebook, and every file outside docs/ that a page links to, directly or through another one."""
    waiting = [*OWN_PAGES, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    visited: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in visited:
            continue
        visited.add(path)
        text = content(path)
        if path in OWN_PAGES or not path.startswith("docs/"):
            files.append(File.generated(config, page_of(path), content=text))
        if path.endswith((".md", ".ipynb")):
            waiting += [
                target for target in linked(path, text) if target in OWN_PAGES or not target.startswith("docs/")
            ]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files of the repository lead to their pages; searches list no pages of code and of measurements."""
    path = file_of(page.file.src_uri)
    if "/" in path and not path.startswith(("docs/", "examples/README")):
        page.meta["search"] = {"exclude": True}
    parts = CODE.split(markdown)
    parts[::2] = [LINK.sub(lambda match: _site_link(path, page.file.src_uri, match[1]), part) for part in parts[::2]]
    return "".join(parts)


def _site_link(path: str, page: str, link: str) -> str:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    if ":" in link or not (ROOT / target).exists():
        return link
    return posixpath.relpath(page_of(target), posixpath.dirname(page) or ".")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mark code that is short enough to stay on one line (stylesheets/site.css)."""
    return SHORT_CODE.sub('<code class="short">', html)


def on_page_context(context: TemplateContext, page: Page, config: MkDocsConfig, nav: Navigation) -> TemplateContext:
    """Set the theme's language for the page that is written next."""
    config.theme["language"] = "zh" if page.file.src_uri.endswith(".zh-CN.md") else "en"
    return context
