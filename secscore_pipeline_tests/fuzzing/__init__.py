"""Property tests of everything that comes from outside: generators, hostile servers, and a list of what was found."""
