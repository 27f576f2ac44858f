"""What Keycloak says of a password that a realm's policy refuses, in sentences for the person who chose it."""

import json
import re

UNKNOWN_RULE = "The password does not meet the rules"

_SENTENCES = {
    "invalidPasswordMinLengthMessage": "The password must have at least {n} characters",
    "invalidPasswordMaxLengthMessage": "The password must have at most {n} characters",
    "invalidPasswordMinDigitsMessage": "The password must have at least {n} digits",
    "invalidPasswordMinUpperCaseCharsMessage": "The password must have at least {n} upper-case letters",
    "invalidPasswordMinLowerCaseCharsMessage": "The password must have at least {n} lower-case letters",
    "invalidPasswordMinSpecialCharsMessage": "The password must have at least {n} punctuation characters",
    "invalidPasswordNotUsernameMessage": "The password must not be the e-mail address",
    "invalidPasswordNotContainsUsernameMessage": "The password must not contain the e-mail address",
    "invalidPasswordNotEmailMessage": "The password must not be the e-mail address",
    "invalidPasswordHistoryMessage": "The password must not be one of the last {n}",
    "invalidPasswordBlacklistedMessage": "The password is too common",
    "invalidPasswordRegexPatternMessage": "The password does not match the pattern that the administrator set",
}


def refused_password(body: bytes) -> str | None:
    """Return why a password is refused, by the body of a 400 of Keycloak; None where it is about something else."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    sentence = _SENTENCES.get(str(answer.get("error")))
    if sentence is None:
        return UNKNOWN_RULE if b"assword" in body else None
    number = re.search(r"\d+", str(answer.get("error_description")))
    if "{n}" in sentence and number is None:
        return UNKNOWN_RULE
    return sentence.format(n=number[0] if number else "")
