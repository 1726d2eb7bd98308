"""Unlabelled text: paragraphs that tell the facts and events of the world in varied words."""

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.clauses import draw_clause, rephrased
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example
from t5mix.tasks.demo_world.lexicon import sentence
from t5mix.tasks.demo_world.statements import tell
from t5mix.tasks.demo_world.world import ATTRIBUTES, Fact, people


def _portrait(dice: Dice) -> str:
    """Returns three or four facts about one person, named at first and then often by a pronoun."""
    person = dice.pick(people())
    sentences = []
    for attribute in dice.some(ATTRIBUTES, 3 + dice.chance(0.4)):
        who = person.pronoun if sentences and dice.chance(0.6) else person.name
        sentences.append(sentence(tell(dice, Fact(person, attribute), who)))
    return " ".join(sentences)


def _common_trait(dice: Dice) -> str:
    """Returns the facts of two or three people in one respect."""
    attribute = dice.pick(ATTRIBUTES)
    return " ".join(sentence(tell(dice, Fact(person, attribute))) for person in dice.some(people(), 3))


def _day(dice: Dice) -> str:
    """Returns two or three events, now and then with the one fact that belongs to the actor."""
    sentences = [sentence(rephrased(dice, draw_clause(dice))) for _ in range(2 + dice.chance(0.4))]
    return " ".join(sentences)


def _household(dice: Dice) -> str:
    """Returns who lives in a town and where they work."""
    town = dice.pick(lexicon.TOWNS)
    locals_ = [person for person in people() if person.facts["town"] == town]
    sentences = []
    for person in dice.some(locals_, 2):
        sentences.append(sentence(tell(dice, Fact(person, "town"))))
        sentences.append(sentence(tell(dice, Fact(person, dice.pick(("job", "workplace"))), person.pronoun)))
    return " ".join(sentences)


def make(dice: Dice, split: str) -> Example:
    """Returns one paragraph; evaluation paragraphs tell the same world in other words."""
    kind = dice.weighted({"portrait": 5, "trait": 1.5, "day": 2.5, "household": 1})
    paragraph = {"portrait": _portrait, "trait": _common_trait, "day": _day, "household": _household}[kind](dice)
    return Example("", paragraph)
