"""Office files under a password."""

import io
from pathlib import Path

import pytest
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile

from parsers.errors import Corrupt, Encrypted
from parsers.office.encryption import decrypt, is_encrypted
from tests.documents import word

FIXTURES = Path(__file__).parent.parent / "fixtures"
OPEN = word(("Normal", "Words."))


def sealed(password: str) -> bytes:
    out = io.BytesIO()
    OOXMLFile(io.BytesIO(OPEN)).encrypt(password, out)
    return out.getvalue()


SEALED = sealed("s3cret")


def test_a_file_that_is_not_sealed_stays_as_it_is():
    assert decrypt(OPEN, ("s3cret",)) == OPEN
    assert not is_encrypted(OPEN)


def test_the_right_one_of_several_passwords_opens_it():
    assert is_encrypted(SEALED)
    assert decrypt(SEALED, ("wrong", "s3cret")) == OPEN


@pytest.mark.parametrize("passwords", [(), ("wrong",), ("",), ("x" * 300,)])
def test_without_its_password_it_is_encrypted(passwords):
    with pytest.raises(Encrypted) as caught:
        decrypt(SEALED, passwords)
    assert "wrong" not in caught.value.detail


def test_excels_own_password_needs_nobody():
    assert decrypt(sealed("VelvetSweatshop"), ()) == OPEN
    before = (FIXTURES / "encrypted_default_password.xls").read_bytes()
    assert is_encrypted(before)
    assert not is_encrypted(decrypt(before, ()))


def test_an_obfuscated_workbook_is_opened():
    before = (FIXTURES / "encrypted_xor.xls").read_bytes()
    assert not is_encrypted(decrypt(before, ("abc",)))
    with pytest.raises(Encrypted):
        decrypt(before, ("abd",))


def test_a_sealed_file_without_its_content_is_corrupt_or_encrypted():
    with pytest.raises((Corrupt, Encrypted)):
        decrypt(SEALED.replace("EncryptedPackage".encode("utf-16-le"), b"x" * 32), ("s3cret",))


def test_what_is_too_damaged_to_tell_is_left_to_its_parser():
    book = xlwt.Workbook()
    book.add_sheet("S").write(0, 0, "words")
    out = io.BytesIO()
    book.save(out)
    half = out.getvalue()[: len(out.getvalue()) // 2]
    for damaged in (b"", b"neither", half, OPEN[:100]):
        assert decrypt(damaged, ()) == damaged
