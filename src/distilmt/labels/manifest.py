"""The manifest of a label store: which shards it has, and what its labels depend on."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, cast

from distilmt.config.renamed import translated_manifest
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import fingerprint_files, read_json

FORMAT = 1
MANIFEST = "manifest.json"


class ShardEntry(TypedDict):
    """A shard in the manifest."""

    name: str
    rows: int
    checksum: str


class LabelHeader(TypedDict):
    """What the labels of a store depend on; `decoding` holds the keys of `LabelConfig` that a header records."""

    teacher: str
    tokenizer: str
    decoding: JsonObject
    target_vocab_size: int


class StoredShards(TypedDict, total=False):
    """The part of a manifest that is not its header: it changes while shards are written."""

    shards: list[ShardEntry]
    rows: int
    complete: bool
    usage: dict[str, float]
    """Of a program or server as teacher: requests, tokens, cost, and responses by kind, of the whole run."""


def stored_header(manifest: JsonObject) -> JsonObject:
    """Everything in a manifest that the labels depend on: stores are merged where it is the same."""
    return {key: value for key, value in manifest.items() if key not in StoredShards.__annotations__}


def label_header(manifest: JsonObject) -> LabelHeader:
    """The part of the header that stays the same when hypotheses are selected."""
    return cast(LabelHeader, {key: manifest[key] for key in LabelHeader.__annotations__})


def read_manifest(path: Path) -> JsonObject:
    """The manifest of a store, with current key names."""
    return translated_manifest(read_json(path))


def shard_number(shard: ShardEntry) -> int:
    """Number of a shard in the store."""
    return int(shard["name"].removeprefix("shard-").removesuffix(".parquet"))


def is_whole(path: Path, checksum: str) -> bool:
    """Whether a shard's file has the checksum of the manifest."""
    return path.exists() and fingerprint_files(path) == checksum
