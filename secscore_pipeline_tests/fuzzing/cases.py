"""What one try is made of, as data: it can be written into a file and played again."""

from typing import Literal

import msgspec

from secscore_pipeline_tests.fuzzing.servers import Answer


class ArmCase(msgspec.Struct, frozen=True, tag="arm"):
    """What Azure Resource Manager answers for one subscription of several: the last answer again and again."""

    answers: tuple[Answer, ...]


class RecordsCase(msgspec.Struct, frozen=True, tag="records"):
    """Lists of records that are right as HTTP and JSON, for one subscription of several.

    Attributes:
        runs: for each run, the bodies of the lists that it reads, by the name of their event type.
    """

    runs: tuple[dict[str, bytes], ...]


class SignInCase(msgspec.Struct, frozen=True, tag="sign-in"):
    """What Entra answers, at its token endpoint or as its discovery document."""

    at: Literal["token", "discovery"]
    answers: tuple[Answer, ...]


class ListingCase(msgspec.Struct, frozen=True, tag="listing"):
    """What Azure answers to who asks for the subscriptions, or for what lies below a management group."""

    at: Literal["subscriptions", "descendants"]
    answers: tuple[Answer, ...]


class CommandCase(msgspec.Struct, frozen=True, tag="command"):
    """A command in a process of its own, while Azure answers wrongly to requests whose line fits a pattern."""

    arguments: tuple[str, ...]
    pattern: str
    answers: tuple[Answer, ...]


class SettingsCase(msgspec.Struct, frozen=True, tag="settings"):
    """Settings beside those of a right connection; `${SECRET}` in one stands for the marked secret."""

    settings: dict[str, str]


class FeedsCase(msgspec.Struct, frozen=True, tag="feeds"):
    """The bytes of feeds.yaml."""

    content: bytes


class Damage(msgspec.Struct, frozen=True):
    """What happened to a file.

    Attributes:
        kind: some bits flipped, cut short, emptied, overwritten at a place, made of anything else, lost, or a log of
            DuckDB's beside it that is none of its own.
        at: where, as a share of the file's length.
        data: what is written there, or in its place.
    """

    kind: Literal["flip", "cut", "empty", "overwrite", "replace", "lose", "log", "folder"]
    at: float = 0.0
    data: bytes = b"\x01"


class DatabaseCase(msgspec.Struct, frozen=True, tag="database"):
    """A command on a store of which a file is damaged."""

    file: Literal["work", "published", "both"]
    damage: Damage
    command: Literal["status", "query", "sync", "maintain", "export", "report"]


class ChannelCase(msgspec.Struct, frozen=True, tag="channel"):
    """What a service answers to an alert."""

    channel: Literal["slack", "teams", "webhook"]
    answers: tuple[Answer, ...]


class KillCase(msgspec.Struct, frozen=True, tag="kill"):
    """A command that is killed.

    Attributes:
        command: what is run; `publish` is what a sync ends with.
        at: before or after one of the statements that DuckDB is given or of the operations on files, or by the write
            that makes a file longer than some bytes.
        share: which one, as a share of those that the command takes undisturbed.
        event_types: scores and controls, or recommendations too.
        fault: what Azure's lists of recommendations have meanwhile, by the name of its kind; empty for nothing.
    """

    command: Literal["sync", "publish", "maintain", "export", "migrate"]
    at: Literal["statement", "after_statement", "file", "after_file", "byte"]
    share: float
    event_types: Literal["scores", "all"] = "scores"
    fault: Literal["", "slow", "empty", "repeat", "trail"] = ""


Case = (
    ArmCase
    | RecordsCase
    | SignInCase
    | ListingCase
    | CommandCase
    | SettingsCase
    | FeedsCase
    | DatabaseCase
    | ChannelCase
    | KillCase
)


class Kept(msgspec.Struct):
    """A case that failed, as it is kept in a file."""

    failure: str
    case: Case


def tag(case: Case | type[Case]) -> str:
    """Return the name of a case's kind."""
    return str(msgspec.inspect.type_info(case if isinstance(case, type) else type(case)).tag)
