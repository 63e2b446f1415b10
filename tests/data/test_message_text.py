import pytest

from distilmt.data.readers.message_text import message_pairs


@pytest.mark.parametrize(
    ("message", "translation", "expected"),
    [
        ("Save _As…", "Salva _come…", [("Save As…", "Salva come…")]),
        ("E&xit the program", "Esci dal &programma", [("Exit the program", "Esci dal programma")]),
        ("Open _File", "打开文件(_F)", [("Open File", "打开文件")]),
        ("^Forget it", "^Dimentica", [("Forget it", "Dimentica")]),
        ("cannot read file_name", "file_name non leggibile", [("cannot read file_name", "file_name non leggibile")]),
        ("Cut && paste", "Taglia && incolla", [("Cut & paste", "Taglia & incolla")]),
        ("no file %(a_b)s at %d", "manca %(a_b)s a %d", [("no file %(a_b)s at %d", "manca %(a_b)s a %d")]),
        ("menu|Open it", "Aprilo", [("Open it", "Aprilo")]),
        ("female^Elvish Archer", "Arciera elfica", [("Elvish Archer", "Arciera elfica")]),
        ("yes|no", "sì|no", [("yes|no", "sì|no")]),
        (
            "One day.\nAnother day.",
            "Un giorno. Un\naltro.",
            [("One day.", "Un giorno."), ("Another day.", "Un altro.")],
        ),
        ("One day. Another.", "Un giorno e un altro.", [("One day. Another.", "Un giorno e un altro.")]),
        ("A one.\n\nA two.", "Un uno.\n\nUn due.", [("A one.", "Un uno."), ("A two.", "Un due.")]),
        ("A one.\n\nA two.", "Un uno e due.", []),
        ("  -v, --verbose   print more", "  -v, --verbose   stampa di più", []),
        ("size:\tlarge", "misura:\tgrande", []),
        ("<b>Bold</b> text", "Testo <b>grassetto</b>", []),
        ("translator-credits", "Anna Rossi", []),
    ],
)
def test_message_pairs(message: str, translation: str, expected: list[tuple[str, str]]) -> None:
    assert list(message_pairs(message, translation)) == expected
