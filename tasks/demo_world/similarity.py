"""How near are two sentences, from 0.0 to 5.0? In the shape of STS-B, rounded to 0.2 as T5 does."""

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.clauses import Clause, draw_clause, draw_other_agent, rephrased, with_synonyms
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example, pair_key
from t5mix.tasks.demo_world.lexicon import ADJECTIVE_OPPOSITES, COLOURS, KIND_OF, THINGS, sentence

# What agreement in each part is worth, in fifths of a point: together 25, which is 5.0.
_WORTH = {"verb": 7, "patient": 7, "agent": 6, "place": 3, "time": 2}
_NEAR = 0.4  # share of a part's worth that two values of one kind get


def _is_near(part: str, first: Clause, second: Clause) -> bool:
    if part == "patient":
        kinds = {KIND_OF.get(first.patient, ""), KIND_OF.get(second.patient, "")}
        return len(kinds) == 1 and "" not in kinds
    if part == "agent":
        return first.agent.startswith("the ") == second.agent.startswith("the ")  # two names, or two trades
    return False


def score_in_fifths(first: Clause, second: Clause) -> int:
    """Returns the similarity of two events, times five.

    Equal parts earn their full worth (nothing said on both sides counts as equal), a patient of the same
    kind or an agent of the same sort a share of it; a different adjective takes one fifth off.
    """
    score = 0
    for part, worth in _WORTH.items():
        if getattr(first, part) == getattr(second, part):
            score += worth
        elif _is_near(part, first, second):
            score += round(_NEAR * worth)
    return max(0, score - (first.patient == second.patient and first.adjective != second.adjective))


def _changed(dice: Dice, clause: Clause, part: str) -> Clause:
    """Returns the event with one part told differently, or left unsaid if it is a place or a time."""
    if part == "verb":
        return clause._replace(verb=dice.pick_other(lexicon.THING_VERBS, clause.verb))
    if part == "patient":
        near = dice.chance(0.4)
        things = THINGS[KIND_OF[clause.patient]] if near else list(KIND_OF)
        return clause._replace(patient=dice.pick_other(things, clause.patient))
    if part == "agent":
        return clause._replace(agent=draw_other_agent(dice, clause.agent))
    if part == "adjective":
        return clause._replace(adjective=dice.pick_other([*ADJECTIVE_OPPOSITES, *COLOURS], clause.adjective))
    if part == "place":
        return clause._replace(place="" if dice.chance(0.5) else dice.pick_other(lexicon.PLACES, clause.place))
    return clause._replace(time="" if dice.chance(0.5) else dice.pick_other(lexicon.TIMES, clause.time))


def make(dice: Dice, split: str) -> Example:
    """Returns two sentences and their similarity."""
    first = draw_clause(dice, place=0.6, time=0.5, kinds={"thing": 1.0})
    if dice.chance(0.25):  # another subject altogether, which single words show
        second = draw_clause(dice, place=0.6, time=0.5, kinds={"animal": 1.0, "person": 1.0, "quiet": 1.0})
    else:
        second = first
        parts = dice.shuffled([*_WORTH, "adjective"])
        for part in parts[: dice.weighted({0: 2, 1: 3, 2: 3, 3: 3, 4: 2, 6: 2})]:
            second = _changed(dice, second, part)
    fifths = score_in_fifths(first, second)
    paraphrase = with_synonyms(second) if dice.chance(0.3) else second
    one, two = (sentence(rephrased(dice, clause)) for clause in dice.shuffled([first, paraphrase]))
    inputs = f"demo_similarity sentence1: {one} sentence2: {two}"
    return Example(inputs, f"{fifths / 5:.1f}", key=pair_key(one, two))
