"""Sub-commands of `eata`; heavy imports stay inside the functions, so that --help is quick."""
