"""`python -m distilmt`."""

import sys

from distilmt.cli import main

sys.exit(main())
