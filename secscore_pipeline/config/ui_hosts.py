"""The names under which Dagster's UI is reached: it answers to no other."""

from urllib.parse import urlsplit

from secscore_pipeline.config.registry import SECSCORE_DAGSTER_URL, SECSCORE_UI_HOSTS

PORTS = {"http": 80, "https": 443}
"""The port of each scheme where a URL names none."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def read_ui_hosts(port: int) -> set[str]:
    """Return the names, with their ports, under which the UI is reached: loopback, and what SECSCORE_UI_HOSTS says.

    Args:
        port: where the UI listens.

    Raises:
        SettingsError: SECSCORE_UI_HOSTS holds something that is no host.
    """
    loopback = {f"{host}:{port}" for host in _LOOPBACK}
    if port == PORTS["http"]:
        loopback |= set(_LOOPBACK)
    hosts = SECSCORE_UI_HOSTS.read() or SECSCORE_UI_HOSTS.parse(urlsplit(SECSCORE_DAGSTER_URL.read()).netloc)
    return loopback | hosts
