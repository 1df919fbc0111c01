"""Office files under a password."""

import io

import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from parsers.contract import ParseOptions, ParseTask
from parsers.errors import Corrupt, Encrypted
from parsers.media_type import DOCX, SEALED_OOXML, detect
from parsers.office import sealed as sealed_office
from tests.documents import word


def sealed(data: bytes, password: str) -> bytes:
    out = io.BytesIO()
    OOXMLFile(io.BytesIO(data)).encrypt(password, out)
    return out.getvalue()


def task(data: bytes, *passwords: str) -> ParseTask:
    return ParseTask(data, SEALED_OOXML, ParseOptions(), passwords)


LOCKED = sealed(word(("Normal", "Nobody is to read this.")), "open sesame")


def test_a_sealed_file_is_known_as_one():
    assert detect(LOCKED) == SEALED_OOXML


def test_one_of_the_passwords_opens_it():
    document = sealed_office.parse(task(LOCKED, "wrong", "open sesame"))
    assert document.text == "Nobody is to read this."
    assert document.media_type == DOCX


@pytest.mark.parametrize("passwords", [(), ("wrong",), ("", "x" * 300)])
def test_without_the_right_one_it_is_encrypted(passwords):
    with pytest.raises(Encrypted) as caught:
        sealed_office.parse(task(LOCKED, *passwords))
    assert not any(word and word in caught.value.detail for word in passwords)


def test_the_password_that_excel_uses_on_its_own_is_tried():
    assert sealed_office.parse(task(sealed(word(("Normal", "Read me.")), "VelvetSweatshop"))).text


def test_a_sealed_file_that_is_damaged_is_corrupt():
    with pytest.raises((Corrupt, Encrypted)):
        sealed_office.parse(task(LOCKED[:3000], "open sesame"))
