"""`tokenizer.json`: SentencePiece in the format of the `tokenizers` library and transformers.js.

transformers.js loads one such file and uses it for both languages. Its ids are the model's, so that a shared vocabulary
needs one file; split vocabularies need two.

`</s>`, `<unk>` and `<pad>` are not added tokens: the library matches those in every text, and `</s>` in the input would
end the sentence. The post-processor appends `</s>` by its id; the decoder removes all three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from distilmt.data.tokenizer import EOS, PAD_TOKEN, UNK, LanguageTokenizer
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.run_dir import atomic_path

_FOREIGN = 100.0
"""Log-probability of a token of the other language only, below the lowest score: it is needed for decoding only."""
_UNREACHABLE = 1000.0
"""Log-probability of a token that no text is tokenized into, below the lowest score: spelling it costs less."""
_SPECIAL = ("</s>", "<unk>", PAD_TOKEN)
_BYTE_NAME = Regex("<(?=0x[0-9A-F]{2}>)")
_CUT = "\uf8ff"
"""A private character, inserted after the `<` if a text contains the name of a byte token: the text is split there."""
_COMMON = [*range(0x21, 0x7F), *range(0xA1, 0x180), *range(0x2010, 0x2027), 0x20AC]
"""Characters that the normalizer spells in bytes if no token has them: transformers.js's Unigram has no fallback."""


def write_fast_tokenizer(side: LanguageTokenizer, path: Path) -> None:
    """Write the vocabulary of one language, or of both if it is shared, as a `tokenizer.json`.

    Raises:
        UserError: `protobuf` is not installed, which is needed to read SentencePiece's file.
    """
    proto = _proto(side)
    bpe = proto.trainer_spec.model_type == proto.trainer_spec.BPE
    tokenizer = Tokenizer(_bpe(side, proto) if bpe else _unigram(side, proto))
    spelling = (
        []
        if bpe
        else [normalizers.Replace(_BYTE_NAME, f"<{_CUT}"), *_special_piece_escapes(proto), *_byte_replacements(proto)]
    )
    tokenizer.normalizer = normalizers.Sequence([*_normalizers(proto), *spelling])
    words = pre_tokenizers.Metaspace("▁", prepend_scheme="always", split=True)
    tokenizer.pre_tokenizer = (
        words if bpe else pre_tokenizers.Sequence([words, pre_tokenizers.Split(Regex(_CUT), "removed")])
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A $B </s>", special_tokens=[("</s>", EOS)]
    )
    # Applied token by token: the same characters spelled by several tokens are not removed.
    unread = [decoders.Replace(token, "") for token in _SPECIAL]
    tokenizer.decoder = decoders.Sequence(
        [*unread, decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    with atomic_path(path) as temporary:
        tokenizer.save(str(temporary))


def _proto(side: LanguageTokenizer) -> Any:
    try:
        from sentencepiece import sentencepiece_model_pb2
    except ImportError:
        raise UserError(f"tokenizer.json needs protobuf: {install_command('onnx')}") from None
    return sentencepiece_model_pb2.ModelProto.FromString(  # type: ignore[attr-defined]
        side.processor.serialized_model_proto()
    )


def _normalizers(proto: Any) -> list[Any]:
    """SentencePiece's normalization of a text before the tokenization."""
    steps: list[Any] = []
    if proto.normalizer_spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap))
    if proto.normalizer_spec.remove_extra_whitespaces:
        steps += [normalizers.Replace(Regex("^ +| +$"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    return steps


def _special_piece_escapes(proto: Any) -> list[Any]:
    """Replacements so that a text that spells a special token is not tokenized into that token.

    A character of its name that is in no token is `<unk>` for SentencePiece, and so is its private replacement. With
    byte fallback the character is spelled in bytes instead.
    """
    missing = [] if proto.trainer_spec.byte_fallback else sorted(set("".join(_SPECIAL)) - _characters(proto))
    return [normalizers.Replace(character, chr(0xE000 + ord(character))) for character in missing]


def _characters(proto: Any) -> set[str]:
    return set("".join(piece.piece for piece in proto.pieces if piece.type == piece.NORMAL))


def _byte_replacements(proto: Any) -> list[Any]:
    """Replacements of characters that are in no token by the names of their bytes, which are tokens.

    Byte names contain characters that may need a replacement themselves: these become private characters first.
    """
    if not proto.trainer_spec.byte_fallback:
        return []
    characters = _characters(proto)
    missing = [chr(code) for code in _COMMON if chr(code) not in characters]
    private_characters = {c: chr(0xE000 + ord(c)) for c in missing if c in "<>x0123456789ABCDEF"}
    first = [normalizers.Replace(c, private) for c, private in private_characters.items()]
    return first + [normalizers.Replace(private_characters.get(c, c), _bytes(c)) for c in missing]


def _bytes(text: str) -> str:
    return "".join(f"<0x{byte:02X}>" for byte in text.encode())


def _unigram(side: LanguageTokenizer, proto: Any) -> Any:
    """Tokens in the model's order with their log-probabilities."""
    own = {piece.piece: piece.score for piece in proto.pieces if piece.type == piece.NORMAL}
    least = min(own.values())
    named = {piece.piece: 0.0 if piece.type == piece.BYTE else least for piece in proto.pieces}
    score_of = named | own | dict.fromkeys(_SPECIAL, least - _UNREACHABLE)
    scores = [score_of.get(piece, least - _FOREIGN) for piece in side.tokens]
    byte_fallback = bool(proto.trainer_spec.byte_fallback)
    return models.Unigram(list(zip(side.tokens, scores, strict=True)), UNK, byte_fallback)


def _bpe(side: LanguageTokenizer, proto: Any) -> Any:
    """Tokens and merges: SentencePiece merges the pair whose merged token has the best score."""
    scores = {piece.piece: piece.score for piece in proto.pieces if piece.type == piece.NORMAL}
    ranked = sorted(
        (-score, left, piece[len(left) :])
        for piece, score in scores.items()
        for left in (piece[:i] for i in range(1, len(piece)))
        if left in scores and piece[len(left) :] in scores
    )
    return models.BPE(
        vocab={piece: i for i, piece in enumerate(side.tokens)},
        merges=[(left, right) for _, left, right in ranked],
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=bool(proto.trainer_spec.byte_fallback),
    )
