"""Names of models that Transformers loads: directories, or names on the Hugging Face hub, with `hf:` or without."""

from __future__ import annotations

from distilmt.utils.errors import UserError

_PREFIX = "hf:"


def plain_name(name: str, key: str) -> str:
    """The name as Transformers takes it: `hf:OWNER/NAME` without its prefix, any other as it is.

    Args:
        name: a directory or a name on the hub.
        key: its key in messages.

    Raises:
        UserError: it has a revision, which this key does not support.
    """
    if not name.startswith(_PREFIX):
        return name
    plain, _, revision = name.removeprefix(_PREFIX).partition("@")
    if not plain:
        raise UserError(f"{key} is {name!r}, which names no model: write hf:OWNER/NAME")
    if revision:
        download = f"hf download {plain} --revision {revision} --local-dir DIR"
        raise UserError(f"{key} is {name!r}, but a revision is not supported: run `{download}`, and name DIR")
    return plain
