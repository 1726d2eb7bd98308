"""Events in a clause: who did what to whom, where and when, and the many ways of putting it."""

from typing import NamedTuple

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.lexicon import VERBS, Verb, article

NAMES = lexicon.WOMEN + lexicon.MEN


class Clause(NamedTuple):
    """An event. Noun phrases are kept as words; empty means that nothing is said.

    Attributes:
        agent: who acts, with its article if it has one ("the baker", "Mara").
        verb: base form of what they do.
        patient: what it is done to, a noun without article; empty for an intransitive verb.
        adjective: an adjective of the patient.
        recipient: who gets the patient, for verbs of giving.
        place: a phrase with its preposition.
        time: a phrase with its preposition.
    """

    agent: str
    verb: str
    patient: str = ""
    adjective: str = ""
    recipient: str = ""
    place: str = ""
    time: str = ""

    @property
    def thing(self) -> str:
        """The patient with its adjective and an article: "an old hat", "the farmer"."""
        words = f"{self.adjective} {self.patient}".strip()
        definite = self.patient in lexicon.PEOPLE or self.patient in lexicon.ANIMALS
        return f"the {words}" if definite else f"{article(words)} {words}"

    @property
    def forms(self) -> Verb:
        """The forms of the verb."""
        return VERBS[self.verb]


def draw_agent(dice: Dice, names: float = 0.5) -> str:
    """Returns somebody who can act: a name with probability `names`, else "the" and a noun."""
    return dice.pick(NAMES) if dice.chance(names) else f"the {dice.pick(lexicon.PEOPLE)}"


def draw_other_agent(dice: Dice, *taken: str) -> str:
    """Returns somebody who is none of those taken."""
    while True:
        agent = draw_agent(dice)
        if agent not in taken:
            return agent


def draw_clause(
    dice: Dice, place: float = 0.5, time: float = 0.5, kinds: dict[str, float] | None = None, adjective: float = 0.5
) -> Clause:
    """Returns a random event.

    Args:
        dice: where the choices come from.
        place: probability that a place is told.
        time: probability that a time is told.
        kinds: weights of the kinds of event: "thing", "person", "animal", "giving", "quiet".
        adjective: probability that a thing has an adjective.
    """
    kind = dice.weighted(kinds or {"thing": 4, "giving": 2, "animal": 1.5, "person": 1.5, "quiet": 1})
    clause = Clause(
        agent=draw_agent(dice),
        verb="",
        place=dice.pick(lexicon.PLACES) if dice.chance(place) else "",
        time=dice.pick(lexicon.TIMES) if dice.chance(time) else "",
    )
    if kind == "quiet":
        return clause._replace(verb=dice.pick(lexicon.QUIET_VERBS))
    if kind == "animal":
        return clause._replace(verb=dice.pick(lexicon.ANIMAL_VERBS), patient=dice.pick(lexicon.ANIMALS))
    if kind == "person":
        patient = dice.pick_other(lexicon.PEOPLE, clause.agent.removeprefix("the "))
        return clause._replace(verb=dice.pick(lexicon.PERSON_VERBS), patient=patient)
    clause = clause._replace(
        patient=dice.pick(list(lexicon.KIND_OF)),
        adjective=dice.pick([*lexicon.ADJECTIVES, *lexicon.COLOURS]) if dice.chance(adjective) else "",
    )
    if kind == "thing":
        return clause._replace(verb=dice.pick(lexicon.THING_VERBS))
    return clause._replace(
        verb=dice.pick(lexicon.GIVING_VERBS), recipient=draw_other_agent(dice, clause.agent), place=""
    )


def _with_adverbials(clause: Clause, core: str, fronted: bool) -> str:
    if fronted and clause.time:
        return " ".join(filter(None, (clause.time, core, clause.place)))
    return " ".join(filter(None, (core, clause.place, clause.time)))


def active(clause: Clause, *, fronted: bool = False, negated: bool = False, dative: bool = False) -> str:
    """Returns the clause in the active voice, past tense, without capital and full stop.

    Args:
        clause: the event.
        fronted: put the time first.
        negated: say that it did not happen.
        dative: "gave Mara a hat" in the place of "gave a hat to Mara".
    """
    verb = f"did not {clause.verb}" if negated else clause.forms.past
    if not clause.patient:
        core = f"{clause.agent} {verb}"
    elif not clause.recipient:
        core = f"{clause.agent} {verb} {clause.thing}"
    elif dative:
        core = f"{clause.agent} {verb} {clause.recipient} {clause.thing}"
    else:
        core = f"{clause.agent} {verb} {clause.thing} to {clause.recipient}"
    return _with_adverbials(clause, core, fronted)


def passive(clause: Clause, *, fronted: bool = False, negated: bool = False) -> str:
    """Returns the clause, which must have a patient, in the passive voice."""
    to = f" to {clause.recipient}" if clause.recipient else ""
    was = "was not" if negated else "was"
    return _with_adverbials(clause, f"{clause.thing} {was} {clause.forms.participle}{to} by {clause.agent}", fronted)


def cleft(clause: Clause) -> str:
    """Returns the clause with its agent in focus: "it was Mara who bought a hat"."""
    return f"it was {clause.agent} who {active(clause)[len(clause.agent) + 1 :]}"


def rephrased(dice: Dice, clause: Clause) -> str:
    """Returns the clause in one of its ways, all of which mean the same."""
    ways = {"plain": 3.0, "fronted": 1.5 if clause.time else 0.0, "cleft": 0.5}
    if clause.patient:
        ways["passive"] = 1.5
    if clause.recipient:
        ways["dative"] = 2.0
    way = dice.weighted(ways)
    if way == "passive":
        return passive(clause)
    if way == "cleft":
        return cleft(clause)
    return active(clause, fronted=way == "fronted", dative=way == "dative")


def with_synonyms(clause: Clause) -> Clause:
    """Returns the clause with every word exchanged that has a synonym."""
    synonyms = lexicon.VERB_SYNONYMS | lexicon.PERSON_VERB_SYNONYMS
    return clause._replace(
        verb=synonyms.get(clause.verb, clause.verb),
        adjective=lexicon.ADJECTIVE_SYNONYMS.get(clause.adjective, clause.adjective),
    )
