"""Attributes and tags of values, those of the row and those of known entities."""

from __future__ import annotations

from policy_service.model import Extension, Uid, Value
from policy_service.policy.extensions import Known
from policy_service.policy.likeness import walk as find
from policy_service.policy.operators import read_extension
from policy_service.policy.residual.filter import EVERY, NONE, Filter, Test, all_of, any_of
from policy_service.policy.residual.ground import Ground, known
from policy_service.policy.residual.symbols import (
    Case,
    Cases,
    Drawn,
    Fixed,
    Lost,
    Place,
    Recorded,
    Row,
    Symbol,
    Text,
    presence,
    store,
)
from policy_service.policy.residual.truth import FAILING, FALSE, Truth, always, settle
from policy_service.policy.tree import Attribute, Binary, Has, Path
from policy_service.policy.values import NUMBER

_NUMBER = Lost("the text of a number that is no Long and no decimal")
_DRAWN = Lost("entities that relationships draw, in a language that knows no entities")
_KEY = Lost("a tag whose name is computed")


def get(ground: Ground, base: Symbol, name: str) -> Cases:
    """An attribute of an entity, a member of a record."""
    match base:
        case Row():
            # a value that no row can have under a name that no row can have
            return [Case(EVERY, ground.attribute(name))] if _is_name(ground, name) else ()
        case Place() if name == NUMBER:
            return [Case(Test("has", base.of("number")), _NUMBER)]
        case Place(path) if store(name):
            return [Case(EVERY, Place((*path, name)))]
        case Recorded(fields):
            return [Case(EVERY, symbol) for member, symbol in fields if member == name]
        case Fixed(value):
            found = ground.evaluate(Attribute(known(value), name))
            return [Case(EVERY, found)] if found else ()
    return ()


def walk(ground: Ground, path: Path) -> Cases:
    """What py-abac and casbin find when they go from the row into records."""
    first, *rest = path.steps
    symbol = ground.attribute(first)
    if isinstance(symbol, Fixed):
        try:
            return [Case(EVERY, Fixed(find(ground.given, path.steps)))]
        except ValueError:
            return ()
    if isinstance(symbol, Drawn):
        return () if rest else [Case(presence(symbol), _DRAWN)]
    cases = get(ground, Row(), first)
    for name in rest:
        cases = [Case(all_of(when, case.when), case.symbol) for when, at in cases for case in get(ground, at, name)]
    return cases


def has(ground: Ground, base: Symbol, name: str) -> Truth:
    """Whether an entity has an attribute, or a record a member."""
    match base:
        case Row():
            if not _is_name(ground, name):
                return FALSE
            return settle(presence(ground.attribute(name)))
        case Place(path):
            record, number = Test("has", base.of("record")), Test("has", base.of("number"))
            if name == NUMBER:
                return Truth(number, record, any_of(record, number))
            member = Test("has", Place((*path, name)).of("any")) if store(name) else NONE
            return settle(member, any_of(record, number))
        case Recorded(fields):
            return always(name in dict(fields))
        case Fixed(value):
            found = ground.evaluate(Has(known(value), (name,)))
            return always(found == Fixed(True)) if found else FAILING
    return FAILING


def _is_name(ground: Ground, name: str) -> bool:
    return name in ground.given or store(name) is not None


def get_tag(ground: Ground, base: Symbol, key: Symbol) -> Cases:
    """A tag of an entity."""
    match base, key:
        case Row(), Fixed(str() as name):
            return [Case(EVERY, Place(("tag", name)))] if store(name) else ()
        case (Row(), Place() | Text()):
            return [Case(_is_text(key), _KEY)]
        case Fixed(Uid() as uid), (Place() | Text()):
            return [Case(_is(key, name), Fixed(_use(value))) for name, value in ground.tags(uid).items()]
        case Fixed(value), Fixed(name):
            found = ground.evaluate(Binary("get_tag", known(value), known(name)))
            return [Case(EVERY, found)] if found else ()
    return ()


def has_tag(ground: Ground, base: Symbol, key: Symbol) -> Truth | Lost:
    """Whether an entity has a tag."""
    match base, key:
        case Row(), Fixed(str() as name):
            return settle(Test("has", Place(("tag", name)).of("any"))) if store(name) else FALSE
        case Row(), (Place() | Text()):
            return _KEY
        case Fixed(Uid() as uid), (Place() | Text()):
            return settle(any_of(*(_is(key, name) for name in ground.tags(uid))), _is_text(key))
        case Fixed(value), Fixed(name):
            found = ground.evaluate(Binary("has_tag", known(value), known(name)))
            return always(found == Fixed(True)) if found else FAILING
    return FAILING


def _is_text(symbol: Place | Text) -> Filter:
    return Test("has", symbol.of("text")) if isinstance(symbol, Place) else EVERY


def _is(symbol: Place | Text, text: str) -> Filter:
    stored = store(text)
    return (
        NONE if stored is None else Test("eq", symbol.of("text") if isinstance(symbol, Place) else symbol.field, stored)
    )


def _use(value: Value) -> Known:
    return read_extension(value) if isinstance(value, Extension) else value
