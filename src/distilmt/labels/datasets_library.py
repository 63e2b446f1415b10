"""Labels as a data set of Hugging Face's library `datasets`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command

if TYPE_CHECKING:
    from datasets import Dataset


def dataset_of(shards: Sequence[pa.Table], schema: pa.Schema) -> Dataset:
    """The rows of all shards.

    Args:
        shards: tables of label shards, of one store.
        schema: columns of a store without shards.

    Raises:
        UserError: the package `datasets` is not installed.
    """
    try:
        from datasets import Dataset
    except ModuleNotFoundError:
        raise UserError(f"to_dataset needs the package datasets: {install_command('huggingface')}") from None
    table = pa.concat_tables(shards, promote_options="default") if shards else schema.empty_table()
    return Dataset(table)
