"""Packed exports translate as unpacked ones do, and become ordinary ones again."""

import json
import lzma
import subprocess

import ctranslate2
import pytest
from helpers import toy

from distilmt.compression import shortlist
from distilmt.config import ShortlistConfig
from distilmt.export.ctranslate2 import export
from distilmt.export.pack import pack
from distilmt.inference.manifest import is_model
from distilmt.inference.translator import Translator
from distilmt.models.marian_checkpoint import load_marian
from distilmt.training.fake_quantize import fake_quantize, fake_quantize_model
from distilmt.utils.errors import UserError
from distilmt.utils.sizes import total_bytes

TEXTS = [*toy.pairs(20, seed=9)[0], "Zürich 12 (a)", ""]


def export_model(place, tokenizer, trained_model, bits=8, packed=False):
    export(load_marian(trained_model), tokenizer, place, "int8_float16", bits)
    if packed:
        pack(place)
    return place


@pytest.mark.parametrize("bits", [8, 4])
def test_a_packed_model_agrees(tmp_path, shared_tokenizer, trained_model, bits):
    plain = export_model(tmp_path / "plain", shared_tokenizer, trained_model, bits)
    packed = export_model(tmp_path / "packed", shared_tokenizer, trained_model, bits, packed=True)
    assert is_model(packed) and not (packed / "model.bin").exists()
    assert Translator(packed).translate(TEXTS) == Translator(plain).translate(TEXTS)
    assert total_bytes(packed) < total_bytes(plain)


def test_fewer_bits_pack_smaller(tmp_path, shared_tokenizer, trained_model):
    sizes = [
        (export_model(tmp_path / str(bits), shared_tokenizer, trained_model, bits, packed=True) / "model.bin.xz")
        .stat()
        .st_size
        for bits in (8, 6, 4)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_unxz_makes_an_ordinary_directory_of_it(tmp_path, shared_tokenizer, trained_model):
    plain = export_model(tmp_path / "plain", shared_tokenizer, trained_model)
    packed = export_model(tmp_path / "packed", shared_tokenizer, trained_model, packed=True)
    for file in packed.glob("*.xz"):
        try:
            subprocess.run(["xz", "--decompress", file], check=True)
        except FileNotFoundError:  # no xz here
            file.with_suffix("").write_bytes(lzma.decompress(file.read_bytes()))
            file.unlink()
    assert {file.name: file.read_bytes() for file in packed.iterdir()} == {
        file.name: file.read_bytes() for file in plain.iterdir()
    }
    ctranslate2.Translator(str(packed))


def test_two_vocabularies(tmp_path, split_tokenizer, diverse_model):
    from distilmt.config import ModelConfig

    model = diverse_model(split_tokenizer, ModelConfig(None, 32, 64, 2, 1, 1, max_positions=64))
    texts = toy.pairs(10, chinese=True)[0]
    output = []
    for name in ("plain", "packed"):
        export(model, split_tokenizer, tmp_path / name, "int8")
        if name == "packed":
            pack(tmp_path / name)
        output.append(Translator(tmp_path / name).translate(texts))
    assert output[0] == output[1]


def test_with_a_shortlist(tmp_path, shared_tokenizer, trained_model):
    place = export_model(tmp_path / "model", shared_tokenizer, trained_model)
    always = [piece for piece in shared_tokenizer.target.tokens if piece.startswith("▁")][:40]
    shortlist.Shortlist(always, {}, ShortlistConfig()).write(place)
    output = Translator(place).translate(TEXTS)
    pack(place)
    packed = Translator(place)
    assert packed.shortlist and packed.translate(TEXTS) == output
    assert Translator(place, shortlist=False).translate(TEXTS) != output


@pytest.mark.parametrize("name", ["model.bin", "source.spm"])
def test_a_broken_file_is_named(tmp_path, shared_tokenizer, trained_model, name):
    place = export_model(tmp_path / "model", shared_tokenizer, trained_model, packed=True)
    file = place / f"{name}.xz"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(UserError, match=f"{name}.xz is broken"):
        Translator(place)


def test_rounded_weights_take_few_values(trained_model):
    model = load_marian(trained_model)
    result = fake_quantize_model(model, 4)
    for (name, before), after in zip(model.named_parameters(), result.parameters(), strict=True):
        if before.dim() == 2 and "embed_positions" not in name:
            assert after.equal(fake_quantize(before.detach(), 4))
            assert all(len(row.unique()) <= 15 for row in after)
        else:
            assert after.equal(before), name


def test_facts_stay_readable(tmp_path, shared_tokenizer, trained_model):
    place = export_model(tmp_path / "model", shared_tokenizer, trained_model, packed=True)
    assert json.loads((place / "distilmt.json").read_text())["compute_type"] == "int8_float16"
