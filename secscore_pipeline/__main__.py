"""Where the command `secscore` begins: signals are watched for before anything else is loaded."""

import sys

from secscore_pipeline import stopping


def main() -> None:
    """Run the command line."""
    try:
        stopping.watch()
        from secscore_pipeline.cli import main as run

        run()
    except SystemExit:
        if not stopping.is_requested():
            raise
    except KeyboardInterrupt:  # before there was a command
        sys.stderr.write("Stopped.\n")
    sys.exit(stopping.exit_code())


if __name__ == "__main__":
    main()
