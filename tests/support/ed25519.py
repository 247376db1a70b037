# SPDX-License-Identifier: Apache-2.0
"""Ed25519 signatures (RFC 8032, 5.1) in Python alone, so that tests which sign a little need nothing installed."""

import functools
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BASE_Y = 4 * pow(5, P - 2, P) % P


def _x_of(y):
    """The even x of a point of the curve."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x & 1 else x


# Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z.
BASE = (_x_of(BASE_Y), BASE_Y, 1, _x_of(BASE_Y) * BASE_Y % P)


def _add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


def _encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _number(data):
    return int.from_bytes(hashlib.sha512(data).digest(), "little")


class Key:
    """From a seed of 32 bytes. `agent_id` is the public key in hex."""

    def __init__(self, seed):
        digest = hashlib.sha512(seed).digest()
        self._scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
        self._prefix = digest[32:]
        self._public = _encode(_times(self._scalar, BASE))
        self.agent_id = self._public.hex()

    def sign(self, message):
        """In hex."""
        r = _number(self._prefix + message) % L
        point = _encode(_times(r, BASE))
        s = (r + _number(point + self._public + message) % L * self._scalar) % L
        return (point + s.to_bytes(32, "little")).hex()


@functools.lru_cache(maxsize=None)
def agent(number):
    """A test's agent, by a small number."""
    return Key(number.to_bytes(32, "big"))
