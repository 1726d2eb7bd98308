"""One headline for a short report: the event that matters, wherever it stands in the text."""

from typing import NamedTuple

from t5mix.tasks.demo_world import lexicon
from t5mix.tasks.demo_world.clauses import NAMES
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example
from t5mix.tasks.demo_world.lexicon import VERBS, sentence

PREFIX = "summarize: "
# What makes news: verb, objects, and what people call it.
_NEWS = (
    ("win", ("the race", "the chess prize", "the singing prize"), "victory"),
    ("steal", ("the crown", "a golden cup", "a black horse"), "theft"),
    ("rescue", ("a child", "two sailors", "a drowning dog"), "rescue"),
    ("open", ("a new school", "a bakery", "a theatre"), "opening"),
    ("build", ("a bridge", "a tower", "a stone house"), "building"),
    ("find", ("a lost ring", "an old map", "a chest of gold"), "find"),
    ("marry", ("the king", "the queen", "a rich merchant"), "wedding"),
    ("break", ("the town clock", "a church window", "the big bell"), "accident"),
)
_BACKGROUND = (
    "it was {weather} {time}",
    "the streets of {town} were full of people",
    "{name} was cooking {food}",
    "the market in {town} was open",
    "{name} and {other} were drinking {drink}",
    "children played {place}",
    "the {job} went home early",
    "{name} sold {food} {place}",
    "a {job} watched from a window",
)
_WEATHER = lexicon.words("cold warm windy rainy sunny foggy")


class News(NamedTuple):
    """An event that can make the headline."""

    actor: str
    verb: str
    what: str
    town: str
    called: str

    def headline(self) -> str:
        """Who does what, where, in the present tense of headlines."""
        return f"{self.actor} {VERBS[self.verb].third} {self.what} in {self.town}"


def _draw_news(dice: Dice, town: str) -> News:
    verb, objects, called = dice.pick(_NEWS)
    actor = dice.pick(NAMES) if dice.chance(0.6) else f"the {dice.pick(list(lexicon.JOBS))}"
    return News(actor, verb, dice.pick(objects), town, called)


def _report(dice: Dice, news: News, with_town: bool) -> str:
    time = dice.pick(lexicon.TIMES)
    where = f" in {news.town}" if with_town else ""
    if dice.chance(0.25) and news.verb != "marry":
        return sentence(f"{news.what} was {VERBS[news.verb].participle} by {news.actor}{where} {time}")
    if dice.chance(0.3):
        return sentence(f"{time} {news.actor} {VERBS[news.verb].past} {news.what}{where}")
    return sentence(f"{news.actor} {VERBS[news.verb].past} {news.what}{where} {time}")


def _background(dice: Dice, template: str, town: str, actor: str) -> str:
    name, other = dice.some([name for name in NAMES if name != actor], 2)
    return sentence(
        template.format(
            name=name,
            other=other,
            town=town,
            food=dice.pick(lexicon.FOODS),
            drink=dice.pick(lexicon.DRINKS),
            weather=dice.pick(_WEATHER),
            time=dice.pick(lexicon.TIMES),
            place=dice.pick(lexicon.PLACES),
            job=dice.pick([job for job in lexicon.JOBS if f"the {job}" != actor and job != "actor"]),
        )
    )


def make(dice: Dice, split: str) -> Example:
    """Returns a report of two to four sentences and its headline.

    Half of the reports lead with the news. In a tenth two events could make the news, and the last
    sentence says which of them people talked about.
    """
    town = dice.pick(lexicon.TOWNS)
    news = _draw_news(dice, town)
    inline = dice.chance(0.6)
    main = _report(dice, news, with_town=inline)
    minor = dice.some(_BACKGROUND, dice.pick([1, 2, 2]))
    rest = [_background(dice, template, town, news.actor) for template in minor]
    rival = _draw_news(dice, town)
    rivalled = rival.verb != news.verb and rival.actor != news.actor and dice.chance(0.12)
    if rivalled:
        rest[-1] = _report(dice, rival, with_town=False)
    sentences = [main, *rest] if dice.chance(0.5) else dice.shuffled([main, *rest])
    if rivalled:
        sentences.append(f"All {town} talked about the {news.called}.")
    elif not inline:
        if dice.chance(0.5):
            sentences.append(f"It happened in {town}.")
        else:
            sentences.insert(0, f"Here is the news from {town}.")
    return Example(PREFIX + " ".join(sentences), sentence(news.headline(), ""))
