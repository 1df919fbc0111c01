"""Which language a text is in."""

import threading
from functools import cache
from typing import Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

UNDETERMINED: Final = "und"
"""ISO 639-2's code for a language that cannot be told."""

_SAMPLE: Final = 5_000
_MIN_LETTERS: Final = 20
_MIN_PROBABILITY: Final = 0.8


def identify(text: str) -> str:
    """ISO 639-1 code of the language of `text`, `UNDETERMINED` if it is too short or unclear."""
    sample = " ".join(text[:_SAMPLE].split())
    if sum(character.isalpha() for character in sample) < _MIN_LETTERS:
        return UNDETERMINED
    code, probability = _identifier().classify(sample)
    is_language = len(code) == 2  # `zxx`, no linguistic content, is not one.
    return str(code) if is_language and probability >= _MIN_PROBABILITY else UNDETERMINED


def load() -> None:
    """Load what is needed to tell a language, or wait until another thread has: half a second."""
    with _loading:
        _identifier()


_loading: Final = threading.Lock()


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
