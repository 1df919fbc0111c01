"""What lies inside an S/MIME signature that wraps the whole mail."""

from typing import Final

_SIGNED: Final = "signed_data"
_MALFORMED: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""How asn1crypto fails on bytes that are no cryptographic message."""


def signed_content(data: bytes) -> bytes | None:
    """The content of a signed message (RFC 5652, 5.2); None if it is encrypted or unreadable."""
    from asn1crypto import cms

    try:
        message = cms.ContentInfo.load(data)
        if message["content_type"].native != _SIGNED:
            return None
        content = message["content"]["encap_content_info"]["content"].native
    except _MALFORMED:
        return None
    return content if isinstance(content, bytes) else None
