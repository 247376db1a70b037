# SPDX-License-Identifier: Apache-2.0
"""JSON Canonicalization Scheme (RFC 8785) for the claims of this example.

Python's json module is close, but differs in three places that change the bytes and so the id:
numbers (JCS wants ECMAScript's form: 1e+21, 1e-7, 1.0 as 1), the order of keys (by UTF-16 code
units) and lone surrogates (refused here). test_jcs.py compares with Node's JSON.stringify.
"""

from __future__ import annotations

import math
from typing import Union

Json = Union[None, bool, int, float, str, list, dict]

MAX_SAFE_INTEGER = 2**53

_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t",
                  "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def canonical_json(value: Json) -> bytes:
    """The canonical UTF-8 bytes of a JSON value. ValueError for what has no canonical form."""
    return _text(value).encode("utf-8")


def _text(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):  # before int: True is an int in Python
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_text(item) for item in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(string_text(key) + ":" + _text(value[key]) for key in keys) + "}"
    raise ValueError(f"not a JSON value: {type(value).__name__}")


def string_text(text: str) -> str:
    pieces = []
    for char in text:
        if "\ud800" <= char <= "\udfff":
            raise ValueError("lone surrogate in a string")
        if char in _SHORT_ESCAPES:
            pieces.append(_SHORT_ESCAPES[char])
        elif char < " ":
            pieces.append(f"\\u{ord(char):04x}")
        else:
            pieces.append(char)
    return '"' + "".join(pieces) + '"'


def number_text(number: Union[int, float]) -> str:
    """ECMAScript's Number::toString. repr() finds the same shortest digits; only the layout differs."""
    if isinstance(number, int) and abs(number) > MAX_SAFE_INTEGER:
        raise ValueError(f"integer beyond 2^53: {number}; send it as a string")
    number = float(number)
    if not math.isfinite(number):
        raise ValueError("NaN and infinity are not JSON")
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    digits, point = _shortest_digits(abs(number))
    return sign + _lay_out(digits, point)


def _shortest_digits(number: float) -> tuple[str, int]:
    """(digits, point) with number = 0.digits * 10**point, neither leading nor trailing zeros."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    leading = len(digits) - len(digits.lstrip("0"))
    point = len(whole) + int(exponent or "0") - leading
    return digits.strip("0"), point


def _lay_out(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = point - 1
    mantissa = digits if count == 1 else digits[0] + "." + digits[1:]
    return f"{mantissa}e{'+' if exponent >= 0 else '-'}{abs(exponent)}"
