// SPDX-License-Identifier: Apache-2.0
#include "load_claims.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "base/time.h"

namespace stemedb::bench {
namespace {

constexpr std::string_view kDomain = "stemedb/assertion/v1\n";
constexpr double kConceptFlatness = 10;  // q of the law: the most popular concept has some 0.8 % of 10^6
constexpr double kAgentFlatness = 5;
constexpr int64_t kFirstMs = 1'577'836'800'000;                 // 2020-01-01
constexpr int64_t kYearsMs = int64_t{6} * 365 * 86'400 * 1000;  // claims are made in this time

constexpr std::array<std::string_view, 12> kDomains = {"medicine", "genes",      "companies", "cities",
                                                       "species",  "materials",  "software",  "languages",
                                                       "rivers",   "satellites", "laws",      "food"};
constexpr uint64_t kGroups = 40;  // of each domain, whatever the size: what lies below them grows
constexpr std::array<std::string_view, 6> kAspects = {"effects", "origin",    "status", "measurements/latest",
                                                      "risks",   "usage/2024"};

enum class Kind { kNumber, kText, kBoolean };
struct Predicate {
  std::string_view name;
  Kind kind;
};
constexpr std::array<Predicate, 6> kPredicates = {{{"measured_value", Kind::kNumber},
                                                   {"classified_as", Kind::kText},
                                                   {"is_confirmed", Kind::kBoolean},
                                                   {"incidence_rate", Kind::kNumber},
                                                   {"first_described_by", Kind::kText},
                                                   {"recommended_for", Kind::kText}}};
constexpr Predicate kProbePredicate = {"pred", Kind::kText};  // as in query.lua

// How often claims come from each class of source, in percent.
struct ClassShare {
  std::string_view name;
  uint64_t percent;
};
constexpr std::array<ClassShare, 6> kClasses = {{{"anecdotal", 30},
                                                 {"community", 25},
                                                 {"observational", 20},
                                                 {"expert", 12},
                                                 {"clinical", 10},
                                                 {"regulatory", 3}}};

uint64_t Mix(uint64_t x) {  // the finalizer of splitmix64 (S. Vigna, public domain)
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class Dice {
 public:
  explicit Dice(uint64_t state) : state_(state) {}
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t Next() { return state_ = Mix(state_); }
  uint64_t state_;
};

// A rank below `count` by the law P(k) ~ 1/(k + flatness), from the inverse of its integral.
uint64_t SkewedRank(Dice& dice, uint64_t count, double flatness) {
  const double span = (static_cast<double>(count) + flatness) / flatness;
  const auto rank = static_cast<uint64_t>(flatness * std::pow(span, dice.Unit()) - flatness);
  return std::min(rank, count - 1);
}

std::string_view ClassFor(uint64_t percent) {
  for (const ClassShare& share : kClasses) {
    if (percent < share.percent) return share.name;
    percent -= share.percent;
  }
  return kClasses.front().name;
}

std::string ConceptPath(uint64_t id) {
  std::string path(kDomains[id % kDomains.size()]);
  const uint64_t item = id / kDomains.size();
  path.append("/group-").append(std::to_string(item % kGroups)).append("/item-").append(std::to_string(item));
  if (item % 3 != 0) path.append("/").append(kAspects[item % kAspects.size()]);
  return path;
}

// Thousandths as ECMAScript writes them: 850 is 0.85.
std::string Thousandths(uint64_t value) {
  std::string text = std::to_string(value / 1000);
  if (value % 1000 == 0) return text;
  char fraction[8];
  std::snprintf(fraction, sizeof fraction, ".%03u", static_cast<unsigned>(value % 1000));
  text += fraction;
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

// The value that variant `variant` of those who speak about `pair` holds; 0 is the majority's.
std::string ValueOf(Kind kind, uint64_t pair, uint64_t variant) {
  switch (kind) {
    case Kind::kNumber:
      return Thousandths(pair % 900'000 + variant * (1 + pair % 13));
    case Kind::kBoolean:
      return (pair + variant) % 2 == 0 ? "true" : "false";
    case Kind::kText:
      break;
  }
  return "\"the " + std::to_string((pair + variant * 7919) % 100'000) + "th kind\"";
}

// What a pair (concept, predicate) is like: how many of its claims agree, and how many values the rest hold.
std::string ValueFor(Dice& dice, Kind kind, uint64_t pair) {
  const uint64_t agree_percent = 55 + pair % 40;
  const uint64_t others = 1 + pair % 4;
  return ValueOf(kind, pair, dice.Below(100) < agree_percent ? 0 : 1 + dice.Below(others));
}

std::string Hex(const unsigned char* bytes, size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

[[noreturn]] void OpensslFailed(const char* call) {
  std::fprintf(stderr, "bench_load_generator: OpenSSL's %s failed\n", call);
  std::exit(1);
}

}  // namespace

World::World(const LoadOptions& options) : options_(options) {
  spread_paths_ = options_.claims * options_.spread_percent / 100 / kCandidates;
  options_.claims = std::max(options_.claims, (options_.probe_paths + spread_paths_) * kCandidates);
  if (options_.concepts == 0) options_.concepts = std::max<uint64_t>(1, options_.claims / 10);
  scramble_ = 2'654'435'761 % options_.concepts | 1;
  while (std::gcd(scramble_, options_.concepts) != 1) scramble_ += 2;
  agents_.reserve(options_.agents);
  for (uint64_t i = 0; i < options_.agents; ++i) agents_.push_back(MakeAgent(i));
}

World::Agent World::MakeAgent(uint64_t number) const {
  std::array<unsigned char, 32> seed{};
  for (size_t i = 0; i < 4; ++i) {
    const uint64_t word = Mix(options_.seed * 0x100000001 + number * 4 + i);
    std::copy_n(reinterpret_cast<const unsigned char*>(&word), sizeof word, seed.begin() + i * sizeof word);
  }
  Agent agent;
  agent.key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  std::array<unsigned char, 32> id{};
  size_t size = id.size();
  if (!agent.key || EVP_PKEY_get_raw_public_key(agent.key.get(), id.data(), &size) != 1) {
    OpensslFailed("key");
  }
  agent.id = Hex(id.data(), size);
  return agent;
}

std::string World::Sign(const Agent& agent, std::string_view canonical) const {
  const std::string message = std::string(kDomain).append(canonical);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::array<unsigned char, 64> signature{};
  size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, agent.key.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size,
                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) != 1) {
    OpensslFailed("signature");
  }
  return Hex(signature.data(), size);
}

bool World::AppendClaim(uint64_t number, std::string& out) const {
  Dice dice(Mix(options_.seed ^ 0x5eed) + number);
  const uint64_t paths = options_.probe_paths + spread_paths_;
  // Probes' claims so far, were they dealt out evenly; claim `number` is one when the next claim has one
  // more.
  const auto dealt = [&](uint64_t at) { return at * paths * kCandidates / options_.claims; };
  std::string path;
  Predicate predicate = kProbePredicate;
  uint64_t pair = 0;
  if (const uint64_t turn = dealt(number); paths > 0 && dealt(number + 1) > turn) {
    const uint64_t probe = turn % paths;  // path after path, twenty times
    path = probe < options_.probe_paths ? "probe/" + std::to_string(probe + 1)
                                        : "spread/" + std::to_string(probe - options_.probe_paths + 1);
    pair = Mix(probe);
  } else {
    const uint64_t id = SkewedRank(dice, options_.concepts, kConceptFlatness) * scramble_ % options_.concepts;
    const uint64_t which =
        id + std::min(dice.Below(4), dice.Below(4));  // a concept has its own few predicates
    path = ConceptPath(id);
    predicate = kPredicates[which % kPredicates.size()];
    pair = Mix(id * kPredicates.size() + which % kPredicates.size());
  }

  const uint64_t agent = SkewedRank(dice, options_.agents, kAgentFlatness);
  const bool is_signed = dice.Below(100) < options_.signed_percent;
  const size_t begin = out.size();
  out += '{';
  if (is_signed) out.append(R"("agent_id":")").append(agents_[agent].id).append(R"(",)");
  out.append(R"("concept_path":")").append(path);
  out.append(R"(","confidence":)").append(Thousandths(500 + dice.Below(100) * 5));
  out.append(R"(,"predicate":")").append(predicate.name);
  out.append(R"(","source":{"class":")").append(ClassFor(dice.Below(100)));
  out.append(R"(","id":"source-)").append(std::to_string(agent));
  const auto at = kFirstMs + static_cast<int64_t>(dice.Unit() * static_cast<double>(kYearsMs));
  out.append(R"("},"timestamp":")").append(FormatTime(at));
  out.append(R"(","value":)").append(ValueFor(dice, predicate.kind, pair)).append("}");
  if (is_signed) {
    const std::string signature = Sign(agents_[agent], std::string_view(out).substr(begin));
    out.pop_back();
    out.append(R"(,"signature":")").append(signature).append("\"}");
  }
  out += '\n';
  return is_signed;
}

}  // namespace stemedb::bench
