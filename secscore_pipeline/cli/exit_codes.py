"""The exit codes of the commands, beside 0 and those of signals."""

EXIT_FAILURE = 1
EXIT_WRONG_SETTINGS = 2
EXIT_PARTIAL = 3
EXIT_UNPUBLISHED = 4
