"""Real servers, and what this machine has of them, for tests, benchmarks and scripts."""
