"""Every failure is explained whole: each call gives each place of its resolution a value."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest

import secscore_pipeline
from secscore_pipeline.error_catalogue import FAILURES, PARTS, PASSING
from secscore_pipeline.errors import LEFT_TO_READER, ExplainedError, FailureError, describe_resolution, explain

PACKAGE = Path(secscore_pipeline.__file__).parent

MODULES = {
    name: ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    for name in sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
    if name not in ("error_catalogue.py", "errors.py")
}

HANDLED_WHERE_RAISED = {
    "ChannelError": "its reason is stored with the delivery that failed, and shown by status",
    "UnusableAnswerError": "MSAL lets it through; it becomes a SignInError",
    "NoScoreYet": "a state of a subscription, stored as the outcome of its fetch",
    "AnswerTooLargeError": "requests' callers expect requests' exceptions; becomes a RequestError",
    "DeadlineError": "requests' callers expect requests' exceptions; becomes a RequestError",
    "ForeignHostError": "requests' callers expect requests' exceptions; becomes a SignInError",
    "StoppedError": "requests' callers expect requests' exceptions; becomes an InterruptedReadError",
    "ExchangeEndedError": "leaves the session as one of requests' exceptions",
    "_BackError": "a step back in a dialogue",
    "_UnknownStateError": "a usage error, which click prints with the command's usage",
    "_UnknownSignerError": "an answer of the local Azure",
    "EncodingError": "the end of a sentence; whoever reads the file adds its name and the failure",
}
"""The exceptions beside the explained ones, and why none of them reaches a person as it is."""


def places_of(failure: str) -> set[str]:
    """Return the places of a failure's resolution that a call must give a value."""
    places = {name for _, name, _, _ in Formatter().parse(FAILURES[failure].resolution) if name}
    return places - set(LEFT_TO_READER)


def error_classes() -> Mapping[str, set[str]]:
    """Return the classes that the package defines, with the names of their bases."""
    return {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for tree in MODULES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def explained_classes() -> set[str]:
    found = {"ExplainedError", "FailureError"}
    while new := {name for name, bases in error_classes().items() if bases & found} - found:
        found |= new
    return found


EXPLAINING = {"explain", "describe_resolution", "refuse", *explained_classes()}

KINDS = {node.name for node in ast.walk(MODULES["config/kinds.py"]) if isinstance(node, ast.FunctionDef)}
"""What is given the name of a failure to tell of later, and is held to it where it does."""


def failure_argument(call: ast.Call) -> ast.expr | None:
    """Return the argument of a call that names the failure: the second; of `describe_resolution` the first."""
    at = 0 if isinstance(call.func, ast.Name) and call.func.id == "describe_resolution" else 1
    return call.args[at] if len(call.args) > at else None


def forwards_what_it_is_given(call: ast.Call) -> bool:
    return any(one.arg is None and ast.unparse(one.value) == "known" for one in call.keywords)


def keywords_of(call: ast.Call) -> set[str]:
    return {one.arg for one in call.keywords if one.arg}


def explaining_calls(tree: ast.AST) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Yield the calls that make a message, each with what names its failure."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in EXPLAINING:
            calls = (call for call in ast.walk(node) if isinstance(call, ast.Call))
            made = [call for call in calls if ast.unparse(call.func) == "super().__init__"]
        else:
            is_made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EXPLAINING
            made = [node] if is_made else []
        for call in made:
            if (argument := failure_argument(call)) is not None:
                yield call, argument


def names_passed_on(tree: ast.AST, named: set[int]) -> set[str]:
    """Return the names of failures that reach a call through a variable: not those compared with or looked up."""
    compared = (part for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node))
    keys = (key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys)
    kinds = (
        argument
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("kinds.") in KINDS
        for argument in node.args
    )
    aside = named | {id(node) for node in (*compared, *keys, *kinds)}
    return {
        str(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in FAILURES and id(node) not in aside
    }


@pytest.mark.parametrize("module", MODULES)
def test_every_call_gives_each_place_of_its_entry_a_value(module):
    tree = MODULES[module]
    calls = list(explaining_calls(tree))
    named = {id(argument) for _, argument in calls}
    problems = []
    for call, argument in calls:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and "-" in argument.value:
            assert argument.value in FAILURES, f"line {call.lineno}: {argument.value} has no entry"
        if isinstance(argument, ast.Constant) and argument.value in FAILURES:
            lacking = places_of(argument.value) - keywords_of(call)
            unknown = keywords_of(call) & {"setting", "path", "file"} - places_of(argument.value)
            problems += [f"line {call.lineno}: {argument.value} has no {lacking}"] if lacking else []
            problems += [f"line {call.lineno}: {argument.value} has no place for {unknown}"] if unknown else []
    # A call whose failure is a variable must give what any of the names needs that the module holds elsewhere.
    through_variables = [
        keywords_of(call)
        for call, argument in calls
        if not isinstance(argument, ast.Constant) and not forwards_what_it_is_given(call)
    ]
    given = set.intersection(*through_variables) if through_variables else set()
    problems += [
        f"{name} is passed on, and {lacking} is not given"
        for name in sorted(names_passed_on(tree, named))
        if (lacking := places_of(name) - given)
    ]
    assert problems == []


@pytest.mark.parametrize("name", FAILURES)
def test_every_entry_is_whole_and_used(name):
    failure = FAILURES[name]
    places = {place: f"value-of-{place}" for _, place, _, _ in Formatter().parse(failure.resolution) if place}
    message = explain("Something happened.", name, **places)
    assert message == f"Something happened. {describe_resolution(name, **places)} [{name}]"
    assert all(value in message for value in places.values())
    assert not any(f"<{place.replace('_', ' ')}>" in message for place in places)
    for text in (failure.title, failure.why, failure.resolution):
        assert text == text.strip()
        assert text
    assert failure.resolution.endswith((".", "}"))
    assert any(
        isinstance(node, ast.Constant) and node.value == name for tree in MODULES.values() for node in ast.walk(tree)
    )


def test_no_two_entries_have_one_name():
    assert len(FAILURES) == sum(map(len, PARTS.values()))
    assert set(FAILURES) >= PASSING


def test_what_an_answer_leaves_open_is_left_to_the_reader():
    assert describe_resolution("not-registered").endswith("--subscription <subscription ID>.")
    assert describe_resolution("forbidden", object_id="x", scope=None).count("<subscription ID>") == 1


def test_every_exception_is_explained_or_handled_where_it_is_raised():
    explained_ones = explained_classes()
    beside = {
        name
        for name, bases in error_classes().items()
        if name not in explained_ones
        and any(base.endswith(("Error", "Exception", "BadParameter", "Timeout")) for base in bases)
    }
    assert beside == set(HANDLED_WHERE_RAISED)


def test_an_error_holds_its_messages_and_its_failure():
    error = FailureError("The disk is full.", "not-published", published="/data/secscore.duckdb")
    assert error.problems == [str(error)]
    assert error.failure == "not-published"
    both = ExplainedError(["One.", "Two."])
    assert (str(both), both.problems) == ("One.\nTwo.", ["One.", "Two."])
