"""The questions of `secscore init`: each answer is checked when it is typed, and asked for again with the reason."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from secscore_pipeline.config.env_file import env_text
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.settings import SettingsError, azure_settings
from secscore_pipeline.text import GUID, count_subscriptions, find_nearest, printable, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secscore_pipeline.azure.errors import AzureError
    from secscore_pipeline.azure.subscriptions import Seen

LISTED = 20
"""How many subscriptions are listed at most before it is asked which are to be read."""

BACK = "<"
"""The answer that goes back to the question before."""

_PROOFS = (
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TOKEN_CREDENTIALS",
)

_ASK_AGAIN = {
    "tenant-unknown": ("AZURE_TENANT_ID",),
    "tenant-name-invalid": ("AZURE_TENANT_ID",),
    "wrong-cloud": ("AZURE_CLOUD",),
    "tenant-and-client-swapped": ("AZURE_TENANT_ID", "AZURE_CLIENT_ID"),
    "application-unknown": ("AZURE_CLIENT_ID",),
    "service-principal-missing": ("AZURE_CLIENT_ID",),
    "secret-wrong": ("AZURE_CLIENT_SECRET",),
    "secret-expired": ("AZURE_CLIENT_SECRET",),
    "certificate-unreadable": ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
    "certificate-password": ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
    "certificate-expired": ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
    "certificate-not-registered": ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
}
"""Which answers are asked for again after a sign-in that failed so. Any other failure is none of an answer."""


@dataclass(frozen=True)
class Question:
    """What is asked for a setting.

    Attributes:
        name: the setting.
        text: the question.
        default: what an empty answer means; None: there has to be one.
        is_secret: whether the answer must not be seen.
    """

    name: str
    text: str
    default: str | None = None
    is_secret: bool = False


_QUESTIONS = {
    question.name: question
    for question in (
        Question("AZURE_TENANT_ID", "Directory (tenant) ID"),
        Question("AZURE_CLIENT_ID", "Application (client) ID, also called client key"),
        Question("AZURE_CLOUD", "Cloud: AzureCloud, AzureUSGovernment or AzureChinaCloud"),
        Question("AZURE_CLIENT_SECRET", "Client secret: its Value, not its ID (empty: a certificate)", "", True),
        Question(
            "AZURE_CLIENT_CERTIFICATE_PATH", "Certificate file with its private key, PEM or PFX (empty: a secret)", ""
        ),
        Question("AZURE_CLIENT_CERTIFICATE_PASSWORD", "Password of the private key (empty: none)", "", True),
        Question("SECSCORE_SECRET_EXPIRES", "The day the secret ends on (2027-01-31; empty: unknown)", ""),
        Question("AZURE_SUBSCRIPTION_IDS", "Subscriptions: ids or names, separated by commas; * for all it sees", "*"),
    )
}

ASKED_FOR = tuple(_QUESTIONS)
"""The settings that are asked for where they are missing or malformed."""

Ask = Callable[[Question], str]
"""Asks a question and returns the answer; the end of the input is raised as it comes."""

Tell = Callable[[str], object]
"""Says something to whom the questions are asked."""


def ask_for_settings(known: dict[str, str], ask: Ask, tell: Tell, complain: Tell, *, connects: bool) -> bool:
    """Ask for the settings that every connection has and `known` lacks, or holds malformed, and add them to it.

    As soon as there is enough to sign in with, that is tried: what Entra does not accept is asked for again, and the
    subscriptions are listed before it is asked which are to be read.

    Args:
        known: the settings that are known, by name.
        ask: asks one question.
        tell: says what was found.
        complain: says what is wrong with an answer.
        connects: whether the sign-in is tried.

    Returns:
        Whether the connection may work: False where it was tried, and failed for another reason than an answer, which
        is said.
    """
    interview = _Interview(known, ask, tell, complain)
    wants_scope = "AZURE_SUBSCRIPTION_IDS" not in known
    while True:
        interview.settle_identity()
        is_tried = connects and (interview.has_asked or wants_scope)
        seen = interview.sign_in() if is_tried else None
        try:
            if interview.has_asked and "AZURE_CLIENT_SECRET" in known:
                interview.settle("SECSCORE_SECRET_EXPIRES")
            if seen is not None and wants_scope:
                tell(_list_of(seen))
            interview.settle("AZURE_SUBSCRIPTION_IDS", seen or ())
        except _BackError:
            interview.forget(*_PROOFS, "AZURE_CLIENT_CERTIFICATE_PASSWORD")
        else:
            break
    chosen = [one.strip() for one in known["AZURE_SUBSCRIPTION_IDS"].split(",")]
    if unseen := [one for one in chosen if seen and _is_unseen(one, seen)]:
        complain(f"The identity does not see {_count(len(unseen))} of these: {', '.join(unseen)}.")
    return seen is not None or not is_tried


class _BackError(Exception):
    """Somebody wants to go back to the question before."""


class _Interview:
    """Asks for settings until their answers are well-formed, and Entra takes them."""

    def __init__(self, known: dict[str, str], ask: Ask, tell: Tell, complain: Tell) -> None:
        self._known = known
        self._ask = ask
        self._tell = tell
        self._complain = complain
        self._given_before: dict[str, str] = {}
        self.has_asked = False

    def settle_identity(self) -> None:
        """Ask for what is to sign in, in this order; who goes back finds the answer given before as the default."""
        steps = (
            ("AZURE_TENANT_ID", partial(self.settle, "AZURE_TENANT_ID")),
            ("AZURE_CLIENT_ID", partial(self.settle, "AZURE_CLIENT_ID")),
            ("AZURE_CLIENT_SECRET", self._settle_proof),
        )
        position = 0
        while position < len(steps):
            try:
                steps[position][1]()
            except _BackError:
                position = max(position - 1, 0)
                self.forget(steps[position][0], is_default=True)
            else:
                position += 1

    def settle(self, name: str, seen: "Sequence[Seen]" = ()) -> None:
        """Ask for a setting that is not known, or is malformed, until it is well-formed.

        Args:
            name: the setting.
            seen: the subscriptions whose names may stand for their ids.

        Raises:
            _BackError: the question before is to be asked again.
        """
        question = _QUESTIONS[name]
        if name in self._given_before:
            question = replace(question, default=self._given_before[name])
        given = self._known.get(name)
        while given is None or (problems := _unknown_names(given, seen) or self._problems(name, given)):
            if given is not None:
                for problem in problems:
                    self._complain(problem)
            answer = self._answer(question)
            given = _ids_of(answer, seen) if seen else answer
            if not given and question.default is not None:
                given = question.default
                break
        self._known[name] = given
        if not given:
            del self._known[name]

    def forget(self, *names: str, is_default: bool = False) -> None:
        """Make settings be asked for again.

        Args:
            names: the settings.
            is_default: whether an empty answer then means what was known; never of a secret.
        """
        for name in names:
            before = self._known.pop(name, None)
            self._given_before.pop(name, None)
            if before and is_default and not _QUESTIONS[name].is_secret:
                self._given_before[name] = before

    def sign_in(self) -> "list[Seen] | None":
        """Sign in, asking again for what Entra does not accept; return the subscriptions that can be read, if they can.

        Returns:
            The enabled subscriptions; None where the sign-in or the list failed for another reason than an answer.

        Raises:
            SettingsError: what is not asked for is wrong.
        """
        while True:
            self._tell("Signing in ...")
            seen = _try_connection(self._known)
            if isinstance(seen, list):
                self._tell(f"Signed in. The identity sees {_count(len(seen))}.")
                return seen
            self._complain(str(seen))
            names = _ASK_AGAIN.get(seen.failure or "", ())
            if not names:
                return None
            self.forget(*names)
            if "AZURE_CLOUD" in names:
                with suppress(_BackError):  # there is no question before it
                    self.settle("AZURE_CLOUD")
            self.settle_identity()

    def _answer(self, question: Question) -> str:
        """Return the answer to a question.

        Raises:
            _BackError: it is the one that goes back.
        """
        if not self.has_asked:
            self._tell(f"{BACK} goes back to the question before; Ctrl-C ends this, and nothing is written.")
        self.has_asked = True
        answer = self._ask(question).strip()
        if answer == BACK:
            raise _BackError
        return answer

    def _settle_proof(self) -> None:
        """Ask for what the application proves itself with: a secret, or else a certificate, in turn."""
        proof = next((name for name in _PROOFS if name in self._known), "AZURE_CLIENT_SECRET")
        while proof in _QUESTIONS:
            self.settle(proof)
            if any(name in self._known for name in _PROOFS):
                return
            is_secret = proof == "AZURE_CLIENT_SECRET"
            proof = "AZURE_CLIENT_CERTIFICATE_PATH" if is_secret else "AZURE_CLIENT_SECRET"

    def _problems(self, name: str, given: str) -> list[str]:
        """Return what is wrong with the answer for a setting, by the checks that every command makes."""
        values = {**self._known, name: given}
        if name == "AZURE_TENANT_ID":
            values.pop("AZURE_CLIENT_ID", None)  # where both are one, the client is asked for again, in its turn
        try:
            env_text({name: given})  # it must fit into a line of the file
            azure_settings(values)
        except SettingsError as error:
            return [problem for problem in error.problems if name in problem.partition(". ")[0]]
        if name.startswith("AZURE_CLIENT_CERTIFICATE"):
            return self._problems_of_certificate(values)
        return []

    def _problems_of_certificate(self, values: dict[str, str]) -> list[str]:
        """Return what keeps a certificate file from being used; ask for its password where it needs one."""
        from secscore_pipeline.azure.errors import SignInError

        try:
            ends = azure_settings(values).credential.expires_at
        except SettingsError:
            return []  # something else is wrong, and asked for in its turn
        except SignInError as error:
            if error.failure != "certificate-password" or values.get("AZURE_CLIENT_CERTIFICATE_PASSWORD"):
                return [str(error)]
            password = self._answer(_QUESTIONS["AZURE_CLIENT_CERTIFICATE_PASSWORD"])
            if not password:
                return [str(error)]
            found = self._problems_of_certificate({**values, "AZURE_CLIENT_CERTIFICATE_PASSWORD": password})
            if not found:
                self._known["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = password
            return found
        if ends is not None and ends <= datetime.now(UTC):
            return [f"That certificate expired on {ends:%Y-%m-%d}."]
        return []


def _try_connection(known: Mapping[str, str]) -> "list[Seen] | AzureError":
    """Return the enabled subscriptions that settings lead to, or why they cannot be had."""
    from secscore_pipeline.azure.errors import AzureError, SignInError
    from secscore_pipeline.ingest.connection import AzureConnection
    from secscore_pipeline.ingest.connection_test import explain_sign_in

    with settings_in_environment(known):
        connection: AzureConnection = AzureConnection.of(Feed())
        settings = connection.settings()
        try:
            connection.client().sign_in()
            return [one for one in connection.directory().visible if one.is_enabled]
        except SignInError as error:
            return explain_sign_in(error, settings)
        except AzureError as error:
            return error


@contextmanager
def settings_in_environment(known: Mapping[str, str]) -> "Iterator[None]":
    """Let settings stand in the environment for a block: secrets are read from there."""
    before = {name: os.environ.get(name) for name in known}
    os.environ.update(known)
    try:
        yield
    finally:
        for name, text in before.items():
            os.environ.pop(name, None)
            if text is not None:
                os.environ[name] = text


def _ids_of(answer: str, seen: "Sequence[Seen]") -> str:
    """Return an answer with the names of subscriptions replaced by their ids; what names none stays."""
    by_name: dict[str, list[str]] = {}
    for one in seen:
        by_name.setdefault(one.name.strip().lower(), []).append(one.subscription_id)
    if found := by_name.get(answer.lower()):  # a name may hold a comma
        return ",".join(found)
    parts = [part.strip() for part in answer.split(",") if part.strip()]
    return ",".join(one for part in parts for one in by_name.get(part.lower(), [part]))


def _unknown_names(answer: str, seen: "Sequence[Seen]") -> list[str]:
    """Return a sentence for each part of an answer that is neither an id nor a name, with the names nearest to it."""
    names = [one.name for one in seen]
    parts = [one.strip() for one in answer.split(",")] if seen else []
    unknown = [part for part in parts if part and part != "*" and not GUID.fullmatch(part)]
    return [f"No subscription has that name.{suggest(find_nearest(part, names))}" for part in unknown]


def _list_of(seen: "Sequence[Seen]") -> str:
    if not seen:
        return "Grant it Security Reader (docs/connect.md says how); with * it reads what it sees by then."
    lines = [
        f"  {one.subscription_id}  {printable(one.name)}" for one in sorted(seen, key=lambda one: one.name.lower())
    ]
    more = [f"  … and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "\n".join([*lines[:LISTED], *more])


def _is_unseen(subscription_id: str, seen: "Sequence[Seen]") -> bool:
    return subscription_id != "*" and subscription_id.lower() not in {one.subscription_id for one in seen}


def _count(number: int) -> str:
    return count_subscriptions(number) if number else "no subscription yet"
