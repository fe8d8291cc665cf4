"""The questions of `secscore init`: each answer is checked at once, and asked for again with the reason."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from secscore_pipeline.config.azure_settings import read_azure_settings
from secscore_pipeline.config.env_file import env_text
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import EVENT_TYPES
from secscore_pipeline.system.environment import changed_environment
from secscore_pipeline.text import GUID, count_subscriptions, find_nearest, printable, suggest

if TYPE_CHECKING:
    from secscore_pipeline.azure.errors import AzureError
    from secscore_pipeline.azure.subscriptions import ListedSubscription

MAX_LISTED = 20
"""How many subscriptions are listed before the question which ones to read."""

BACK = "<"
"""The answer that goes back to the question before."""

_CREDENTIALS = (
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
        Question("AZURE_CLIENT_SECRET", "Client secret: its Value, not its ID (empty: use a certificate)", "", True),
        Question(
            "AZURE_CLIENT_CERTIFICATE_PATH",
            "Certificate file with its private key, PEM or PFX (empty: use a secret)",
            "",
        ),
        Question("AZURE_CLIENT_CERTIFICATE_PASSWORD", "Password of the private key (empty: none)", "", True),
        Question("SECSCORE_SECRET_EXPIRES", "Expiry date of the secret (2027-01-31; empty: unknown)", ""),
        Question(
            "AZURE_SUBSCRIPTION_IDS",
            "Subscriptions: IDs or names, separated by commas; * for all that the identity sees",
            "*",
        ),
    )
}

_RECOMMENDATIONS = Question(
    "SECSCORE_EVENT_TYPES",
    "Read single recommendations too (yes or no)? That is one record for each recommendation and resource",
    "no",
)
_YES_OR_NO = ("yes", "y", "no", "n")

ASKED_FOR = tuple(_QUESTIONS)
"""The settings that are asked for where they are missing or malformed."""

Ask = Callable[[Question], str]
"""Asks a question and returns the answer; the end of the input is raised as it comes."""

PrintText = Callable[[str], object]
"""Prints a text for the person who answers."""


def ask_for_settings(
    known: dict[str, str], ask: Ask, print_text: PrintText, print_problem: PrintText, *, connects: bool
) -> bool:
    """Ask for the settings that every connection has and `known` lacks, or holds malformed, and add them to it.

    As soon as there is enough to sign in with, that is tried: what Entra does not accept is asked for again, and the
    subscriptions are listed before it is asked which are to be read.

    Args:
        known: the settings that are known, by name.
        ask: asks one question.
        print_text: prints what was found.
        print_problem: prints what is wrong with an answer.
        connects: whether to try to sign in.

    Returns:
        Whether the connection may work: False where it was tried, and failed for another reason than an answer, which
        is said.
    """
    interview = _Interview(known, ask, print_text, print_problem)
    asks_for_scope = "AZURE_SUBSCRIPTION_IDS" not in known
    asks_for_event_types = asks_for_scope and "SECSCORE_EVENT_TYPES" not in known
    while True:
        interview.ask_for_identity()
        signs_in = connects and (interview.has_asked or asks_for_scope)
        visible = interview.sign_in() if signs_in else None
        try:
            if interview.has_asked and "AZURE_CLIENT_SECRET" in known:
                interview.ask_until_valid("SECSCORE_SECRET_EXPIRES")
            if visible is not None and asks_for_scope:
                print_text(_format_list(visible))
            interview.ask_for_scope(visible or (), asks_for_event_types=asks_for_event_types)
        except _BackError:
            interview.discard(*_CREDENTIALS, "AZURE_CLIENT_CERTIFICATE_PASSWORD")
        else:
            break
    chosen = [one.strip() for one in known["AZURE_SUBSCRIPTION_IDS"].split(",")]
    if invisible := [one for one in chosen if visible and _is_invisible(one, visible)]:
        print_problem(f"The identity does not see {_describe_count(len(invisible))} of these: {', '.join(invisible)}.")
    return visible is not None or not signs_in


class _BackError(Exception):
    """The answer asks for the previous question."""


class _Interview:
    """Asks for settings until their answers are well-formed, and Entra takes them."""

    def __init__(self, known: dict[str, str], ask: Ask, print_text: PrintText, print_problem: PrintText) -> None:
        self._known = known
        self._ask = ask
        self._print_text = print_text
        self._print_problem = print_problem
        self._previous_answers: dict[str, str] = {}
        self.has_asked = False

    def ask_for_identity(self) -> None:
        """Ask for tenant, client and credential in this order; after going back, the previous answer is the default."""
        steps = (
            ("AZURE_TENANT_ID", partial(self.ask_until_valid, "AZURE_TENANT_ID")),
            ("AZURE_CLIENT_ID", partial(self.ask_until_valid, "AZURE_CLIENT_ID")),
            ("AZURE_CLIENT_SECRET", self._ask_for_credential),
        )
        position = 0
        while position < len(steps):
            try:
                steps[position][1]()
            except _BackError:
                position = max(position - 1, 0)
                self.discard(steps[position][0], is_default=True)
            else:
                position += 1

    def ask_until_valid(self, name: str, visible: "Sequence[ListedSubscription]" = ()) -> None:
        """Ask for a setting that is not known, or is malformed, until it is well-formed.

        Args:
            name: the setting.
            visible: the subscriptions whose names may stand for their ids.

        Raises:
            _BackError: the question before is to be asked again.
        """
        question = _QUESTIONS[name]
        if name in self._previous_answers:
            question = replace(question, default=self._previous_answers[name])
        given = self._known.get(name)
        while given is None or (
            problems := _describe_unknown_names(given, visible) or self._find_problems(name, given)
        ):
            if given is not None:
                for problem in problems:
                    self._print_problem(problem)
            answer = self._read_answer(question)
            given = _resolve_names(answer, visible) if visible else answer
            if not given and question.default is not None:
                given = question.default
                break
        self._known[name] = given
        if not given:
            del self._known[name]

    def ask_for_scope(self, visible: "Sequence[ListedSubscription]", *, asks_for_event_types: bool) -> None:
        """Ask which subscriptions are to be read, and whether their recommendations are.

        Args:
            visible: the subscriptions whose names may stand for their ids.
            asks_for_event_types: whether to ask for recommendations.

        Raises:
            _BackError: the question before is to be asked again.
        """
        while True:
            self.ask_until_valid("AZURE_SUBSCRIPTION_IDS", visible)
            try:
                if asks_for_event_types:
                    self._ask_for_recommendations()
            except _BackError:
                self.discard("AZURE_SUBSCRIPTION_IDS", is_default=True)
            else:
                return

    def discard(self, *names: str, is_default: bool = False) -> None:
        """Make settings be asked for again.

        Args:
            names: the settings.
            is_default: whether an empty answer then means what was known; never of a secret.
        """
        for name in names:
            before = self._known.pop(name, None)
            self._previous_answers.pop(name, None)
            if before and is_default and not _QUESTIONS[name].is_secret:
                self._previous_answers[name] = before

    def sign_in(self) -> "list[ListedSubscription] | None":
        """Sign in, asking again for what Entra does not accept; return the subscriptions that can be read, if they can.

        Returns:
            The enabled subscriptions; None where the sign-in or the list failed for another reason than an answer.

        Raises:
            SettingsError: what is not asked for is wrong.
        """
        while True:
            self._print_text("Signing in ...")
            result = _sign_in(self._known)
            if isinstance(result, list):
                self._print_text(f"Signed in. The identity sees {_describe_count(len(result))}.")
                return result
            self._print_problem(str(result))
            names = _ASK_AGAIN.get(result.failure or "", ())
            if not names:
                return None
            self.discard(*names)
            if "AZURE_CLOUD" in names:
                with suppress(_BackError):  # there is no question before it
                    self.ask_until_valid("AZURE_CLOUD")
            self.ask_for_identity()

    def _read_answer(self, question: Question) -> str:
        """Return the answer to a question.

        Raises:
            _BackError: it is the one that goes back.
        """
        if not self.has_asked:
            self._print_text(f"{BACK} goes back to the previous question; Ctrl-C stops without writing anything.")
        self.has_asked = True
        answer = self._ask(question).strip()
        if answer == BACK:
            raise _BackError
        return answer

    def _ask_for_credential(self) -> None:
        """Ask for a client secret and a certificate in turn, until there is one."""
        credential = next((name for name in _CREDENTIALS if name in self._known), "AZURE_CLIENT_SECRET")
        while credential in _QUESTIONS:
            self.ask_until_valid(credential)
            if any(name in self._known for name in _CREDENTIALS):
                return
            is_secret = credential == "AZURE_CLIENT_SECRET"
            credential = "AZURE_CLIENT_CERTIFICATE_PATH" if is_secret else "AZURE_CLIENT_SECRET"

    def _ask_for_recommendations(self) -> None:
        """Ask whether to read recommendations, and choose that event type where the answer is yes."""
        while (answer := self._read_answer(_RECOMMENDATIONS).lower() or "no") not in _YES_OR_NO:
            self._print_problem("Answer yes or no.")
        if answer in _YES_OR_NO[:2]:
            self._known["SECSCORE_EVENT_TYPES"] = ",".join(EVENT_TYPES)

    def _find_problems(self, name: str, given: str) -> list[str]:
        """Return what is wrong with the answer for a setting, by the checks that every command makes."""
        values = {**self._known, name: given}
        if name == "AZURE_TENANT_ID":
            values.pop("AZURE_CLIENT_ID", None)  # where both are one, the client is asked for again, in its turn
        try:
            env_text({name: given})  # it must fit into a line of the file
            read_azure_settings(values)
        except SettingsError as error:
            return [problem for problem in error.problems if name in problem.partition(". ")[0]]
        if name.startswith("AZURE_CLIENT_CERTIFICATE"):
            return self._find_certificate_problems(values)
        return []

    def _find_certificate_problems(self, values: dict[str, str]) -> list[str]:
        """Return what keeps a certificate file from being used; ask for its password where it needs one."""
        from secscore_pipeline.azure.errors import SignInError

        try:
            ends = read_azure_settings(values).credential.expires_at
        except SettingsError:
            return []  # something else is wrong, and asked for in its turn
        except SignInError as error:
            if error.failure != "certificate-password" or values.get("AZURE_CLIENT_CERTIFICATE_PASSWORD"):
                return [str(error)]
            password = self._read_answer(_QUESTIONS["AZURE_CLIENT_CERTIFICATE_PASSWORD"])
            if not password:
                return [str(error)]
            found = self._find_certificate_problems({**values, "AZURE_CLIENT_CERTIFICATE_PASSWORD": password})
            if not found:
                self._known["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = password
            return found
        if ends is not None and ends <= datetime.now(UTC):
            return [f"That certificate expired on {ends:%Y-%m-%d}."]
        return []


def _sign_in(known: Mapping[str, str]) -> "list[ListedSubscription] | AzureError":
    """Return the enabled subscriptions that settings lead to, or why they cannot be had."""
    from secscore_pipeline.azure.errors import AzureError, SignInError
    from secscore_pipeline.ingest.connection import AzureConnection
    from secscore_pipeline.ingest.connection_test import explain_sign_in

    with changed_environment(known):  # secrets are read from there
        connection: AzureConnection = AzureConnection.of(Feed())
        settings = connection.settings()
        try:
            connection.client().sign_in()
            return [one for one in connection.listing().visible if one.is_enabled]
        except SignInError as error:
            return explain_sign_in(error, settings)
        except AzureError as error:
            return error


def _resolve_names(answer: str, visible: "Sequence[ListedSubscription]") -> str:
    """Return an answer with the names of subscriptions replaced by their ids; what names none stays."""
    by_name: dict[str, list[str]] = {}
    for one in visible:
        by_name.setdefault(one.name.strip().lower(), []).append(one.subscription_id)
    if found := by_name.get(answer.lower()):  # a name may hold a comma
        return ",".join(found)
    parts = [part.strip() for part in answer.split(",") if part.strip()]
    return ",".join(one for part in parts for one in by_name.get(part.lower(), [part]))


def _describe_unknown_names(answer: str, visible: "Sequence[ListedSubscription]") -> list[str]:
    """Return a sentence for each part of an answer that is neither an id nor a name, with the names nearest to it."""
    names = [one.name for one in visible]
    parts = [one.strip() for one in answer.split(",")] if visible else []
    unknown = [part for part in parts if part and part != "*" and not GUID.fullmatch(part)]
    return [f"No subscription has that name.{suggest(find_nearest(part, names))}" for part in unknown]


def _format_list(visible: "Sequence[ListedSubscription]") -> str:
    if not visible:
        return "Assign it the role Security Reader (docs/connect.md); * includes what it sees by then."
    lines = [
        f"  {one.subscription_id}  {printable(one.name)}" for one in sorted(visible, key=lambda one: one.name.lower())
    ]
    more = [f"  … and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return "\n".join([*lines[:MAX_LISTED], *more])


def _is_invisible(subscription_id: str, visible: "Sequence[ListedSubscription]") -> bool:
    return subscription_id != "*" and subscription_id.lower() not in {one.subscription_id for one in visible}


def _describe_count(number: int) -> str:
    return count_subscriptions(number) if number else "no subscription yet"
