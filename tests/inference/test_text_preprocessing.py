import sentencepiece as spm
from hypothesis import given
from hypothesis import strategies as st

from distilmt.inference import symbols, truecasing
from distilmt.inference.base import Hypothesis
from distilmt.inference.text_preprocessing import ModelTraits, PreprocessedSentence
from distilmt.inference.tokenization import is_broken, without_broken_bytes

ASCII = ModelTraits(str.isascii, len)
EMOJI = ["👨‍👩‍👧‍👦", "🇮🇹", "1️⃣", "❤️", "👍🏽", "♪", "•", "→", "✓", "°", "™", "★", "\ue001"]
words = st.text("abcdefgh", min_size=1, max_size=6)
pieces = st.lists(st.one_of(words, st.sampled_from(EMOJI), st.sampled_from([" ", ". ", "-", "!", "5"])), max_size=12)


def through(text, view, translate):
    """What a text becomes, and what the model was given."""
    reading, given_texts = PreprocessedSentence(text, view), []
    while reading.result is None:
        given_texts += reading.requests
        reading.receive([[Hypothesis(translate(request), ["x"], -1.0)] for request in reading.requests])
    return (reading.result[0].text if reading.result else ""), given_texts


@given(pieces.map("".join))
def test_symbols_that_a_model_lacks_are_all_there_whatever_it_responses(text):
    for translate in (str, lambda request: "nota", lambda request: request[::-1], lambda request: ""):
        instance, given_texts = through(text, ASCII, translate)
        assert symbols.counts(instance) == symbols.counts(text)
        assert all(request.isascii() and request for request in given_texts)


@given(st.text(max_size=40))
def test_what_a_model_copies_comes_back(text):
    instance, _ = through(text, ModelTraits(lambda c: True, len, capitals=True), str)
    assert instance == text or not text.strip("\ufeff\u200b \t\r\n\f\v") or "\u200b" in text


@given(st.text(st.characters(exclude_categories=["L"]), max_size=30))
def test_a_text_without_letters_comes_back_and_is_never_given_to_a_model(text):
    instance, given_texts = through(text, ASCII, lambda request: "rubbish")
    assert given_texts == [] and instance in (text, "")
    assert instance == text or not text.strip("\ufeff\u200b \t\r\n\f\v")


def test_a_symbol_goes_to_one_of_two_equal_words():
    instance, _ = through("a☃ b ★ a", ASCII, str)
    assert instance == "a☃ b ★ a"


def test_symbols_at_the_ends_stay_outside_and_those_inside_keep_their_words():
    assert through("🎉 a file ✓", ASCII, str.upper) == ("🎉 A FILE ✓", ["a file"])
    assert through("nice 👍!", ASCII, str.upper) == ("NICE 👍!", ["nice"])
    assert through("it is 20°C now", ASCII, lambda t: f"ora {t[6:9]}") == ("ora 20°C", ["it is 20C now"])
    assert through("files → with colours", ASCII, str.title)[0] == "Files → With Colours"
    instance, given_texts = through("the Acme™ editor", ASCII, lambda t: "nulla")
    assert instance == "nulla™nulla" or symbols.counts(instance) == {"™": 1}
    assert given_texts[0] == "the Acme editor"


@given(st.lists(st.sampled_from(["<0xE2>", "<0x82>", "<0xAC>", "<0x0A>", "<0xFF>", "a", "▁b"]), max_size=12))
def test_broken_bytes_are_dropped_and_whole_characters_stay(tokens):
    instance = without_broken_bytes(tokens)
    raw = b"".join(bytes.fromhex(t[3:5]) if t.startswith("<0x") else b"|" for t in instance)
    assert "\ufffd" not in raw.decode() and b"\n" not in raw
    assert [t for t in instance if not t.startswith("<0x")] == [t for t in tokens if not t.startswith("<0x")]
    assert without_broken_bytes(["<0xE2>", "<0x82>", "<0xAC>"]) == ["<0xE2>", "<0x82>", "<0xAC>"]


FOREIGN = ["Антонин", "Dvořák", "ħouse", "हिन्दी", "漢字", "e\u0301t"]


@given(st.lists(st.one_of(words, st.sampled_from([*FOREIGN, "™", "ab™"])), min_size=1, max_size=8).map(" ".join))
def test_words_that_a_model_cannot_write_stay(text):
    reading = PreprocessedSentence(text, ASCII)
    while reading.result is None:
        broken = [not request.isascii() for request in reading.requests]
        tokens = [["▁nota", "<0xE6>"] if each else ["▁nota"] for each in broken]
        reading.receive([[Hypothesis("nota", written, -1.0)] for written in tokens])
    translation = reading.result[0].text
    assert all(translation.count(word) == text.count(word) for word in FOREIGN)
    assert symbols.counts(translation) == symbols.counts(text)


@given(st.lists(st.one_of(words, st.sampled_from([*FOREIGN[:1], *FOREIGN[3:5], "™"])), min_size=1, max_size=8))
def test_words_in_a_script_that_a_model_lacks_stay_where_it_leaves_them_out(sentence):
    text = " ".join(sentence)
    for translate in (lambda request: request.encode("ascii", "ignore").decode(), lambda request: "nota"):
        translation, _ = through(text, ASCII, translate)
        assert all(translation.count(word) >= sentence.count(word) for word in FOREIGN)


def test_letters_of_a_script_that_a_model_has_may_be_left_out():
    assert symbols.foreign_words("naïve œuvre, Тhis, 5 µm, 1ª, \U0001d49c", str.isascii) == []
    assert symbols.foreign_words("王喆", lambda c: c != "喆") == []
    assert [run.text for run in symbols.foreign_words("日本語editor и مرحبا, हिन्दी", str.isascii)] == [
        "日本語",
        "и",
        "مرحبا",
        "हिन्दी",
    ]
    instance, _ = through("A café for 日本語.", ASCII, lambda text: "Un caffè per." if "café" in text else text)
    assert instance == "Un caffè per 日本語."


@given(st.lists(st.sampled_from(FOREIGN[:1] + FOREIGN[3:5]), min_size=1, max_size=4).map(" ".join))
def test_a_text_in_letters_that_a_model_lacks_comes_back_and_is_never_given_to_it(text):
    assert through(text, ASCII, lambda request: "rubbish") == (text, [])


def test_letters_that_a_model_lacks():
    assert [run.text for run in symbols.unknown_words("my Dvořák, हिन्दी and é", str.isascii)] == [
        "Dvořák",
        "हिन्दी",
        "é",
    ]
    rare = symbols.unknown_words("我叫王喆。", lambda c: c != "喆")
    assert [(run.start, run.text) for run in rare] == [(3, "喆")]
    assert is_broken(["a", "<unk>"]) and is_broken(["<0xFF>"]) and not is_broken(["<0xC3>", "<0xA9>", "a"])


@given(st.text(max_size=30))
def test_folding_changes_only_what_a_model_lacks(text):
    assert (
        symbols.fold_characters(text, lambda c: True).replace(" ", "") == text.replace("\u200b", "").replace(" ", "")
        or "\u200b" in text
        or " " not in text
    )
    assert (
        symbols.fold_characters(text.encode("ascii", "ignore").decode(), str.isascii)
        == text.encode("ascii", "ignore").decode()
    )


def test_full_width_letters_ligatures_and_zero_width_spaces():
    assert symbols.fold_characters("Ｆｕｌｌ ﬁle “a” – b…", str.isascii) == 'Full file "a" - b...'
    assert symbols.fold_characters("Ｆｕｌｌ", lambda c: True) == "Ｆｕｌｌ"
    assert symbols.fold_characters("a\u200bsmall\u200bfile", str.isascii) == "a small file"
    assert symbols.fold_characters("中\u200b文", lambda c: True) == "中文"


@given(st.lists(st.text("abcdefghßäöéçñ", min_size=2, max_size=8), min_size=2, max_size=6).map(" ".join))
def test_capitals_are_put_to_the_model_in_lower_case_and_come_back_in_capitals(text):
    instance, given_texts = through(text.upper(), ModelTraits(lambda c: True, len, capitals=False), str)
    assert instance == text.upper().upper() and len(given_texts) == 1
    assert given_texts[0] == given_texts[0][:1] + given_texts[0][1:].lower()
    assert through(text.upper(), ModelTraits(lambda c: True, len, capitals=True), str)[1] == [text.upper()]


def test_styles():
    assert truecasing.style_of("A SMALL EDITOR FOR %s FILES.") == "capitals"
    assert truecasing.style_of("USB") == truecasing.style_of("A small editor") == truecasing.style_of("中文字符") == ""
    assert truecasing.style_of("SYNOPSIS") == "capitals"
    assert truecasing.style_of("A Small Editor for Text Files") == "title"
    assert truecasing.to_lower_case("DAS ISST %s AUF DER STRASSE", "de") == "Das isst %s auf der strasse"
    assert (
        truecasing.to_lower_case("IŞIK İLE", "tr") == "Işık ile"
        and truecasing.to_upper_case("ışık ile", "tr") == "IŞIK İLE"
    )
    assert truecasing.to_lower_case("İSTANBUL", "en") == "Istanbul"
    assert truecasing.to_upper_case("straße {name} --help", "de") == "STRASSE {name} --help"
    assert truecasing.to_upper_case("μικρός", "el") == "ΜΙΚΡΟΣ"
    assert truecasing.to_upper_case("ძაღლი and kočka", "ka") == "ძაღლი AND KOČKA"


def test_title_case_is_lowered_only_where_the_model_copies_it():
    def learnt(text):
        return text if any(word[:1].isupper() for word in text.split()[1:]) else "un piccolo editor di testo"

    assert through("A Small Editor For Files", ASCII, learnt)[0] == "Un Piccolo Editor Di Testo"
    assert through("A Small Editor for Files", ASCII, learnt)[0] == "Un Piccolo Editor di Testo"
    assert through("John Smith And Sons Limited", ASCII, str)[0] == "John Smith And Sons Limited"
    assert len(through("A Small Editor For Files", ASCII, lambda t: "tradotto")[1]) == 1


def test_a_model_that_learned_capitals_is_recognized_by_its_pieces():
    learnt = ModelTraits(lambda c: True, lambda text: len(text.split()))
    assert through("A SMALL EDITOR", learnt, str)[1] == ["A SMALL EDITOR"]
    fragmented = ModelTraits(lambda c: True, lambda text: sum(1 + (w.isupper() and len(w)) for w in text.split()))
    assert through("A SMALL EDITOR", fragmented, str)[1] == ["A small editor"]


def test_has_token_distinguishes_pieces_from_bytes(exported_model):
    from distilmt.inference.translator import Translator

    translator = Translator(exported_model, threads=1)
    processor = spm.SentencePieceProcessor(model_proto=(exported_model / "source.spm").read_bytes())
    letter = next(p for p in (processor.id_to_piece(i) for i in range(processor.get_piece_size())) if p in "abcdefgh")
    assert translator.tokenizer.has_token(letter) and not translator.tokenizer.has_token("😀")
