"""All settings at once: each checked where any command starts, whether it is used there or not, and misspelled ones."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from secscore_pipeline.config import registry
from secscore_pipeline.config.azure_settings import check_identity
from secscore_pipeline.config.kinds import SettingsError, expand_path
from secscore_pipeline.config.setting import collect_problems
from secscore_pipeline.config.storage import check_storage, read_parallel_runs
from secscore_pipeline.config.ui_hosts import read_ui_hosts
from secscore_pipeline.errors import explain
from secscore_pipeline.system.encodings import unicode_encoding
from secscore_pipeline.text import find_nearest, printable, suggest

PROCESS_SETTINGS = (
    "SECSCORE_BIND",
    "SECSCORE_BROKER_URL",
    "SECSCORE_CODE_HOST",
    "SECSCORE_CODE_PORT",
    "SECSCORE_CODE_SOCKET",
    "SECSCORE_UI_PORT",
)
"""What deploy/run and the instance files read beside the settings."""

_OTHERS = re.compile(
    r"AZURE_(ADDITIONALLY_ALLOWED_TENANTS|CLIENT_SEND_CERTIFICATE_CHAIN|CLOUD_NAME|CREDENTIALS|ENVIRONMENT|PASSWORD|SECRET"
    r"|SUBSCRIPTION_ID|TENANT|USERNAME|(AD|CLI|CONFIG|CORE|DEVOPS|ENV|IDENTITY|SDK|STORAGE)_\w+)"
    r"|SECSCORE_TEST_\w+"
    r"|SECSCORE_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d+_(TCP|UDP|SCTP)\w*)"
)
"""Names that others set or read: Azure's command line, its SDKs and azd, Ansible; and what Kubernetes sets in each
container of a service called secscore. In the environment they are no misspelled settings; in a file of settings, which
is this program's own, they are.

Source: the documentation of azure-identity's EnvironmentCredential, `az config`, azd, Ansible's azure_rm; Kubernetes,
Service environment variables.
"""

_LONGEST_SHOWN = 60


def check_settings(*more: Callable[[], object]) -> None:
    """Check every setting of the environment, also where nothing uses it yet.

    Whether a connection is complete is checked where one is made: a report needs none.

    Args:
        more: further checks, such as `read_feeds`, which reads the file of feeds.

    Raises:
        SettingsError: names everything that is malformed, not only the first.
    """
    problems = collect_problems(
        check_instance_file,
        _check_identity,
        *(setting.read for setting in registry.SETTINGS),
        check_storage,
        read_parallel_runs,
        partial(read_ui_hosts, 0),
        *more,
    )
    if problems:
        raise SettingsError(problems)


def find_unknown_settings(
    environment: Mapping[str, str], file: Iterable[str] = (), also: Iterable[str] = ()
) -> list[str]:
    """Return a sentence for each name that looks like a setting and is none, with the nearest that is one.

    Args:
        environment: the environment, which holds much of other programs too.
        file: the names in the file of settings, which is this program's own.
        also: further names that are known, such as the variables that hold the secrets of feeds.
    """
    in_file = set(file)
    found = []
    for name in sorted({*environment, *in_file}.difference(registry.BY_NAME, PROCESS_SETTINGS, also)):
        plain = _spell(name)
        is_foreign = name not in in_file and (not plain.startswith(("SEC", "AZ")) or _OTHERS.fullmatch(plain))
        nearest = [] if is_foreign else find_nearest_settings(plain)
        if is_foreign or not (nearest or plain.startswith("SECSCORE_")):
            continue
        where = ".env" if name in in_file else "the environment"
        shown = printable(name)[:_LONGEST_SHOWN]
        found.append(explain(f"{shown} in {where} is no setting.{suggest(nearest)}", "setting-unknown"))
    return found


def find_nearest_settings(name: str) -> list[str]:
    """Return the setting that may be meant by a name; none where it is near to none, or may be another program's."""
    plain = _spell(name)
    prefix, _, rest = plain.partition("_")
    settings = registry.BY_NAME
    if near := find_nearest(plain, list(settings), most=1, is_sure=True):
        return near
    if prefix != "SECSCORE":
        return []
    # The prefix, which most settings share, makes no name near to another.
    return find_nearest(rest, {setting.partition("_")[2]: setting for setting in settings}, most=1)


def _spell(name: str) -> str:
    """Return a name as settings are spelled."""
    return name.strip().upper().replace("-", "_")


def check_instance_file() -> None:
    """Raise where Dagster could not read its instance file for its encoding: it takes UTF-8 only.

    Raises:
        SettingsError: names the file and its encoding.
    """
    home = os.environ.get("DAGSTER_HOME", "").strip()
    if not home:
        return
    file = expand_path("DAGSTER_HOME", home) / "dagster.yaml"
    if not file.is_file():
        return
    try:
        content = file.read_bytes()
    except OSError:
        return  # Dagster says so, with more of it
    encoding = unicode_encoding(content)
    if encoding in (None, "utf-8-sig"):
        try:
            content.decode()
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            what = f"{printable(str(file))} is no text in UTF-8 (line {line})."
            raise SettingsError([explain(what, "encoding-unknown")]) from error
        return
    name = "UTF-32" if encoding == "utf-32" else "UTF-16"
    what = f"{printable(str(file))} is a text in {name}, and Dagster reads UTF-8 alone."
    raise SettingsError([explain(what, "encoding-unknown")])


def _check_identity() -> None:
    """Check that what is set of the identity fits together; what is missing is for those who connect to say."""
    registry.refuse_misquoted(os.environ)  # what else is wrong follows from these
    try:
        check_identity(os.environ)
    except SettingsError as error:
        missing = ("[setting-missing]", "[credential-missing]")
        if left := [problem for problem in error.problems if not problem.endswith(missing)]:
            raise SettingsError(left) from error
