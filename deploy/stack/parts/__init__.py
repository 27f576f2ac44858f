"""The parts of the stack: for each how it is prepared, run and known to be ready."""
