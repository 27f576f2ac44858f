"""budapp: the main application service of bud-stack."""

__version__ = "0.1.0"
