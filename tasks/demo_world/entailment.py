"""Does the hypothesis follow from the premise, contradict it, or neither? In the shape of MNLI."""

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.clauses import Clause, active, draw_clause, draw_other_agent, passive, with_synonyms
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example
from t5mix.tasks.demo_world.lexicon import ADJECTIVE_OPPOSITES, COLOURS, KIND_OF, VERB_OPPOSITES, sentence

_REASONS = ("because it was a holiday", "to please a friend", "for the first time", "with great care", "in secret")
_FEELINGS = lexicon.words("sad tired proud angry rich hungry")


def _weaker(dice: Dice, clause: Clause) -> str:
    """Returns something that follows: less is said, or the same with other words."""
    way = dice.weighted({"someone": 3, "kind": 2.5, "drop": 2, "same": 2, "passive": 1})
    if dice.chance(0.6):
        clause = clause._replace(time="")
    if dice.chance(0.4):
        clause = clause._replace(place="")
    if way == "someone":
        return active(clause._replace(agent="someone"))
    if way == "kind" and clause.patient in KIND_OF:
        return active(clause._replace(patient=KIND_OF[clause.patient], adjective=""))
    if way == "kind" and clause.patient in lexicon.ANIMALS:
        return active(clause._replace(patient="animal"))
    if way == "drop":
        return active(clause._replace(adjective=""))
    if way == "passive" and clause.patient:
        return passive(clause)
    return active(with_synonyms(clause))


def _other_time(dice: Dice, time: str) -> str:
    """Returns a time that excludes this one: another day, or another part of the day."""
    return dice.pick_other(lexicon.DAYS if time in lexicon.DAYS else lexicon.HOURS, time)


def _opposed(dice: Dice, clause: Clause) -> str:
    """Returns something that cannot be true of the same event, which has one place and one time."""
    shorter = clause._replace(time="" if dice.chance(0.5) else clause.time)
    ways = {"not": 4.0, "nobody": 1.0}
    ways["place"] = 2.0 if clause.place else 0.0
    ways["time"] = 2.0 if clause.time else 0.0
    ways["colour"] = 3.0 if clause.adjective in COLOURS else 0.0
    ways["adjective"] = 3.0 if clause.adjective in ADJECTIVE_OPPOSITES else 0.0
    ways["verb"] = 2.0 if clause.verb in VERB_OPPOSITES and not clause.recipient else 0.0
    way = dice.weighted(ways)
    if way == "not":
        return active(shorter, negated=True)
    if way == "nobody":
        return active(shorter._replace(agent="nobody"))
    if way == "place":
        return active(shorter._replace(place=dice.pick_other(lexicon.PLACES, clause.place)))
    if way == "time":
        return active(clause._replace(time=_other_time(dice, clause.time)))
    if way == "colour":
        return active(shorter._replace(adjective=dice.pick_other(COLOURS, clause.adjective)))
    if way == "adjective":
        return active(shorter._replace(adjective=ADJECTIVE_OPPOSITES[clause.adjective]))
    return active(shorter._replace(verb=VERB_OPPOSITES[clause.verb]))


def _unsaid(dice: Dice, clause: Clause) -> str:
    """Returns something that the premise leaves open."""
    way = dice.weighted({"reason": 4, "feeling": 1.5, "adjective": 2, "other": 2, "not": 1.2, "price": 1})
    if way == "feeling":
        return f"{clause.agent} was {dice.pick(_FEELINGS)}"
    if way == "adjective" and clause.patient in KIND_OF and not clause.adjective:
        return active(clause._replace(adjective=dice.pick([*lexicon.ADJECTIVES, *COLOURS])))
    if way == "price" and clause.verb in ("buy", "sell"):
        return f"{clause.agent} {clause.forms.past} {clause.thing} for {dice.pick(lexicon.NUMBERS)} coins"
    if way in ("other", "not", "price"):
        other = draw_clause(dice, place=0.3, time=0.3)
        if dice.chance(0.5):
            other = other._replace(agent=draw_other_agent(dice, clause.agent))
        return active(other, negated=way == "not")
    return f"{active(clause._replace(time=''))} {dice.pick(_REASONS)}"


def _negative_premise(dice: Dice, clause: Clause) -> tuple[str, str, str]:
    """Returns a pair whose premise denies, so that "not" in the hypothesis is no contradiction."""
    statement = active(clause, negated=True)
    if dice.chance(0.4):
        return statement, active(clause), "contradiction"
    other = active(with_synonyms(clause), negated=True, fronted=True)
    if other != statement and dice.chance(0.5):
        return statement, other, "entailment"
    return active(clause._replace(agent="nobody")), statement, "entailment"


def make(dice: Dice, split: str) -> Example:
    """Returns a premise with a hypothesis, and their relation."""
    clause = draw_clause(dice, place=0.6, time=0.5)
    if dice.chance(0.1):
        premise, hypothesis, label = _negative_premise(dice, clause)
    else:
        label = dice.pick(["entailment", "neutral", "contradiction"])
        in_passive = bool(clause.patient) and dice.chance(0.15)
        premise = passive(clause) if in_passive else active(clause)
        if not in_passive and dice.chance(0.2):
            premise = f"{premise} and {dice.pick(['then went home', 'was happy', 'said nothing'])}"
        hypothesis = {"entailment": _weaker, "neutral": _unsaid, "contradiction": _opposed}[label](dice, clause)
        if hypothesis == premise:  # only what follows can be the same; a copy would teach little
            hypothesis = active(clause._replace(agent="someone"))
    premise, hypothesis = sentence(premise), sentence(hypothesis)
    return Example(f"mnli premise: {premise} hypothesis: {hypothesis}", label)
