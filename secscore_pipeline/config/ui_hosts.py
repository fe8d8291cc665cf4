"""The names under which Dagster's UI is reached: it answers to no other."""

import re
from urllib.parse import urlsplit

from secscore_pipeline.config.settings import SettingsError, value
from secscore_pipeline.errors import explained
from secscore_pipeline.text import describe_value

PORTS = {"http": 80, "https": 443}
"""The port of each scheme where a URL names none."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?")


def own_hosts(port: int) -> set[str]:
    """Return the names, with their ports, under which the UI is reached: loopback, and what SECSCORE_UI_HOSTS says.

    Args:
        port: where the UI listens.

    Raises:
        SettingsError: SECSCORE_UI_HOSTS holds something that is no host.
    """
    loopback = {f"{host}:{port}" for host in _LOOPBACK}
    if port == PORTS["http"]:
        loopback |= set(_LOOPBACK)
    given = value("SECSCORE_UI_HOSTS") or urlsplit(value("SECSCORE_DAGSTER_URL")).netloc
    named = {host.strip().lower() for host in given.split(",") if host.strip()}
    if wrong := sorted(host for host in named if not _HOST.fullmatch(host)):
        what = f"{describe_value('SECSCORE_UI_HOSTS', wrong[0])} holds what is no host."
        raise SettingsError([explained(what, "ui-host-malformed")])
    return loopback | named
