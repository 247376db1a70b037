# SPDX-License-Identifier: Apache-2.0
"""Health, readiness, metrics and the document, on both listeners."""

import os
import re
import unittest

import yaml

from server_process import CONTRACT, SOURCE_DIR, Server, claim


class Operations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def metric(self, line):
        found = re.search("^" + re.escape(line) + r" (\S+)$", self.server.get("/metrics").body.decode(), re.MULTILINE)
        return float(found.group(1)) if found else None

    def test_health_counts(self):
        before = self.server.get("/v1/health").json
        self.assertEqual(before["status"], "healthy")
        self.server.post("/v1/assert", claim())
        after = self.server.get("/v1/health").json
        self.assertEqual(after["assertion_count"], before["assertion_count"] + 1)
        self.assertEqual(after["sequence"], before["sequence"] + 1)

    def test_readiness_names_its_checks_when_asked(self):
        self.assertEqual(self.server.get("/readyz").json, {"status": "ready"})
        answer = self.server.request("GET", "/readyz?verbose")
        self.assertEqual({check["name"]: check["status"] for check in answer.json["checks"]},
                         {"serving": "ok", "writes": "ok", "index": "ok", "scripts": "ok"})
        self.assertEqual(self.server.get("/livez").json, {"status": "alive"})

    def test_the_operations_listener_serves_operations_alone(self):
        for path in ("/v1/health", "/livez", "/readyz", "/metrics", "/api-doc/openapi.json"):
            self.assertEqual(self.server.request("GET", path, listener="operations").status, 200, path)
        connection = self.server.connect("operations")
        connection.request("POST", "/v1/assert", body=b"{}")
        self.assertEqual(connection.getresponse().status, 404)
        connection.close()

    def test_requests_are_counted_and_timed_by_route_and_status(self):
        for target in ("/v1/assertions/" + "0" * 64, "/v1/assertions/" + "1" * 64):
            self.server.get(target)
        self.assertEqual(self.metric('stemedb_http_requests_total{method="GET",path="/v1/assertions/{id}",'
                                     'status="404"}'), 2)
        self.assertEqual(self.metric('stemedb_http_request_duration_seconds_count{method="GET",'
                                     'path="/v1/assertions/{id}",status="404"}'), 2)
        self.server.get("/nowhere")
        self.assertEqual(self.metric('stemedb_http_requests_total{method="GET",path="unmatched",status="404"}'), 1)

    def test_errors_are_counted_by_type_and_layer(self):
        name = 'stemedb_errors_total{layer="validation",type="invalid_request"}'
        before = self.metric(name)
        self.server.post("/v1/assert", {"invalid": "payload"})
        self.assertEqual(self.metric(name), before + 1)
        self.server.post("/v1/assert/batch", [claim(confidence=2), claim(confidence=3)])
        self.assertEqual(self.metric(name), before + 3)

    def test_questions_and_claims_are_counted(self):
        asked = self.metric('stemedb_queries_total{endpoint="query"}')
        ingested = self.metric("stemedb_assertions_ingested_total")
        self.server.query(concept_path="a")
        self.server.post("/v1/assert/batch", [claim(value=i, concept_path="counted") for i in range(7)])
        self.assertEqual(self.metric('stemedb_queries_total{endpoint="query"}'), asked + 1)
        self.assertEqual(self.metric('stemedb_query_latency_seconds_count{endpoint="query"}'), asked + 1)
        self.assertEqual(self.metric("stemedb_assertions_ingested_total"), ingested + 7)
        self.assertEqual(self.metric("stemedb_assertions_total"), self.server.get("/v1/health").json["assertion_count"])
        self.assertGreater(self.metric("stemedb_wal_disk_usage_bytes"), 0)
        self.assertGreater(self.metric("stemedb_storage_map_size_bytes"), 0)

    def test_openmetrics_when_asked(self):
        answer = self.server.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        self.assertTrue(answer.headers["Content-Type"].startswith("application/openmetrics-text"))
        self.assertTrue(answer.body.endswith(b"# EOF\n"))

    def test_the_document_is_served(self):
        with open(os.path.join(SOURCE_DIR, "docs", "openapi.yaml"), encoding="utf-8") as file:
            self.assertEqual(self.server.get("/api-doc/openapi.json").json, yaml.safe_load(file))
        self.assertEqual(CONTRACT.document["openapi"], "3.1.0")

    def test_unknown_paths_and_methods_are_problems(self):
        self.assertEqual(self.server.get("/v1/nowhere").code, "not_found")
        answer = self.server.request("DELETE", "/v1/query")
        self.assertEqual((answer.status, answer.code), (405, "method_not_allowed"))
        self.assertEqual(set(answer.headers["Allow"].split(", ")), {"GET", "HEAD", "OPTIONS", "POST"})

    def test_a_request_id_goes_in_and_out(self):
        answer = self.server.get("/v1/assertions/x", headers={"X-Request-Id": "abc-123"})
        self.assertEqual((answer.headers["X-Request-Id"], answer.json["request_id"]), ("abc-123", "abc-123"))

    def test_head_has_the_length_and_no_body(self):
        connection = self.server.connect()
        connection.request("HEAD", "/livez")
        response = connection.getresponse()
        self.assertEqual((response.status, response.headers["Content-Length"], response.read()), (200, "18", b""))
        connection.close()


if __name__ == "__main__":
    unittest.main()
