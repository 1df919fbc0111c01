"""What all OpenDocument files have besides their content: a manifest and properties."""

from parsers.errors import Encrypted
from parsers.office.properties import iso_date, without_blanks
from parsers.zipped_xml import Archive, child, local_name


def check_open(archive: Archive) -> None:
    """Ask the manifest whether a password is needed.

    Raises:
        Encrypted: It is.
    """
    manifest = archive.xml("META-INF/manifest.xml")
    if manifest is not None and next(manifest.iter("{*}encryption-data"), None) is not None:
        raise Encrypted("an OpenDocument file with a password")


def stated_properties(archive: Archive) -> tuple[str, dict[str, str]]:
    """The stated title, and the other properties."""
    found = child(archive.xml("meta.xml"), "meta")
    stated = {local_name(e): e.text or "" for e in (found if found is not None else ())}
    properties = {
        "author": stated.get("initial-creator") or stated.get("creator", ""),
        "subject": stated.get("subject", ""),
        "keywords": stated.get("keyword", ""),
        "created": iso_date(stated.get("creation-date", "")),
        "modified": iso_date(stated.get("date", "")),
    }
    return stated.get("title", ""), without_blanks(properties)
