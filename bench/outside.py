"""What is around a soaked service, in a process of its own: a local Azure, and the receiver of alerts.

It prints a line of JSON with what leads there, then obeys lines of JSON on its standard input, each answered by one:
{"day": DATE, "forbidden": N, "refusals": [...]} simulates up to a day, on which the first N subscriptions may not be
read and the receiver answers its next messages so; {"delivered": true} returns the keys of the alerts that were
delivered. It ends with its input.
"""

import json
import sys
from datetime import date

from secscore_pipeline.emulator.faults import Fault
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import State, World
from testbed.receiver import Receiver

FAULTS = (
    "status:path=subscriptions,status=429,retry_after=0,share=0.03,seed=1",
    "status:path=subscriptions,status=503,share=0.02,seed=2",
    "status:path=subscriptions,status=500,body=<html>,share=0.01,seed=3",
    "reset:path=subscriptions,share=0.02,seed=4",
    "cut:path=subscriptions,position=500,share=0.01,seed=5",
    "gzip:path=subscriptions,share=0.01,seed=6",
    "handshake:share=0.05,seed=7",
)
"""What goes wrong with a tenth of the requests, and with a twentieth of the connections."""


def answer(order: dict[str, object], azure: LocalAzure, receiver: Receiver) -> object:
    """Carry out one order."""
    if "delivered" in order:
        return [headers["Idempotency-Key"] for _, headers, _ in receiver.got]
    azure.world.simulate_until(date.fromisoformat(str(order["day"])))
    for number, subscription in enumerate(azure.world.subscriptions.values()):
        subscription.state = State.FORBIDDEN if number < int(str(order["forbidden"])) else State.NORMAL
    receiver.faults[:] = order["refusals"]
    return sum(fault.struck for fault in azure.faults)


def main(subscriptions: int) -> None:
    receiver = Receiver()
    with LocalAzure(World(subscriptions=subscriptions)) as azure:
        azure.faults.extend(map(Fault.parse, FAULTS))
        print(json.dumps({**azure.settings(), "SECSCORE_ALERT_WEBHOOK": f"{receiver.url}/hook"}), flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line), azure, receiver)), flush=True)
    receiver.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
