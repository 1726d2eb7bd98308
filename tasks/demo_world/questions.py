"""Questions with a text to read (in the shape of SQuAD) and without one (closed book)."""

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.clauses import NAMES, Clause, active, draw_clause, passive
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example
from t5mix.tasks.demo_world.lexicon import sentence
from t5mix.tasks.demo_world.statements import ask, tell
from t5mix.tasks.demo_world.world import Fact, facts_to_ask, people

_PAID = ("buy", "sell", "mend", "paint", "clean")


def closed_book(dice: Dice, split: str) -> Example:
    """Returns a question about a fact of this split's share of the world, and the one-word answer."""
    fact = dice.pick(facts_to_ask()[split])
    question = ask(dice, fact)
    key = question if split == "train" else f"{fact.person.name} {fact.attribute}"  # one question a fact
    return Example(f"demo_closed_book question: {question}", fact.value, (fact.value,), key=key)


def _event_question(dice: Dice, clause: Clause, price: str) -> tuple[str, str]:
    """Returns a question about one part of an event and the words that answer it."""
    thing = clause.thing if clause.patient else ""
    place, time = clause.place, clause.time
    ways = {"who": 2.0, "what": 2.0 if clause.patient else 0.0}
    ways["where"] = 2.0 if place else 0.0
    ways["when"] = 2.0 if time else 0.0
    ways["price"] = 3.0 if price else 0.0
    ways["whom"] = 2.0 if clause.recipient else 0.0
    bare = clause._replace(place="", time="")
    way = dice.weighted(ways)
    if way == "who":
        return f"Who {active(bare)[len(clause.agent) + 1 :]}?", clause.agent
    if way == "what":
        to = f" to {clause.recipient}" if clause.recipient else ""
        return f"{'Whom' if clause.patient in lexicon.PEOPLE else 'What'} did {clause.agent} {clause.verb}{to}?", thing
    did = f"did {clause.agent} {clause.verb}" + (f" {thing}" if clause.patient else "")
    if way == "whom":
        return f"To whom {did}?", clause.recipient
    if way == "price":
        return f"For how much {did}?", price
    return f"{'Where' if way == 'where' else 'When'} {did}?", place if way == "where" else time


def _read_event(dice: Dice) -> tuple[str, str, list[str]]:
    """Returns a question about an event, its answer, and the sentences of the context."""
    clause = draw_clause(dice, place=0.6, time=0.5)
    price = f"{dice.pick(lexicon.NUMBERS)} coins" if clause.verb in _PAID and not clause.recipient else ""
    text = passive(clause) if clause.patient and not price and dice.chance(0.2) else active(clause)
    text += f" for {price}" if price else ""
    question, answer = _event_question(dice, clause, price)
    return question, answer, [sentence(text)]


def _read_fact(dice: Dice, fact: Fact) -> tuple[str, str, list[str]]:
    """Returns a question about a fact, its answer, and the sentences of the context."""
    return ask(dice, fact), fact.value, [sentence(tell(dice, fact))]


def _distractor(dice: Dice, taken: str) -> str:
    """Returns a sentence about somebody who does not occur in the taken text."""
    name = dice.pick([name for name in NAMES if name not in taken])
    if dice.chance(0.5):
        clause = draw_clause(dice, place=0.5, time=0.3, kinds={"thing": 2, "animal": 1, "quiet": 1})
        return sentence(active(clause._replace(agent=name)))
    person = next(person for person in people() if person.first == name)
    return sentence(tell(dice, Fact(person, dice.pick(list(person.facts)))))


def reading(dice: Dice, split: str) -> Example:
    """Returns a question, one to three sentences that hold the answer, and the answer as it stands there.

    Training asks for no fact that the evaluation splits of the closed-book task ask for (though such a
    fact may stand in a context, as it may in the unlabelled text).
    """
    if dice.chance(0.6):
        question, answer, context = _read_event(dice)
    else:
        question, answer, context = _read_fact(dice, dice.pick(facts_to_ask()[split]))
    for _ in range(dice.weighted({0: 4, 1: 4, 2: 2})):
        context.append(_distractor(dice, " ".join([question, *context])))
    text = " ".join(dice.shuffled(context))
    if answer not in text:  # a noun phrase that opens its sentence
        answer = answer[0].upper() + answer[1:]
    shorter = answer.split(" ", 1)[-1] if answer.lower().startswith(("on ", "in ", "at ", "by ")) else answer
    return Example(f"question: {question} context: {text}", answer, tuple(dict.fromkeys((answer, shorter))))
