# SPDX-License-Identifier: Apache-2.0
"""Holds answers against docs/openapi.yaml: each must be documented for its path, method and status, and have its shape."""

import json
import re

import yaml
from jsonschema import Draft202012Validator, FormatChecker, RefResolver

METHODS = {"get", "post", "put", "patch", "delete"}


class Contract:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            # Through JSON, so that it is exactly what the server serves.
            self.document = json.loads(json.dumps(yaml.safe_load(file)))
        self.resolver = RefResolver("", self.document)
        self.operations = {(method.upper(), template): operation
                           for template, item in self.document["paths"].items()
                           for method, operation in item.items() if method in METHODS}
        self.seen = set()  # (method, template, status)
        self._patterns = [(re.compile("^" + re.sub(r"\\{[^/]+\\}", "[^/]+", re.escape(template)) + "$"), template)
                          for template in self.document["paths"]]

    def resolve(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def template_of(self, path):
        for pattern, template in sorted(self._patterns, key=lambda pair: "{" in pair[1]):
            if pattern.match(path):
                return template
        return None

    def check(self, method, target, answer):
        path = target.split("?")[0]
        template = self.template_of(path)
        operation = self.operations.get((method, template))
        if operation is None:
            self._check_protocol_refusal(method, target, answer)
            return
        where = f"{method} {target} → {answer.status}"
        response = operation["responses"].get(str(answer.status))
        assert response is not None, f"{where} is not documented: {answer.body[:300]!r}"
        self.seen.add((method, template, answer.status))
        self._check_body(where, self.resolve(response), answer)

    def _check_protocol_refusal(self, method, target, answer):
        assert answer.status in (404, 405), f"{method} {target} is served and not documented: {answer.status}"
        self.validate({"$ref": "#/components/schemas/Problem"}, answer.json, f"{method} {target}")

    def _check_body(self, where, response, answer):
        media_type = answer.headers.get("Content-Type", "").split(";")[0]
        content = response["content"]
        assert media_type in content, f"{where}: {media_type} is not documented"
        schema = content[media_type]["schema"]
        if media_type.endswith("json"):
            self.validate(schema, answer.json, where)
        for name in response.get("headers", {}):
            assert name in answer.headers, f"{where}: the header {name} is missing"
        if media_type == "application/problem+json":
            assert answer.json["status"] == answer.status, where
            assert answer.json["request_id"] == answer.headers["X-Request-Id"], where

    def validate(self, schema, instance, where):
        validator = Draft202012Validator(schema, resolver=self.resolver, format_checker=FormatChecker())
        error = next(validator.iter_errors(instance), None)
        if error is not None:
            raise AssertionError(f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message[:500]}")
