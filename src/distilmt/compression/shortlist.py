"""The target pieces a sentence may need, as CTranslate2 reads them: `vmap.txt` in a model's directory.

The output layer then is computed for those pieces only: the ones that translate the sentence's own pieces, and some
that every sentence may use. CTranslate2 takes the union over the sentences of a batch.

The file has a line for every source piece: the piece, a tab, and target pieces with spaces between them. The pieces
of the line whose source side is empty are always allowed, and so are `</s>` and `<unk>`. (Source sides may also be
n-grams of pieces; here they are single ones.) https://opennmt.net/CTranslate2/translation.html
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from distilmt.compression.alignment import Alignment, TokenIdPair
from distilmt.config import ShortlistConfig
from distilmt.data.tokenizer import EOS, LanguageTokenizer, Tokenizer
from distilmt.export.card import renew_files
from distilmt.labels.store import LabelStore
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, write_json, write_text

FILE = "vmap.txt"
_SPACE = "▁"
_VOCABULARIES = ("target_vocabulary.json", "shared_vocabulary.json")


@dataclass(frozen=True)
class Coverage:
    """How much of what was said on some sentences a shortlist allows, every sentence by itself."""

    pieces: float
    """Share of the target pieces."""
    sentences: float
    """Share of the sentences of which every piece is allowed."""
    size: float
    """Pieces allowed to a sentence, on average."""


@dataclass(frozen=True)
class Shortlist:
    """Target pieces that are always allowed, and those that a source piece allows besides."""

    always: list[str]
    by_piece: dict[str, list[str]]
    settings: ShortlistConfig

    def allowed(self, source: Sequence[str]) -> set[str]:
        """Every target piece a sentence may use, given its source pieces."""
        return {*self.always, "</s>", "<unk>"}.union(*(self.by_piece.get(piece, ()) for piece in source))

    def write(self, model_directory: Path, covered: Coverage | None = None) -> None:
        """Put the shortlist into an exported model; from then on a `Translator` uses it.

        Args:
            model_directory: a CTranslate2 directory written by distilmt; an older shortlist there is replaced.
            covered: what `coverage` found, kept in `distilmt.json` with the settings.

        Raises:
            UserError: the directory is no such model, or the model has other pieces.
        """
        self._check_model(model_directory)
        lines = [f"{piece}\t{' '.join(targets)}\n" for piece, targets in (("", self.always), *self.by_piece.items())]
        write_text(model_directory / FILE, "".join(lines))
        facts = read_json(model_directory / "distilmt.json")
        metadata = asdict(self.settings) | ({"coverage": asdict(covered)} if covered else {})
        write_json(model_directory / "distilmt.json", facts | {"shortlist": metadata})
        renew_files(model_directory)

    def _check_model(self, directory: Path) -> None:
        """CTranslate2 takes a piece that it does not know for `<unk>` without a word."""
        name = next((n for n in _VOCABULARIES if (directory / n).exists()), None)
        if name is None or not (directory / "distilmt.json").exists():
            raise UserError(f"{directory} is not an exported model: name one that `distilmt export` wrote")
        strange = set().union(self.always, *self.by_piece.values()) - set(read_json(directory / name))
        if strange:
            raise UserError(
                f"{directory} has no target piece {min(strange)!r}, which the shortlist has: "
                "build the shortlist with the tokenizer that the model was trained with"
            )


def build(pairs: Iterable[TokenIdPair], tokenizer: Tokenizer, config: ShortlistConfig) -> Shortlist:
    """Learn a shortlist from sentences and their translations.

    Args:
        pairs: ids of the pieces of both sides (`pairs_of` reads them from labels); `</s>` may be there.
        tokenizer: what the ids are of.
        config: how much is allowed.

    Raises:
        UserError: a setting is out of range, there are no pairs, or the word aligner is not installed.
    """
    for name, least in (("best", 0), ("frequent", 0), ("hypotheses", 0), ("sentences", 1)):
        if getattr(config, name) < least:
            raise UserError(f"shortlist {name} is {getattr(config, name)}: it must be {least} or more")
    counts: Counter[int] = Counter()
    alignment = Alignment(_counted(pairs, counts))
    names, usable = tokenizer.target.tokens, _usable(tokenizer.target)
    frequent = [names[i] for i, _ in counts.most_common(config.frequent)]
    general = [piece for i, piece in enumerate(names) if _is_general(piece, i in counts)]
    always = dict.fromkeys(piece for piece in (*frequent, *general) if piece in usable)
    ids = {piece: i for i, piece in enumerate(tokenizer.source.tokens)}
    by_piece = {}
    for piece in sorted(_usable(tokenizer.source), key=lambda piece: ids[piece]):
        likely = [names[i] for i in alignment.best(ids[piece], config.best)]
        candidates = dict.fromkeys(p for p in (*_copies(piece), *likely) if p in usable and p not in always)
        if candidates:
            by_piece[piece] = list(candidates)
    return Shortlist(list(always), by_piece, config)


def _counted(pairs: Iterable[TokenIdPair], counts: Counter[int]) -> Iterator[TokenIdPair]:
    """The pairs without `</s>`, their target pieces counted as they pass."""
    for source, target in pairs:
        words = [i for i in target if i != EOS]
        counts.update(words)
        yield [i for i in source if i != EOS], words


def _usable(side: LanguageTokenizer) -> set[str]:
    """Pieces that text can have (so not what a vocabulary is filled up with), and that a line of the file can hold."""
    pieces = (side.tokens[i] for i in np.flatnonzero(side.to_spm != side.processor.unk_id()))
    return {piece for piece in pieces if piece != "</s>" and not any(c in piece for c in " \t\r\n")}


def _is_byte(piece: str) -> bool:
    return len(piece) == 6 and piece.startswith("<0x")


def _is_general(piece: str, is_in_labels: bool) -> bool:
    """Whether any sentence may need a piece: digits, punctuation, a space by itself, and bytes that were said.

    All 256 bytes would be most of a short list. Those of a character that the labels never have can still be copied.
    """
    bare = chr(int(piece[3:5], 16)) if _is_byte(piece) else piece.removeprefix(_SPACE)
    if _is_byte(piece) and not (" " <= bare <= "~"):
        return is_in_labels
    return len(bare) < 2 and not any(unicodedata.category(c)[0] in "LM" for c in bare)


def _copies(piece: str) -> Iterator[str]:
    """The piece itself, as a word's beginning and inside a word, and all its parts.

    So a name can be written as the source writes it, wherever the target side divides it.
    """
    yield piece
    if not _is_byte(piece):
        bare = piece.removeprefix(_SPACE)
        yield _SPACE + bare
        yield from (bare[i:j] for i in range(len(bare)) for j in range(len(bare), i, -1))


def label_pairs(store: LabelStore, tokenizer: Tokenizer, config: ShortlistConfig) -> Iterator[TokenIdPair]:
    """Every sentence of a label store with its reference, and with each of the first `hypotheses` of the teacher's.

    Raises:
        UserError: the labels were made with another tokenizer, or are damaged.
    """
    store.require(tokenizer.fingerprint)
    stride = -(-store.rows // config.sentences)
    first = 0
    for table in store.shards(["source", "reference_tokens", "hypotheses"]):
        rows = table.take(np.arange(-first % stride, table.num_rows, stride))
        first += table.num_rows
        sources = tokenizer.source.encode(rows["source"].to_pylist())
        for source, row in zip(sources, rows.drop_columns(["source"]).to_pylist(), strict=True):
            hypotheses = [hypothesis["tokens"] for hypothesis in row["hypotheses"][: config.hypotheses]]
            yield from ((source, target) for target in (row["reference_tokens"], *hypotheses) if target)


def coverage(shortlist: Shortlist, pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Coverage:
    """How much of some translations a shortlist allows.

    Args:
        shortlist: what is judged.
        pairs: source pieces of a sentence, and pieces of a translation of it: best a model's own, made without a
            shortlist, of sentences that the shortlist was not learnt from.

    Raises:
        UserError: there are no translations.
    """
    pieces, allowed, whole, sizes = 0, 0, 0, []
    for source, target in pairs:
        allowed_pieces = shortlist.allowed(source)
        inside = sum(piece in allowed_pieces for piece in target)
        pieces, allowed, whole = pieces + len(target), allowed + inside, whole + (inside == len(target))
        sizes.append(len(allowed_pieces))
    if not pieces:
        raise UserError("there are no translations to measure a shortlist's coverage on")
    return Coverage(allowed / pieces, whole / len(sizes), float(np.mean(sizes)))
