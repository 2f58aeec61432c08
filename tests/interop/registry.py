# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of features: each is a function, with what is expected of each CA. A change of either shows as failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.lab.api import AUTHORITIES

if TYPE_CHECKING:
    from tests.interop.ground import Ground

#: Sees what a feature does on a CA: None or what was seen, in words that the expectation has too. Raises Refusal when
#: a module says that it does not go, AssertionError for what nobody expects.
Cell = Callable[["Ground"], "str | None"]


class NotHere(Exception):
    """The program that stands in for a CA cannot show this; the text says why. Such a cell is not counted."""


class Refusal(Exception):
    """A module of the collection said that something does not go; the text is its message."""


@dataclass(frozen=True)
class Works:
    """It goes. seen: what the function says of it, None for nothing."""

    seen: str | None = None


@dataclass(frozen=True)
class Refused:
    """The CA does not do it, and the collection says so. words: parts of its message, in this order."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Untried:
    """It cannot be tried in the lab. Not counted."""

    why: str


Expectation = Works | Refused | Untried


def works(seen: str | None = None) -> Works:
    """It goes, and this is seen."""
    return Works(seen)


def refused(*words: str) -> Refused:
    """It does not go, and the message has these parts in this order."""
    return Refused(words)


def untried(why: str) -> Untried:
    """It cannot be tried in the lab."""
    return Untried(why)


@dataclass(frozen=True)
class Feature:
    """subject: the group in the table. quick: part of ``make test``. expected: by CA."""

    subject: str
    title: str
    cell: Cell
    quick: bool
    expected: dict[str, Expectation] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one cell. text: what was seen, the collection's message, or what was wrong."""

    feature: Feature
    ca: str
    kind: str  # passed, refused, failed, untried, or skipped on a stand-in
    text: str


FEATURES: list[Feature] = []


def feature(
    subject: str,
    title: str,
    *,
    everywhere: Expectation = Works(),
    pebble: Expectation | None = None,
    acme2certifier: Expectation | None = None,
    openbao: Expectation | None = None,
    step_ca: Expectation | None = None,
    quick: bool = False,
) -> Callable[[Cell], Cell]:
    """Put a function into the table, with what is expected ``everywhere`` and of the CAs that differ."""
    own = {"pebble": pebble, "acme2certifier": acme2certifier, "openbao": openbao, "step-ca": step_ca}

    def register(cell: Cell) -> Cell:
        expected = {ca: own[ca] or everywhere for ca in AUTHORITIES}
        FEATURES.append(Feature(subject, title, cell, quick, expected))
        return cell

    return register


def run(feature: Feature, ground: Ground) -> Outcome:
    """Run one cell and compare what came with what is expected. Never raises but for an interrupt."""
    expected = feature.expected[ground.lab.ca]
    if isinstance(expected, Untried):
        return Outcome(feature, ground.lab.ca, "untried", expected.why)
    kind, text = "failed", ""
    try:
        seen = feature.cell(ground)
    except Refusal as refusal:
        text = str(refusal)
        if isinstance(expected, Refused) and has_words(text, expected.words):
            kind = "refused"
        else:
            text = f"refused: {text}; expected: {expected}"
    except NotHere as reason:
        kind, text = "skipped", str(reason)
    except Exception as error:  # noqa: BLE001 - one cell must not end the run
        text = f"{type(error).__name__}: {error}"
    else:
        if isinstance(expected, Works) and seen == expected.seen:
            kind, text = "passed", seen or ""
        else:
            text = f"seen: {seen}; expected: {expected}"
    return Outcome(feature, ground.lab.ca, kind, text)


def has_words(text: str, words: tuple[str, ...]) -> bool:
    """Whether all words are in a text, in this order."""
    at = 0
    for word in words:
        found = text.find(word, at)
        if found < 0:
            return False
        at = found + len(word)
    return True
