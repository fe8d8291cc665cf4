"""Where the command `secscore` begins: its streams are made fit and signals watched for before anything is loaded."""

import sys

from secscore_pipeline.system import stopping
from secscore_pipeline.system.streams import prepare_streams


def main() -> None:
    """Run the command line."""
    prepare_streams()  # first: what else is opened would get the number of a stream that the shell has closed
    try:
        stopping.watch()
        from secscore_pipeline.cli.main import main as run

        run()
    except SystemExit:
        if not stopping.is_requested():
            raise
    except KeyboardInterrupt:  # before there was a command
        sys.stderr.write("Stopped.\n")
    stopping.end_process()


if __name__ == "__main__":
    main()
