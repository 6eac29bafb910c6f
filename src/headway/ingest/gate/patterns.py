"""Cells that a pattern tells: addresses of the net, telephones, numbers behind a word for them.

Rules are data. `SURE` holds wherever it stands in a cell, whatever else the column holds; `WHOLE`
counts where most cells of a column that is no classification have the form. Texts are folded.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from headway.ingest.gate import places
from headway.ingest.gate.vocabulary import known, read

_DOMAINS = "com|net|org|info|eu|edu|gov|app|blog|io|me|online|site|web|example|test"
_COUNTRIES = "de|at|ch|es|fr|it|pt|br|nl|be|uk|us|ie|lu|ca|au|mx|ar|co\\.uk|com\\.br|tv"
_PICTURE = r"(?:jpe?g|png|heic|heif|tiff?|bmp|gif|webp|raw|cr2|nef|dng|dcm)"


def _words(key: str) -> str:
    """Write the words of an entry of forms.yaml as one expression."""
    found = sorted(known("forms", key), key=len, reverse=True)
    return "|".join(word.replace("_", " ") for word in found)


_NO = (
    "(?:[ ._-]*(?:n°|(?:no|nr|num|numero|number|nummer|nro|id|n|de serie|di serie|serie)\\b)\\.?)*"
)
_BEHIND = re.compile(
    rf"(?<![a-z])(?:{_words('before_number')})\.?{_NO}[ .:#_-]*(?=[a-z0-9/-]*\d)"
    r"(?:[a-z]{0,4}[ -]?\d[\d/-]{4,}\d?[a-z]{0,3}|[a-z]{1,3}\d[a-z0-9]{5,})(?![a-z0-9])",
    re.IGNORECASE,
)
_SERIE = re.compile(
    r"(?<![a-z])(?:n[o.°]?|num\.?|numero|nr\.?) ?(?:de |di )?serie[ .:#]*[a-z]{0,3}[- ]?\d{4,}",
    re.IGNORECASE,
)
# A plate, a card or a licence, in groups of capitals and digits, behind its word.
_IN_GROUPS = re.compile(
    r"\b(?i:plate|targa|kenteken|kennzeichen|matricula|immatriculation|medicare|card|karte|permis|vin"
    r"|licen[cs]e|dl|hicn|id)\b\.?(?: ?(?i:no|nr|number)\b\.?)?[ :#]+"
    r"(?=[A-Z -]*\d[\dA-Z -]*\d)[A-Z\d]{1,9}(?:[ -][A-Z\d]{1,6}){0,5}"
    r"(?=[\dA-Z -]{0,3}$|[,;.)])"
)
_EMAIL = re.compile(
    r"\w[\w.-]* (?:(?-i:AT) [\w-]+ (?-i:DOT)|arroba [\w-]+ punto) [A-Za-z]{2,}|"
    r"[^@\s<>()\[\]]+ ?(?:@| ?[\[({] ?(?:at|arroba|chiocciola|apenstaartje) ?[\])}] ?) ?"
    r"[\w-]+(?:(?:\.| ?[\[({] ?(?:dot|punkt|punto|point|ponto|punt) ?[\])}] ?)[\w-]+)*"
    r"(?:\.| ?[\[({] ?(?:dot|punkt|punto|point|ponto|punt) ?[\])}] ?)[A-Za-z]{2,}",
    re.IGNORECASE,
)
_URL = re.compile(
    rf"https?:/|ftp://|\bwww\.|\b[\w-]{{2,}}(?:\.[\w-]+)*\.(?:{_DOMAINS})(?:/|\b(?![.@\w]))"
    rf"|\b[\w-]{{2,}}(?:\.[\w-]+)*\.(?:{_COUNTRIES})/\S",
    re.IGNORECASE,
)
_BARE_URL = re.compile(
    rf"[a-z][\w-]{{2,}}(?:\.[\w-]+)*\.(?:{_COUNTRIES}|{_DOMAINS})", re.IGNORECASE
)
_HANDLE = re.compile(
    rf"^@[A-Za-z_][\w.]{{2,}}$|\b(?:{_words('social')})\b[ :]*@ ?[A-Za-z_]\w+"
    r"|\b(?:skype|whatsapp|telegram|insta(?:gram)?|twitter|facebook|fb|tiktok|snapchat|linkedin)"
    r"(?: ?: ?\w[\w.]+| [a-z_]\w*(?:\d|\.\w)\w*)|\blive:\.?\w+|\b(?:t\.me|x\.com)/\w",
    re.IGNORECASE,
)
_SSN = re.compile(r"(?<![\w.-])\d{3}([- ])\d{2}\1\d{4}(?![\w-]|\.\d)")
_MAC = re.compile(
    r"(?<![\w:-])[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}(?![\w:-])"
    r"|(?<!\w)[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?!\w)",
    re.IGNORECASE,
)
_FILE = re.compile(
    rf"(?:{_words('pictures')})[\w ()-]*\.{_PICTURE}\b"
    rf"|[\\/][\w .-]+\.{_PICTURE}\b|^[\w .()-]+\.(?:jpe?g|heic)$",
    re.IGNORECASE,
)
_BIOMETRIC = re.compile(
    rf"(?:{_words('recordings')})[\w ()-]*\.\w{{2,4}}\b"
    r"|[\w-]+\.(?:wav|wsq|m4a|mp3|ogg|flac|opus|amr|mp4|mov|avi)\b",
    re.IGNORECASE,
)
_SERIAL_HEX = re.compile(r"(?<!\w)S/?N[-:# ]*(?=[0-9A-F]*\d)[0-9A-F]{6,}(?!\w)")

# ---- telephones: the groups of each country; (^) ten digits in a row are left to `categories` ----
_TELEPHONE = tuple(
    re.compile(rf"(?<![\w.,+/-])(?:{row['form']})(?![\w/-]|[.,]\d)")
    for row in read("forms")["phones"]
)
_ABROAD = re.compile(
    r"(?<![\w.])(?:\+|00)[1-9]\d{0,2}[ ./()-]*(?:\(0\)[ ./-]*)?\d[\d .()/-]{5,}\d(?![\w])"
)
_CALLED = re.compile(
    rf"(?<![a-z])(?:{_words('before_phone')})\b[.:]* *(?:n[ro.]*\.? *)?(?:unter )?"
    r"\(?\+?\d[\d ()./-]{4,}\d",
    re.IGNORECASE,
)
# A package of a drug in the National Drug Code (US): labeller, product, package.
_PACKAGE = re.compile(r"\d{4,5}-\d{3,4}-\d{1,2}")


def find_phone(text: str) -> bool:
    """Tell whether a folded text holds a telephone or fax number."""
    if sum(map(str.isdigit, text)) < 6:
        return False
    if _CALLED.search(text):
        return True
    if _PACKAGE.fullmatch(text):
        return False
    if any(p.search(text) for p in _TELEPHONE):
        return True
    found = _ABROAD.search(text)
    return found is not None and _is_possible(found[0])


def _is_possible(text: str) -> bool:
    """Tell whether a number with its country's code has the digits of a telephone there."""
    import phonenumbers

    try:
        number = phonenumbers.parse(re.sub(r"^00", "+", text.replace("(0)", "")), None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_possible_number(number))


def find_address_of_net(text: str) -> bool:
    """Tell whether a folded text holds an IP address; 1.2.1.1 is a code of ICHD-3."""
    for token in re.findall(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", text):
        parts = [int(p) for p in token.split(".")]
        if max(parts) <= 255 and not all(1 <= p <= 14 for p in parts):
            return True
    for token in re.findall(r"(?<![\w:.])[0-9a-fA-F:]{3,39}(?![\w:])", text):
        if token.count(":") >= 2 and ("::" in token or token.count(":") == 7):
            try:
                ipaddress.IPv6Address(token)
            except ValueError:
                continue
            return len(token) > 3
    return False


def _find_url(text: str) -> bool:
    return bool(_URL.search(text) or _BARE_URL.fullmatch(text) or _HANDLE.search(text))


def _search(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: bool(pattern.search(text))


SURE: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("email", _search(_EMAIL)),
    ("url", _find_url),
    ("ip", find_address_of_net),
    ("ssn", _search(_SSN)),
    ("phone", find_phone),
    ("record_number", _search(_BEHIND)),
    ("record_number", _search(_SERIE)),
    ("record_number", _search(_IN_GROUPS)),
    ("device", _search(_MAC)),
    ("device", _search(_SERIAL_HEX)),
    ("biometric", _search(_FILE)),
    ("biometric", _search(_BIOMETRIC)),
    ("coordinates", places.find_coordinates),
    ("address", places.find_street),
    ("postcode", places.find_postcode),
)
# Texts with none of these signs are words alone, and no pattern above holds for them.
_TELLING = re.compile(r"[\d@:/\\.]|[\[({]|\b(?i:at|arroba)\b")

WHOLE: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (row["rule"], re.compile(row["form"])) for row in read("forms")["whole"]
)


def find_sure(text: str) -> list[str]:
    """List the rules that a folded text breaks, whatever else its column holds."""
    if not _TELLING.search(text):
        return ["url"] if _HANDLE.search(text) else []
    rules = list(dict.fromkeys(rule for rule, finds in SURE if finds(text)))
    if "email" in rules and "url" in rules and not _URL.search(_EMAIL.sub(" ", text)):
        rules.remove("url")  # the domain of the mail
    return rules
