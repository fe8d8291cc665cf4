"""Where a URL leads: the origin that a credential may be sent to, and the host that a message names."""

from urllib.parse import urlsplit


def is_same_origin(url: str, origin: str) -> bool:
    """Return whether a URL has the scheme, host and port of an https origin, and names no user.

    A URL that cannot be parsed has no origin.
    """
    theirs, ours = _origin_of(url), _origin_of(origin)
    return theirs is not None and theirs == ours


def host_of(url: str) -> str:
    """Return the host of a URL with its port, as it may be shown."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "no host"
    return f"{parts.hostname or 'no host'}{f':{port}' if port else ''}"


def _origin_of(url: str) -> tuple[str | None, int] | None:
    """Return host and port of an https URL that names no user; None for any other."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        return None
    return (parts.hostname, port) if parts.scheme == "https" and parts.username is None else None
