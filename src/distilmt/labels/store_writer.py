"""Writing a label store shard by shard.

A shard either is complete and listed in the manifest, or does not exist: it is written to a temporary name, flushed,
renamed, and then added to the manifest, which is replaced atomically. Shards may be added in any order: the manifest
sorts them by number, so that ids never shift.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from pathlib import Path

from distilmt.labels.manifest import FORMAT, MANIFEST, ShardEntry, is_whole, read_manifest, shard_number
from distilmt.labels.rows import LabelRow, Shard, schema_of, shard_of
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import atomic_path, fingerprint_files, write_json


class LabelWriter:
    """Writes a store shard by shard; when opened again after an interruption, it writes the missing shards."""

    def __init__(self, directory: Path, header: JsonObject, k: int) -> None:
        """Open or create a store.

        Args:
            directory: the store.
            header: what the labels depend on (teacher, tokenizer, decoding, target_vocab_size).
            k: log-probabilities per position; 0 for none.

        Raises:
            UserError: the directory contains a store with another header.
        """
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.schema = schema_of(int(header["target_vocab_size"]))
        self.manifest: JsonObject = {"format": FORMAT, **header, "k": k, "shards": [], "rows": 0, "complete": False}
        path = directory / MANIFEST
        if path.exists():
            old = read_manifest(path)
            different = [key for key in (*header, "k", "format") if old.get(key) != self.manifest[key]]
            if different:
                raise UserError(
                    f"{directory} contains labels made with another {', '.join(different)}: "
                    "choose another directory (run_dir)"
                )
            self.manifest = old
            self._drop_damaged()
        whole = {shard["name"] for shard in self.manifest["shards"]}
        for stray in (*directory.glob("*shard-*"), *directory.glob(f".{MANIFEST}.*.tmp")):  # of killed processes
            if stray.name not in whole:
                stray.unlink()

    def _drop_damaged(self) -> None:
        """Remove damaged shards from the manifest: their labels are written again."""
        whole = [s for s in self.manifest["shards"] if is_whole(self.directory / s["name"], s["checksum"])]
        if len(whole) < len(self.manifest["shards"]):
            rows = sum(shard["rows"] for shard in whole)
            self.manifest |= {"shards": whole, "rows": rows, "complete": False}
            write_json(self.directory / MANIFEST, self.manifest)

    def done(self) -> set[int]:
        """Numbers of the complete shards."""
        return {shard_number(shard) for shard in self.manifest["shards"]}

    def write_shard(self, rows: Sequence[LabelRow], number: int | None = None) -> None:
        """Add a shard of rows; the default number is the first missing one."""
        done = self.done()
        missing = next(i for i in range(len(done) + 1) if i not in done)
        self.add(shard_of(rows, self.schema), missing if number is None else number)

    def add(self, shard: Shard, number: int) -> None:
        """Add a shard that is already serialized."""
        path = self.directory / f"shard-{number:05d}.parquet"
        with atomic_path(path) as temporary:
            temporary.write_bytes(shard.content)
        entry: ShardEntry = {"name": path.name, "rows": shard.rows, "checksum": fingerprint_files(path)}
        bisect.insort(self.manifest["shards"], entry, key=shard_number)
        self.manifest["rows"] += shard.rows
        write_json(self.directory / MANIFEST, self.manifest)

    def finish(self, usage: Mapping[str, float] | None = None) -> None:
        """Mark the store as complete; `usage` is what a program or server as teacher counted."""
        self.manifest["complete"] = True
        if usage:
            self.manifest["usage"] = dict(usage)
        write_json(self.directory / MANIFEST, self.manifest)
