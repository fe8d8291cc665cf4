"""Names and texts are in the language of the field: a verb phrase for a function, a noun for the rows of a query."""

import ast
import re
from pathlib import Path

import pytest

import secscore_pipeline
from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.error_catalogue import FAILURES

PACKAGE = Path(secscore_pipeline.__file__).parent
ROOT = PACKAGE.parent

STORY = {
    "told", "held", "dealt", "shown", "said", "news", "standing", "left", "lived", "seen", "known", "met", "gone",
    "tell", "look", "looks", "live", "forget", "let_go", "remember",
}  # fmt: skip
"""Words that tell a story, and say of no function or row what it does or is."""

NOT_PARTICIPLES = {"feed", "seed", "need", "embed"}
"""Words that end like participles and are none."""

PRIVATE_TERMS = (
    r"\b(?:look|snapshot|round|body)_id\b",
    r"\bsightings?\b",
    r"\bcures?\b",
    r"\blet go of\b",
    r"\bvanish",
    r"\b(?:of a|whole) round\b",
    r"\bdealt\b",
    r"\b(?:newest|complete) looks?\b",
    r"\b(?:complete|whole) snapshots?\b",
)
"""What this project once called a fetch, a run, a sync, a record version, an observation and their like."""


def is_story_word(name: str) -> bool:
    word = name.strip("_")
    return word in STORY or (bool(re.fullmatch(r"[a-z]{3,}ed", word)) and word not in NOT_PARTICIPLES)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_function_says_what_it_does(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [name for name in names if is_story_word(name)] == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.sql")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_rows_of_a_query_have_a_noun(path):
    text = path.read_text(encoding="utf-8")
    names = re.findall(r"(?:^with |^)(\w+) as (?:not )?(?:materialized )?\($", text, re.MULTILINE)
    names += re.findall(r"temp (?:table|view) (\w+)", text)
    assert [name for name in names if is_story_word(name)] == []


@pytest.mark.parametrize("term", PRIVATE_TERMS)
def test_no_text_for_people_has_a_term_of_our_own(term):
    files = (ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"))
    pages = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}
    texts = {
        **pages,
        **{setting.name: setting.meaning for setting in SETTINGS},
        **{name: f"{one.title} {one.why} {one.resolution}" for name, one in FAILURES.items()},
    }
    # A test's name in a page says what must be true, in the words of its time.
    found = {name: re.findall(f".*{term}.*", re.sub(r"`test_\w+`", "", text)) for name, text in texts.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}
