"""Check SQL files: python -m scripts.lint_sql [FILE...], without any the package's. DuckDB itself reads them."""

import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import duckdb

PACKAGE = Path(__file__).parents[1] / "secscore_pipeline"

LINE_LENGTH = 120
"""Of code: a comment, and a line that holds a text, may be longer."""


class Token(NamedTuple):
    """A word, sign or constant of a statement: what DuckDB takes it for, its text, and where it begins."""

    kind: str
    text: str
    at: int


def find_problems(text: str) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a file of SQL: the number of the line, and a sentence."""
    if not re.match(r"-- \w", text):
        yield 1, "The file must begin with a comment that says what it does, and what one row of its result is."
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LINE_LENGTH and not re.search(r"'|--", line):
            yield number, f"The line is longer than {LINE_LENGTH} characters."
        if line != line.rstrip():
            yield number, "The line ends with blanks."
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error as error:
        found = re.search(r"LINE (\d+):", str(error))
        yield int(found[1]) if found else 1, f"DuckDB cannot parse it: {str(error).splitlines()[0]}."
        return
    at = 0
    for statement in statements:
        at = text.index(statement.query.strip().rstrip(";"), at)
        for offset, problem in find_in_statement(statement.query.strip()):
            yield text.count("\n", 0, at + offset) + 1, problem


def find_in_statement(query: str) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a statement: where, and a sentence."""
    tokens = list(read_tokens(query))
    for before, token in pairwise([Token("", "", 0), *tokens]):
        is_name = before.text in ("as", ".")
        if token.kind == "keyword" and token.text != token.text.lower() and not is_name:
            yield token.at, f"Keywords are written in lower case: {token.text.lower()}."
    begins = [token.text for token in tokens[:5]]
    is_view = begins[0] == "create" and "view" in begins
    for first, star, of, table, dot in zip(*(tokens[shift:] for shift in range(5)), strict=False):
        if [first.text, star.text, of.text, dot.text] == ["select", "*", "from", "."] and not is_view:
            yield star.at, f"Name the columns: {table.text} may get others (only a view passes all of them on)."
    for name in find_unused_expressions(tokens):
        yield name.at, f"Nothing reads {name.text}."


def find_unused_expressions(tokens: list[Token]) -> Iterator[Token]:
    """Yield the names of common table expressions that stand nowhere else in their statement."""
    names = [token.text for token in tokens]
    for before, name, after, opening in zip(*(tokens[shift:] for shift in range(4)), strict=False):
        begins = before.text in ("with", "recursive", ",") and name.kind == "identifier" and after.text == "as"
        if begins and opening.text in ("(", "materialized", "not") and names.count(name.text) == 1:
            yield name


def read_tokens(query: str) -> Iterator[Token]:
    """Yield the tokens of a statement, without its comments."""
    found = duckdb.tokenize(query)
    ends = [at for at, _ in found[1:]] + [len(query)]
    for (at, kind), end in zip(found, ends, strict=True):
        text = query[at:end].split("--")[0] if kind.name != "string_const" else query[at:end]
        if kind.name != "comment" and text.strip():
            yield Token(kind.name, text.strip(), at)


def main(arguments: list[str]) -> int:
    """Print what is wrong with each file; return the exit code."""
    count = 0
    for path in map(Path, arguments or sorted(map(str, PACKAGE.rglob("*.sql")))):
        for line, problem in find_problems(path.read_text(encoding="utf-8")):
            count += 1
            print(f"{path}:{line}: {problem}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
