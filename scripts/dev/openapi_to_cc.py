#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns docs/openapi.yaml into a C++ source that holds it as JSON: openapi_to_cc.py FROM.yaml TO.cc"""

import json
import os
import sys

try:
    import yaml
except ImportError:
    sys.exit("openapi_to_cc.py: PyYAML is missing; on Debian: apt install python3-yaml")

CHUNK = 4000  # characters of a string literal: compilers promise 65,536 bytes at the least


def literal(text):
    return json.dumps(text)  # JSON's escapes for ASCII are C++'s as well


def main(source, target):
    with open(source, encoding="utf-8") as file:
        document = json.dumps(yaml.safe_load(file), ensure_ascii=True, separators=(",", ":"))
    chunks = [document[i:i + CHUNK] for i in range(0, len(document), CHUNK)]
    lines = "\n".join("    " + literal(chunk) for chunk in chunks)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="ascii") as file:
        file.write(f'#include "api/description.h"\n\nnamespace stemedb::api {{\n'
                   f"const std::string_view kOpenApiJson =\n{lines};\n}}  // namespace stemedb::api\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
