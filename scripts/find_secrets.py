"""Find secrets in the files that git tracks: python -m scripts.find_secrets [FILE...], without any all of them.

Tests make theirs when they run, so that nothing here need look like one.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

FORMS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}",
    "a client secret of Entra": r"\b[\w.~-]{3}\dQ~[\w.~-]{31,34}",
    "a signed token": r"\beyJ[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}",
    "a key of a storage account": r"AccountKey=[A-Za-z0-9+/]{40,}",
    "a shared access signature": r"\bsig=[A-Za-z0-9%+/]{40,}",
    "a Slack token or webhook": r"\bxox[a-z]-[\w-]{20,}|hooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}",
    "a key of AWS": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a GitHub token": r"\bgh[pousr]_\w{36}|\bgithub_pat_\w{40,}",
    "a URL with a password": r"\b[a-z][a-z0-9+.-]+://[\w.-]*:(?P<password>[^\s/@:{}<>$\"'`\\]{3,})@[\w.-]+",
    "a value that is random": r"(?i)(?:password|passwd|secret|token|api_?key)[\w-]*[\"']?\s*[:=]\s*[\"']?"
    r"(?=[\w+/~.-]*\d)(?=[\w+/~.-]*[a-z])[\w+/~.-]{32,}",
}
"""What secrets look like, by what each is."""

EXAMPLES = frozenset({"password", "secret", "mark", "a-secret-word", "hunter2", "pr0xy~pass", "***"})
"""Passwords of URLs in documents and tests: words that open nothing."""


def find_in(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each secret in a text, and what it is; never the secret."""
    for what, form in FORMS.items():
        for found in re.finditer(form, text):
            if found.groupdict().get("password") not in EXAMPLES:
                yield text.count("\n", 0, found.start()) + 1, what


MADE_HERE = frozenset({".venv", "data", "__pycache__", ".git", ".hypothesis", ".fuzz"})
"""Folders of what work here makes, which git ignores; and git's own."""


def tracked_files() -> list[Path]:
    """Return the files that git tracks, or would after the next `git add`; without git, all but what is made here."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    except (FileNotFoundError, subprocess.CalledProcessError):  # no git on this machine, or no checkout of it
        files = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        names = [
            str(path) for path in files if MADE_HERE.isdisjoint(path.parts) and not path.parts[0].endswith("_cache")
        ]
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def main(arguments: list[str]) -> int:
    """Print where secrets stand; return the exit code."""
    count = 0
    for path in map(Path, arguments or tracked_files()):
        for line, what in find_in(path.read_bytes().decode("utf-8", "replace")):
            count += 1
            print(f"{path}:{line}: This looks like {what}.")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
