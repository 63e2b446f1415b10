"""YAML files with a run's keys: every key once, nested no deeper than the dataclasses."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import yaml

from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject


class _Loader(yaml.SafeLoader):
    """Rejects duplicate keys of a mapping: plain YAML would silently use the last one."""


def _unique_keys(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
    lines: dict[Hashable, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge" or not isinstance(key_node, yaml.ScalarNode):
            continue
        key, line = loader.construct_object(key_node, deep=True), key_node.start_mark.line + 1
        if key in lines:
            raise UserError(f"{key!r} occurs twice, in lines {lines[key]} and {line}: merge both, or delete one")
        lines[key] = line
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_keys)


def read_yaml(path: Path) -> JsonObject:
    """Keys and values of a file.

    Raises:
        UserError: the file does not exist, or has no keys and values.
    """
    if path.is_dir():
        own = path / "config.yaml"
        if own.exists():
            raise UserError(f"{path} is a directory: name {own}")
        raise UserError(
            f"{path} is a directory without config.yaml: if it is a run's, copy the configuration of the run to {own}; "
            "if not, name a YAML file, such as those in configs/"
        )
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name a YAML file, such as those in configs/") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deep: use only the keys of `distilmt run --help`") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8: name a YAML file, such as those in configs/") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{path} is not YAML ({reason}): correct it; configs/ has files to compare with") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the path") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold keys and values, such as `seed: 1`: name a YAML file like those in configs/")
    return values
