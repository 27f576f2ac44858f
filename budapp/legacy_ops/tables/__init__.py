"""Every table of the former service, in the order in which they come: what a row refers to comes before it."""

from budapp.legacy_ops.tables import people, projects

MOVES = (*people.MOVES, *projects.MOVES)
NO_HOME = (*people.NO_HOME,)
