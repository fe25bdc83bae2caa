"""What assets weigh: about how many characters they hold, by which answers and the memory they take have a bound."""

from __future__ import annotations

from collections.abc import Iterable

from policy_service.assets.asset import Asset
from policy_service.model import Value

# what all that is shown in one answer, or decided for one, weighs together: a thousand of the largest assets would fill
# the memory of a worker
MOST = 8 * 1024 * 1024
_BARE = 500


def weigh(asset: Asset) -> int:
    """The weight of an asset: of its properties, tags and name, and of what every asset has."""
    held = (*asset.properties.items(), *asset.tags.items(), ("", asset.display_name or ""))
    return _BARE + sum(len(name) + _weigh(value) for name, value in held)


def _weigh(value: Value) -> int:
    if isinstance(value, str):
        return len(value)
    parts: Iterable[Value] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 8 + sum(map(_weigh, parts))
