# SPDX-License-Identifier: Apache-2.0
"""JCS against Node's JSON.stringify, which is what RFC 8785 defines numbers and strings by."""

import json
import random
import struct
import subprocess
import unittest

from jcs import canonical_json, number_text, string_text

NODE = "node"
RANDOM_SEED = 20240607
RANDOM_COUNT = 20000

EDGES = ["0", "-0.0", "1.0", "1e20", "1e21", "123456789012345680000", "1.5e300", "1e-6", "1e-7",
         "0.000001234", "1.234e-7", "5e-324", "1.7976931348623157e308", "4.35", "0.1", "100.5",
         "9007199254740992", "-333333333.33333329", "1e23", "2.2250738585072014e-308"]


def bits(number: float) -> str:
    return struct.pack(">d", number).hex()


def node(script: str, lines: list) -> list:
    """Runs a function of one line over all lines; each result comes back on a line."""
    program = ("const lines = require('fs').readFileSync(0, 'utf8').trimEnd().split('\\n');"
               f"console.log(lines.map({script}).join('\\n'));")
    return subprocess.run([NODE, "-e", program], input="\n".join(lines), capture_output=True,
                          text=True, check=True).stdout.rstrip("\n").split("\n")


class Jcs(unittest.TestCase):
    def test_numbers_are_written_as_node_writes_them(self):
        print(f"random seed {RANDOM_SEED}")
        source = random.Random(RANDOM_SEED)
        numbers = [float(text) for text in EDGES]
        while len(numbers) < RANDOM_COUNT:
            number = struct.unpack(">d", source.randbytes(8))[0]
            if number - number == 0:  # neither NaN nor infinite
                numbers.append(number)
        numbers += [round(source.uniform(-1e7, 1e7), source.randrange(9)) for _ in range(RANDOM_COUNT)]
        numbers += [float(f"1e{exponent}") for exponent in range(-30, 31)]
        expected = node("hex => JSON.stringify(Buffer.from(hex, 'hex').readDoubleBE(0))",
                        [bits(number) for number in numbers])
        self.assertEqual([number_text(number) for number in numbers], expected)

    def test_strings_are_written_as_node_writes_them(self):
        texts = ["".join(map(chr, range(0x80))), "Åland", "€", "中国", "🇭🇷", "\u2028\u2029\ufeff", "/", ""]
        expected = node("line => JSON.stringify(JSON.parse(line))", [json.dumps(t) for t in texts])
        self.assertEqual([string_text(text) for text in texts], expected)

    def test_keys_are_sorted_by_utf16_code_units(self):
        self.assertEqual(canonical_json({"\ufb33": 1, "\U0001f600": 2, "b": 3, "a": [True, None]}),
                         '{"a":[true,null],"b":3,"\U0001f600":2,"\ufb33":1}'.encode())

    def test_what_has_no_canonical_form_is_refused(self):
        for value in (float("nan"), float("inf"), 2**53 + 1, "\ud800", {"a": object()}):
            with self.assertRaises(ValueError):
                canonical_json(value)


if __name__ == "__main__":
    unittest.main()
