// SPDX-License-Identifier: Apache-2.0
// The members are written in JCS order, kind by kind, and never sorted at run time; the tests hold this
// against a canonicaliser that sorts.
#include "model/operation.h"

#include "base/check.h"
#include "base/json_writer.h"
#include "crypto/sha256.h"
#include "model/signers.h"

namespace stemedb::model {
namespace {

struct KindNames {
  std::string_view name, noun, domain;
};
constexpr KindNames kKinds[] = {
    {"vote", "vote", "stemedb/vote/v1\n"},
    {"supersession", "supersession", "stemedb/supersession/v1\n"},
    {"retraction", "retraction", "stemedb/retraction/v1\n"},
    {"epoch", "epoch", "stemedb/epoch/v1\n"},
    {"source", "source", "stemedb/source/v1\n"},
    {"source_status", "change of status", "stemedb/source_status/v1\n"},
    {"alias", "alias", "stemedb/alias/v1\n"},
    {"trust", "statement of trust", "stemedb/trust/v1\n"},
};
static_assert(std::size(kKinds) == kOperationKindMax);

constexpr std::string_view kSourceStatusNames[] = {"active", "under_review", "deprecated", "retracted"};

const KindNames& NamesOf(OperationKind kind) {
  const auto number = static_cast<size_t>(kind);
  STEMEDB_CHECK(number >= 1 && number <= kOperationKindMax);
  return kKinds[number - 1];
}

Subject AboutId(SubjectKind kind, const Hash256& id) { return {kind, std::string(AsView(id))}; }

Subject AssertionOf(const Operation& operation) {
  STEMEDB_CHECK(operation.assertion_id.has_value());
  return AboutId(SubjectKind::kAssertion, *operation.assertion_id);
}

Subject RetractedBy(const Operation& operation) {
  if (operation.assertion_id) return AssertionOf(operation);
  if (operation.path.empty()) return {SubjectKind::kSource, operation.name};
  return {operation.subtree ? SubjectKind::kSubtree : SubjectKind::kPath, operation.path};
}

std::string PathAsGiven(const Operation& operation) {
  if (!operation.subtree) return operation.path;
  return operation.path + (operation.path.ends_with("://") ? "*" : "/*");
}

// One member after the other; what is absent is left out.
class CanonicalWriter {
 public:
  CanonicalWriter(std::string& out, const Operation& operation) : json_(out), operation_(operation) {}

  void Write() {
    json_.BeginObject();
    WriteMembers();
    json_.EndObject();
  }

 private:
  void WriteMembers();
  void WriteRetraction();
  void WriteSource();

  void Text(std::string_view name, std::string_view text) {
    if (!text.empty()) json_.Field(name, text);
  }
  void Id(std::string_view name, const std::optional<Hash256>& id) {
    if (!id) return;
    json_.Key(name);
    json_.Hex(*id);
  }
  void Number(std::string_view name) {
    json_.Key(name);
    json_.Number(operation_.number);
  }
  void Agent() { Id("agent_id", operation_.agent_id); }
  void Reason() { Text("reason", operation_.reason); }
  void Timestamp() {
    STEMEDB_CHECK(operation_.timestamp_ms.has_value());
    json_.Key("timestamp");
    json_.Time(*operation_.timestamp_ms);
  }

  JsonWriter json_;
  const Operation& operation_;
};

void CanonicalWriter::WriteMembers() {
  const Operation& o = operation_;
  switch (o.kind) {
    case OperationKind::kVote:
      Agent(), Id("assertion_id", o.assertion_id), Timestamp(), Number("weight");
      return;
    case OperationKind::kSupersession:
      Agent(), Reason(), Id("replacement", o.other_id), Id("target", o.assertion_id), Timestamp();
      return;
    case OperationKind::kRetraction:
      return WriteRetraction();
    case OperationKind::kEpoch:
      Agent(), Text("name", o.name), Text("supersedes", o.other_name), Text("supersession_type", o.detail);
      return Timestamp();
    case OperationKind::kSource:
      return WriteSource();
    case OperationKind::kSourceStatus:
      Agent(), Text("id", o.name), Reason(), Text("status", NameOf(o.source_status)), Timestamp();
      return;
    case OperationKind::kAlias:
      Agent(), Text("alias", o.path), Text("concept_path", o.other_name), Timestamp();
      return;
    case OperationKind::kTrust:
      Id("agent", o.other_id), Agent(), Reason(), Timestamp(), Number("trust");
      return;
  }
  STEMEDB_CHECK(false);  // no such kind
}

void CanonicalWriter::WriteRetraction() {
  const Operation& o = operation_;
  Agent(), Id("assertion_id", o.assertion_id);
  if (o.cascade) {
    json_.Key("cascade");
    json_.Bool(true);
  }
  Text("concept_path", PathAsGiven(o)), Reason(), Text("source_id", o.name), Timestamp();
}

void CanonicalWriter::WriteSource() {
  const Operation& o = operation_;
  Agent();
  if (o.source_class) Text("class", NameOf(*o.source_class));
  Text("content", o.content), Text("hash", o.hash), Text("id", o.name), Timestamp();
  Text("title", o.detail), Text("url", o.url);
}

}  // namespace

std::string_view NameOf(OperationKind kind) { return NamesOf(kind).name; }
std::string_view NounOf(OperationKind kind) { return NamesOf(kind).noun; }
std::string_view DomainOf(OperationKind kind) { return NamesOf(kind).domain; }

std::string_view NameOf(SourceStatus status) {
  const auto at = static_cast<size_t>(status);
  STEMEDB_CHECK(at < std::size(kSourceStatusNames));
  return kSourceStatusNames[at];
}

std::optional<SourceStatus> SourceStatusOf(std::string_view name) {
  for (size_t i = 0; i < std::size(kSourceStatusNames); ++i) {
    if (kSourceStatusNames[i] == name) return static_cast<SourceStatus>(i);
  }
  return {};
}

std::vector<Subject> SubjectsOf(const Operation& operation) {
  const Operation& o = operation;
  switch (o.kind) {
    case OperationKind::kVote:
      return {AboutId(SubjectKind::kVotesOn, *o.assertion_id)};
    case OperationKind::kSupersession:
      return {AssertionOf(o), AboutId(SubjectKind::kReplacement, o.other_id)};
    case OperationKind::kRetraction:
      return {RetractedBy(o)};
    case OperationKind::kEpoch:
      if (o.other_name.empty()) return {{SubjectKind::kEpoch, o.name}};
      return {{SubjectKind::kEpoch, o.name}, {SubjectKind::kOldEpoch, o.other_name}};
    case OperationKind::kSource:
    case OperationKind::kSourceStatus:
      return {{SubjectKind::kSource, o.name}};
    case OperationKind::kAlias:
      return {{SubjectKind::kAlias, o.path}, {SubjectKind::kAliasTarget, o.other_name}};
    case OperationKind::kTrust:
      return {AboutId(SubjectKind::kAgent, o.other_id)};
  }
  STEMEDB_CHECK(false);  // no such kind
  return {};
}

void AppendCanonicalJson(std::string& out, const Operation& operation) {
  CanonicalWriter(out, operation).Write();
}

Hash256 IdOf(OperationKind kind, std::string_view canonical_json) {
  static thread_local crypto::Sha256 hasher;
  return hasher.Update(DomainOf(kind)).Update(canonical_json).Finish();
}

Status VerifySignatures(const Operation& operation, std::string_view canonical_json) {
  return VerifySigners(operation.signatures, NounOf(operation.kind), DomainOf(operation.kind),
                       canonical_json);
}

}  // namespace stemedb::model
