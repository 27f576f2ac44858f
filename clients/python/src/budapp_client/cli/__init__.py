"""budctl, the command line."""
