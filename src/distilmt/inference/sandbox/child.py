"""The child process: limits its resources, then opens each model file of a directory and uses it briefly.

Writes one JSON object per line to standard output: `file` before each is opened, then `fault` or `memory` on failure,
and `done` at the end. Never loads torch or transformers, which would take seconds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

# CTranslate2 imports torch only for its converters.
sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
sys.modules.setdefault("transformers", None)  # type: ignore[arg-type]

import ctranslate2  # noqa: E402
import numpy as np  # noqa: E402
import sentencepiece  # noqa: E402

from distilmt.inference.manifest import MANIFEST, has_file, read_model_file, unpacked_files  # noqa: E402

try:
    import safetensors
    import tokenizers

    from distilmt.inference.sandbox.shapes import check_config
except ModuleNotFoundError:  # of the extra `train`: without it nothing opens their files
    has_training_libraries = False
else:
    has_training_libraries = True

_TEXT = "Hello, world! Привет 你好 1234"
_PIECES, _FRAMES = 4, 16
_MAX_JSON_BYTES = 512 << 20
_OUT_OF_MEMORY = ("bad_alloc", "length_error", "cannot allocate", "out of memory", "memory allocation", "errno 12")


def main(directory: Path, memory: int, seconds: int) -> int:
    """Open all files; returns 0 if all could be opened."""
    _bound(memory, seconds)
    for folder in (directory, *sorted(each for each in directory.iterdir() if each.is_dir())):
        for name, opener in _tasks(folder):
            _write({"file": name})
            try:
                opener()
            except BaseException as error:  # a Rust panic is not an Exception
                _write({"file": name, **_reason(error)})
                return 1
    _write({"done": True})
    return 0


def _bound(memory: int, seconds: int) -> None:
    """Set limits for the following work: the libraries are already loaded and trusted."""
    try:
        import resource
    except ImportError:  # Windows has no such limits; a crash and the time remain bounded
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # nothing is written to any file
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (OSError, ValueError):  # macOS has no /proc and ignores this limit
        return


def _tasks(folder: Path) -> list[tuple[str, Callable[[], object]]]:
    """The files to open in a folder, with their openers, by name."""
    tasks: list[tuple[str, Callable[[], object]]] = []
    for file in sorted(file for file in folder.iterdir() if file.is_file()):
        name = file.name.removesuffix(".xz").lower()
        if name.endswith((".spm", ".model")) and not _is_text(file):
            tasks.append((file.name, partial(_open_sentencepiece, file)))
        elif name == "tokenizer.json" and has_training_libraries:
            tasks.append((file.name, partial(_open_tokenizer, file)))
        elif name.endswith(".safetensors") and has_training_libraries:
            tasks.append((file.name, partial(_open_safetensors, file)))
        elif name.endswith(".json"):
            tasks.append((file.name, partial(_open_json, file)))
    if has_file(folder, "model.bin"):
        tasks.append(("model.bin", lambda: _open_ctranslate2(folder)))
    if has_training_libraries and list(folder.glob("*.safetensors")) and (folder / "config.json").exists():
        tasks.append(("config.json", lambda: check_config(folder)))
    return tasks


def _is_text(file: Path) -> bool:
    """Whether a `.model` has merges of subword-nmt (`bpe.model` of Argos), which no library opens."""
    with file.open("rb") as opened:
        return opened.read(8) == b"#version"


def _open_sentencepiece(file: Path) -> None:
    processor = sentencepiece.SentencePieceProcessor(
        model_proto=read_model_file(file.parent, file.name.removesuffix(".xz"))
    )
    processor.decode(processor.encode(_TEXT, out_type=int))


def _open_tokenizer(file: Path) -> None:
    tokenizer = tokenizers.Tokenizer.from_str(_open_json(file).decode())
    tokenizer.decode(tokenizer.encode(_TEXT).ids)


def _open_safetensors(file: Path) -> None:
    with safetensors.safe_open(str(file), framework="np") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - no dictionary
            tensors.get_slice(name).get_shape()


def _open_json(file: Path) -> bytes:
    data = read_model_file(file.parent, file.name.removesuffix(".xz"))
    if len(data) > _MAX_JSON_BYTES:
        raise ValueError(f"it is longer than {_MAX_JSON_BYTES >> 20} MiB")
    json.loads(data)
    return data


def _open_ctranslate2(folder: Path) -> None:
    """Load a model and translate its own first tokens, since wrong shapes fail only then."""
    if _reads_frames(folder):
        _open_whisper(folder)
        return
    model = ctranslate2.Translator(
        str(folder), device="cpu", inter_threads=1, intra_threads=1, files=unpacked_files(folder)
    )
    words = _words(folder)
    model.translate_batch([words], beam_size=1, max_decoding_length=_PIECES)


def _reads_frames(folder: Path) -> bool:
    """Whether a student reads pictures or sound."""
    manifest = json.loads(read_model_file(folder, MANIFEST)) if has_file(folder, MANIFEST) else {}
    return bool(manifest.get("input", "text") != "text")


def _open_whisper(folder: Path) -> None:
    """As `_open_ctranslate2`, with frames of zeros."""
    model = ctranslate2.models.Whisper(
        str(folder), device="cpu", inter_threads=1, intra_threads=1, files=unpacked_files(folder)
    )
    frames = ctranslate2.StorageView.from_array(np.zeros((1, model.n_mels, _FRAMES), np.float32))
    prompts = [["<|startoftranscript|>", "<|notimestamps|>"]]
    model.generate(frames, prompts, beam_size=1, max_length=2 * _PIECES + len(prompts[0]))


def _words(folder: Path) -> list[str]:
    for name in ("source_vocabulary", "shared_vocabulary"):
        if has_file(folder, f"{name}.json"):
            return [str(word) for word in json.loads(read_model_file(folder, f"{name}.json"))[:_PIECES]]
        if has_file(folder, f"{name}.txt"):
            return read_model_file(folder, f"{name}.txt").decode("utf-8", "replace").splitlines()[:_PIECES]
    return ["</s>"]


def _reason(error: BaseException) -> dict[str, object]:
    if isinstance(error, RecursionError):
        return {"fault": "it is nested too deep"}
    line = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, MemoryError) or any(sign in line.lower() for sign in _OUT_OF_MEMORY):
        return {"memory": True}
    return {"fault": line}


def _write(record: dict[str, object]) -> None:
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
