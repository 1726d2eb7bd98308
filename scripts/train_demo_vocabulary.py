"""Remakes tasks/vocabularies/demo.model, the SentencePiece vocabulary of the demo world.

    python scripts/train_demo_vocabulary.py [--size 3996] [--output FILE]

It is trained on the training splits alone. Numbers of pieces as in T5: pad 0, eos 1, unk 2, no bos.
"""

import argparse
import io
import string
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import sentencepiece

from t5mix.tasks import demo_world

OUTPUT = Path(__file__).resolve().parents[1] / "tasks" / "vocabularies" / "demo.model"
# All of the normalisation: the text is plain ASCII, and SentencePiece's usual table would add 240 kB.
TO_ASCII = {
    "\t": " ",
    "\u00a0": " ",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2013": "-",
    "\u2014": "-",
}


def training_text() -> Iterator[str]:
    """Yields the inputs and the targets of every training example of the demo world."""
    for task in demo_world.MAKERS:
        for example in demo_world.splits(task)["train"]:
            yield from filter(None, (example.inputs, example.targets))


def seed_pieces() -> str:
    """Returns the candidate pieces as a table: every part of every word, with its frequency in the text.

    SentencePiece's own search counts each *different* word once, however often it occurs; with so small a
    lexicon it would find few parts that two words share, and split words as frequent as "and".
    """
    words: Counter[str] = Counter()
    for text in training_text():
        for word in text.split():
            words[f"\u2581{word}"] += 1
    parts: Counter[str] = Counter()
    for word, count in words.items():
        for start in range(len(word)):
            for end in range(start + 2, min(len(word), start + 16) + 1):
                parts[word[start:end]] += count
    kept = [(part, count) for part, count in parts.items() if count > 1]
    return "".join(f"{part}\t{count * len(part)}\n" for part, count in sorted(kept, key=lambda item: (-item[1], item)))


def train(size: int) -> bytes:
    """Returns a unigram model of at most this many pieces, serialised."""
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        seeds, rules = Path(folder, "seeds.tsv"), Path(folder, "rules.tsv")
        seeds.write_text(seed_pieces(), encoding="utf-8")
        rules.write_text("".join(f"{ord(sign):X}\t{ord(plain):X}\n" for sign, plain in TO_ASCII.items()))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=training_text(),
            model_writer=model,
            model_type="unigram",
            seed_sentencepieces_file=str(seeds),
            vocab_size=size,
            hard_vocab_limit=False,
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            character_coverage=1.0,
            required_chars=string.ascii_letters + string.digits + string.punctuation,
            normalization_rule_tsv=str(rules),
            byte_fallback=False,
            num_threads=1,  # the same model every time
            minloglevel=2,
        )
    return model.getvalue()


def main() -> None:
    """Trains the vocabulary and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=3996, help="at most this many pieces (100 extra ids follow)")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    model = train(arguments.size)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_bytes(model)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model).vocab_size()
    print(f"{arguments.output}: {pieces} pieces, {len(model) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
