"""A mail as bytes again: what a message is handed on as that came inside another format."""

import hashlib
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from parsers.document import clean_text
from parsers.mail.document import Mail

_HEADERS = {
    "subject": "Subject",
    "from": "From",
    "to": "To",
    "cc": "Cc",
    "date": "Date",
    "message_id": "Message-ID",
    "in_reply_to": "In-Reply-To",
}


def as_bytes(mail: Mail) -> bytes:
    """The mail in the form of RFC 5322; equal mails give equal bytes."""
    boundary = "headwater-" + hashlib.sha256(repr(mail).encode()).hexdigest()[:32]
    message = MIMEMultipart("mixed", boundary=boundary)
    for name, header in _HEADERS.items():
        if value := " ".join(clean_text(mail.properties.get(name, "")).split()):
            message[header] = Header(value, "utf-8").encode(maxlinelen=0)
    for number, body in enumerate(mail.bodies):
        forms = MIMEMultipart("alternative", boundary=f"{boundary}-{number}")
        for words, subtype in ((body.plain, "plain"), (body.html, "html")):
            if words:
                forms.attach(MIMEText(clean_text(words), subtype, "utf-8"))
        message.attach(forms)
    for member in mail.attachments:
        attached = MIMEApplication(member.data)
        attached.add_header(
            "Content-Disposition", "attachment", filename=("utf-8", "", clean_text(member.name))
        )
        message.attach(attached)
    return message.as_bytes()
