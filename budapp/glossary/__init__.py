"""What the names of parameters and members mean, for the OpenAPI document.

A name stands here once, and means the same wherever it is; where it means something else, or more can be said, the
declaration says so: `Field(description=...)`, `Query(description=...)`.
"""

from budapp.glossary.figures import FIGURES
from budapp.glossary.members import WORDS
from budapp.glossary.parameters import PARAMETERS

MEMBERS = WORDS | FIGURES
"""Those of bodies; not of a member that is declared with a description."""

__all__ = ["MEMBERS", "PARAMETERS"]
