"""``python -m kdos`` is ``kdos``."""

import sys

from kdos.cli import main

sys.exit(main())
