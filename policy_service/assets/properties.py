"""The properties of an asset by the names that the API has for them: `env`, `tag.env`, `displayName`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from policy_service.assets.asset import Asset
from policy_service.assets.members import DISPLAY_NAME, TAG

# whether a property is hidden from whoever asks, whether the asset has it or not
Hides: TypeAlias = Callable[[str], bool]


def nothing(_: str) -> bool:
    """That nothing is hidden."""
    return False


def bare(_: Asset) -> Hides:
    """That nothing is hidden of any asset."""
    return nothing


def without(asset: Asset, hides: Hides) -> Asset:
    """The asset as if it had none of what is hidden."""
    return _choose(asset, lambda name: not hides(name))


def only(asset: Asset, hides: Hides) -> Asset:
    """The asset as if what is hidden were all that it has."""
    return _choose(asset, hides)


def join(asset: Asset, other: Asset) -> Asset:
    """The asset with what the other has too, which wins."""
    return replace(
        asset,
        properties={**asset.properties, **other.properties},
        tags={**asset.tags, **other.tags},
        display_name=asset.display_name if other.display_name is None else other.display_name,
    )


def names_of(asset: Asset) -> Iterator[str]:
    """The names of what an asset has."""
    yield from asset.properties
    yield from (TAG + name for name in asset.tags)
    if asset.display_name is not None:
        yield DISPLAY_NAME


def _choose(asset: Asset, chosen: Callable[[str], bool]) -> Asset:
    if all(chosen(name) for name in names_of(asset)):
        return asset
    return replace(
        asset,
        properties={name: value for name, value in asset.properties.items() if chosen(name)},
        tags={name: value for name, value in asset.tags.items() if chosen(TAG + name)},
        display_name=asset.display_name if chosen(DISPLAY_NAME) else None,
    )
