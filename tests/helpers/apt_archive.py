"""A folder that apt takes for an archive of Debian packages."""

import hashlib
import subprocess
from pathlib import Path

ENGLISH = """\
Package: frob
Description-md5: 0123
Description-en: small tool
 It frobs. It is small.

"""
ITALIAN = ENGLISH.replace("Description-en: small tool", "Description-it: piccolo strumento").replace(
    "It frobs. It is small.", "Serve a frobbare. È piccolo."
)
PACKAGES = """\
Package: frob
Source: frobnicate (1.0)
Section: contrib/net
Version: 1.0
Architecture: all
Description: small tool
Description-md5: 0123

Package: alone
Version: 2
Architecture: all
Description: another

"""


class Repository:
    """A folder apt takes for an archive, and the configuration that makes it do so."""

    def __init__(self, root: Path) -> None:
        self.root, self.config = root / "archive", root / "apt.conf"
        sources = root / "sources.list"
        sources.write_text(f"deb [trusted=yes arch=all] copy:{self.root} suite main\n")
        self.config.write_text(f'Dir::Etc::SourceList "{sources}";\nDir::Etc::SourceParts "/dev/null";\n')
        for name, text in (
            ("binary-all/Packages", PACKAGES),
            ("i18n/Translation-en", ENGLISH),
            ("i18n/Translation-it", ITALIAN),
            ("i18n/Translation-pt_BR", ITALIAN.replace("-it", "-pt_BR")),
        ):
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        main = self.root / "dists/suite/main"
        (main / name).parent.mkdir(parents=True, exist_ok=True)
        (main / name).write_bytes(text.encode())
        sums = [
            f" {hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_size} {path.relative_to(main.parent)}"
            for path in sorted(main.rglob("*"))
            if path.is_file()
        ]
        head = ["Suite: suite", "Codename: suite", "Architectures: all", "Components: main"]
        (main.parent / "Release").write_text("\n".join([*head, "SHA256:", *sums]) + "\n")

    def publish(self, name: str, files: dict[str, bytes]) -> None:
        """Build the only package of the archive from its files, by their whole names."""
        tree, deb = self.root / "build" / name, self.root / f"pool/{name}.deb"
        control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: {name}\n"
        for place, content in {**files, "DEBIAN/control": control.encode()}.items():
            (tree / place).parent.mkdir(parents=True, exist_ok=True)
            (tree / place).write_bytes(content)
        deb.parent.mkdir(exist_ok=True)
        command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(deb)]
        subprocess.run(command, check=True, capture_output=True)
        data = deb.read_bytes()
        place = f"Filename: pool/{name}.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        self.write("binary-all/Packages", control + place)
