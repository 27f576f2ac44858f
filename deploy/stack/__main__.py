"""Run the command line: `python -m stack`."""

import sys

from .cli import main

sys.exit(main())
