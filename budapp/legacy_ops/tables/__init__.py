"""Every table of the former service, in the order in which they come: what a row refers to comes before it."""

from budapp.legacy_ops.tables import billing, catalogs, keys, people, projects, prompts, serving, trail, work

MOVES = (
    *people.MOVES,
    *catalogs.MOVES,
    *projects.MOVES,
    *keys.MOVES,
    *serving.MOVES,
    *work.MOVES,
    *prompts.MOVES,
    *billing.MOVES,
    *trail.MOVES,
)
NO_HOME = (*people.NO_HOME, *catalogs.NO_HOME, *work.NO_HOME)
