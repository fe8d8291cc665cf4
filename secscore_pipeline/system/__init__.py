"""The process and its machine: files, encodings, output, signals, other processes, and the secrets it holds."""
