"""The part of `headwater up` that serves the vectors.

python -m flows.up.vectors FOLDER PORT
"""

import sys
from pathlib import Path

from flows.up.parent import end_with_parent
from index.chroma.service import serve


def main() -> None:
    end_with_parent()
    serve(Path(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
