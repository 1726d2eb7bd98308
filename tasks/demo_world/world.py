"""The people of the demo world and what is true of them."""

import functools
from typing import NamedTuple

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.dice import Dice

ATTRIBUTES = ("job", "workplace", "town", "food", "drink", "colour", "pet", "hobby", "season")
HELD_OUT = {"validation": 200, "test": 200}  # facts that no training question asks


class Person(NamedTuple):
    """Somebody with a name of their own (first names are unique) and one value for each attribute."""

    first: str
    family: str
    pronoun: str
    facts: dict[str, str]

    @property
    def name(self) -> str:
        """First name and family name."""
        return f"{self.first} {self.family}"


class Fact(NamedTuple):
    """One true thing: this person's attribute has this value."""

    person: Person
    attribute: str

    @property
    def value(self) -> str:
        """The value, as one word."""
        return self.person.facts[self.attribute]


@functools.cache
def people() -> tuple[Person, ...]:
    """Returns everybody, the same in every process.

    Values are skewed, families mostly live together, and a workplace follows from the job: a model can
    score by habit, do better by relating facts to one another, and best by remembering each.
    """
    dice = Dice("people")
    home = {family: lexicon.TOWNS[i % len(lexicon.TOWNS)] for i, family in enumerate(lexicon.FAMILIES)}
    firsts = [(name, "she") for name in lexicon.WOMEN] + [(name, "he") for name in lexicon.MEN]
    everybody = []
    for first, pronoun in dice.shuffled(firsts):
        family = dice.pick(lexicon.FAMILIES)
        job = dice.pick_early(list(lexicon.JOBS))
        facts = {
            "job": job,
            "workplace": lexicon.JOBS[job],
            "town": home[family] if dice.chance(0.8) else dice.pick(lexicon.TOWNS),
            "food": dice.pick_early(lexicon.FOODS),
            "drink": dice.pick_early(lexicon.DRINKS),
            "colour": dice.pick_early(lexicon.COLOURS),
            "pet": dice.pick_early(lexicon.PETS),
            "hobby": dice.pick_early(lexicon.HOBBIES),
            "season": dice.pick_early(lexicon.SEASONS),
        }
        everybody.append(Person(first, family, pronoun, facts))
    return tuple(everybody)


@functools.cache
def facts_to_ask() -> dict[str, tuple[Fact, ...]]:
    """Returns, for each split, the facts that its questions may ask: no fact belongs to two splits."""
    facts = Dice("facts").shuffled([Fact(person, attribute) for person in people() for attribute in ATTRIBUTES])
    splits = {}
    for split, count in HELD_OUT.items():
        splits[split], facts = tuple(facts[:count]), facts[count:]
    splits["train"] = tuple(facts)
    return splits
