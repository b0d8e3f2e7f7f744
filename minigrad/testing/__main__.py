"""`python -m minigrad.testing --backend NAME`"""

import sys

from minigrad.testing.command import main

if __name__ == "__main__":
    sys.exit(main())
