"""The part of `headwater up` that is the dashboard.

python -m flows.up.dashboard OPTION…
"""

import sys

from flows.cli import main as command
from flows.up.parent import end_with_parent


def main() -> None:
    end_with_parent()
    sys.argv = ["headwater", "dashboard", *sys.argv[1:]]
    command()


if __name__ == "__main__":
    main()
