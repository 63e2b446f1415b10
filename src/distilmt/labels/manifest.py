"""The manifest of a label store: which shards it has, and what its labels depend on."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

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


def read_manifest(path: Path) -> JsonObject:
    """The manifest of a store, with current key names."""
    return translated_manifest(read_json(path))


def shard_number(shard: ShardEntry) -> int:
    """Number of a shard in the store."""
    return int(shard["name"].removeprefix("shard-").removesuffix(".parquet"))


def is_whole(path: Path, checksum: str) -> bool:
    """Whether a shard's file has the checksum of the manifest."""
    return path.exists() and fingerprint_files(path) == checksum
