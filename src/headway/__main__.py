"""`python -m headway`: the command line."""

import sys

from headway.cli import main

sys.exit(main())
