"""Types of JSON (and YAML) whose keys no record declares: other programs' files and responses, and users' settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""An object with any keys and values; who reads it checks them."""

JsonMapping: TypeAlias = Mapping[str, Any]
"""The same, only read."""
