"""Do two sentences mean the same? In the shape of MRPC: most do, and all share most of their words."""

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.clauses import (
    Clause,
    active,
    draw_clause,
    draw_other_agent,
    rephrased,
    with_synonyms,
)
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example, pair_key
from t5mix.tasks.demo_world.lexicon import KIND_OF, THINGS, sentence

_KINDS = {"thing": 4.0, "giving": 3.0, "animal": 1.0, "person": 2.0}


def _nearly(dice: Dice, clause: Clause) -> Clause:
    """Returns an event that differs from this one in a single respect."""
    ways = {"agent": 1.5, "verb": 1.5, "place": 1.5 if clause.place else 0.0, "time": 1.5 if clause.time else 0.0}
    if clause.recipient:
        ways["swap"] = 3.0
    elif clause.patient in lexicon.PEOPLE and clause.agent.startswith("the "):
        ways["swap"] = 4.0
    if clause.patient in KIND_OF:
        ways["thing"] = 2.0
    way = dice.weighted(ways)
    if way == "swap" and clause.recipient:
        return clause._replace(agent=clause.recipient, recipient=clause.agent)
    if way == "swap":
        return clause._replace(agent=f"the {clause.patient}", patient=clause.agent.removeprefix("the "))
    if way == "agent":
        return clause._replace(agent=draw_other_agent(dice, clause.agent, clause.recipient, f"the {clause.patient}"))
    if way == "thing":
        return clause._replace(patient=dice.pick_other(THINGS[KIND_OF[clause.patient]], clause.patient))
    if way == "place":
        return clause._replace(place=dice.pick_other(lexicon.PLACES, clause.place))
    if way == "time":
        return clause._replace(time=dice.pick_other(lexicon.TIMES, clause.time))
    groups = (lexicon.GIVING_VERBS, lexicon.THING_VERBS, lexicon.PERSON_VERBS, lexicon.ANIMAL_VERBS)
    group = next(verbs for verbs in groups if clause.verb in verbs)
    return clause._replace(verb=dice.pick_other(group, clause.verb))


def _draw_pair(dice: Dice, equivalent: bool) -> tuple[str, str]:
    clause = draw_clause(dice, place=0.4, time=0.5, kinds=_KINDS)
    if not equivalent and dice.chance(0.25):  # a surface cue, and an imperfect one: see below
        first, second = rephrased(dice, clause), active(clause, negated=True)
        if dice.chance(0.5):
            first, second = second, first
    elif dice.chance(0.08):
        other = clause if equivalent else _nearly(dice, clause)
        first, second = active(clause, negated=True), active(other, negated=True, fronted=True)
    else:
        other = clause if equivalent else _nearly(dice, clause)
        if dice.chance(0.5 if equivalent else 0.25):
            other = with_synonyms(other)
        first, second = rephrased(dice, clause), rephrased(dice, other)
    return sentence(first), sentence(second)


def make(dice: Dice, split: str) -> Example:
    """Returns two sentences and whether they are equivalent."""
    equivalent = dice.chance(0.6)
    first, second = "", ""
    while first == second:
        first, second = _draw_pair(dice, equivalent)
    inputs = f"demo_paraphrase sentence1: {first} sentence2: {second}"
    return Example(inputs, "equivalent" if equivalent else "not_equivalent", key=pair_key(first, second))
