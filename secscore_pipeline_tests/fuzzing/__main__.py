"""`make fuzz`: tries what was found and then new cases for some minutes; keeps each that fails in a file of its own.

Exit code: 0 when every case held, 1 when one did not.
"""

import argparse
import hashlib
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings

from secscore_pipeline_tests.fuzzing.cases import Case, Kept, tag
from secscore_pipeline_tests.fuzzing.found import COMMANDS, FOUND
from secscore_pipeline_tests.fuzzing.harness import Harness
from secscore_pipeline_tests.fuzzing.inputs import STRATEGIES
from secscore_pipeline_tests.fuzzing.properties import check
from testbed.needs import describe_lack, find_need

SHARES = {
    "arm": 6, "records": 2, "sign-in": 5, "listing": 3, "command": 3, "settings": 1, "feeds": 1, "database": 3, "channel": 2,
    "kill": 4,
}  # fmt: skip
"""How much of the time each kind of case has."""

BATCH_SECONDS = 5.0
STATUS_SECONDS = 30.0


class Fuzzing:
    """Tries cases, counts them, and keeps those that fail.

    Args:
        harness: what they run on.
        folder: where those that fail are kept.
    """

    def __init__(self, harness: Harness, folder: Path) -> None:
        self.harness = harness
        self.folder = folder
        self.tried: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self._began = self._said = time.monotonic()

    def attempt(self, case: Case) -> None:
        """Try a case; where it fails, keep it and go on."""
        kind, began = tag(case), time.monotonic()
        try:
            check(self.harness, case)
        except Exception as error:
            self._keep(case, error)
            self.failed[kind] += 1
        self.tried[kind] += 1
        self.seconds[kind] += time.monotonic() - began
        if time.monotonic() - self._said > STATUS_SECONDS:
            self.say()

    def say(self) -> None:
        """Print one line on how far it is."""
        self._said = time.monotonic()
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.tried.items()))
        print(
            f"{self._said - self._began:.0f} s: {self.tried.total()} cases ({kinds}); {self.failed.total()} failed; "
            f"at most {self.harness.most_memory >> 20} MB; longest {100 * self.harness.worst_overrun:.0f} % of its time",
            flush=True,
        )

    def _keep(self, case: Case, error: Exception) -> None:
        failure = f"{type(error).__name__}: {error}"
        kept = msgspec.json.format(msgspec.json.encode(Kept(failure + "\n" + traceback.format_exc(), case)), indent=1)
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{tag(case)}-{hashlib.sha256(msgspec.json.encode(case)).hexdigest()[:12]}.json"
        path.write_bytes(kept)
        print(f"✗ {path}: {failure[:300]}", flush=True)


def batch(fuzzing: Fuzzing, kind: type[Case], number: int) -> None:
    """Draw cases of a kind and try them, for some seconds."""
    ends = time.monotonic() + BATCH_SECONDS

    @seed(number)
    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=STRATEGIES[kind])
    def attempt(case: Case) -> None:
        if time.monotonic() < ends:
            fuzzing.attempt(case)

    attempt()


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="how long, after what was found has been tried")
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers; another each time by default")
    parser.add_argument("--only", choices=sorted(map(tag, STRATEGIES)), action="append", help="only this kind of case")
    parser.add_argument("--replay", type=Path, help="try the case that a file keeps, and nothing else")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="where cases that fail are kept")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with Harness() as harness:
        fuzzing = Fuzzing(harness, options.folder)
        if options.replay:
            check(harness, msgspec.json.decode(options.replay.read_bytes(), type=Kept).case)
            print("It held.")
            return 0
        kinds = {tag(kind): kind for kind in STRATEGIES if not options.only or tag(kind) in options.only}
        if find_need("postgresql") is None and kinds.pop("kill", None):
            print(f"Nothing is killed. {describe_lack('postgresql')}")
        chance = random.Random(options.seed)
        for case in (*FOUND.values(), *COMMANDS.values()):
            if tag(case) in kinds:
                fuzzing.attempt(case)
        fuzzing.say()
        ends = time.monotonic() + 60 * options.minutes
        while time.monotonic() < ends:
            kind = min(kinds, key=lambda name: fuzzing.seconds[name] / SHARES[name])
            batch(fuzzing, kinds[kind], chance.getrandbits(32))
        fuzzing.say()
        return 1 if fuzzing.failed else 0


if __name__ == "__main__":
    sys.exit(main())
