"""Where the command `secscore` begins: its streams are made fit and signals watched for before anything is loaded."""

import sys
from typing import NoReturn

from secscore_pipeline.system import stopping
from secscore_pipeline.system.ending import end_process
from secscore_pipeline.system.streams import prepare_streams


def main() -> NoReturn:
    """Run the command line, and end the process."""
    prepare_streams()  # first: what else is opened would get the number of a stream that the shell has closed
    code = 0
    try:
        stopping.watch()
        from secscore_pipeline.cli.main import main as run

        run()
    except SystemExit as exited:
        code = int(exited.code or 0)
    except KeyboardInterrupt:  # before there was a command
        sys.stderr.write("Stopped.\n")
        code = stopping.exit_code()
    end_process(stopping.exit_code() if stopping.is_requested() else code)


if __name__ == "__main__":
    main()
