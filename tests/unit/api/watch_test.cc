// SPDX-License-Identifier: Apache-2.0
// GET /v1/watch over a real store and real sockets, and the parts that it is made of.
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "api/watch_events.h"
#include "api/watch_hub.h"
#include "api/watch_index.h"
#include "api_fixture.h"
#include "telemetry/stopwatch.h"

namespace stemedb::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// The best claim's value; nothing else changes.
const script::ScriptFile kSurest{"surest.lua", R"lua(
return { kind = "lens", api = 1, name = "surest", version = "1", description = "d",
  resolve = function(ctx, candidates)
    local best = 1
    for i = 1, #candidates do
      if candidates[i].confidence > candidates[best].confidence then best = i end
    end
    return { winner = best, confidence = 0.5, conflict_score = 0, status = "unanimous" }
  end })lua"};

struct Event {
  std::string id, name, data;
};

// One who watches. Every wait is bounded by ten seconds.
class Watching {
 public:
  Watching(uint16_t port, const std::string& query, const std::string& fields = "")
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const std::string bytes = Get("/v1/watch?" + query, fields);
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    while (raw_.find("\r\n\r\n") == std::string::npos && Fill()) {
    }
    raw_.erase(0, raw_.find("\r\n\r\n") + 4);
  }
  ~Watching() { close(fd_); }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  // The next event; without a name when the stream or patience has ended.
  Event Next() {
    for (;;) {
      const size_t end = text_.find("\n\n");
      if (end == std::string::npos) {
        if (!NextChunk()) return {};
        continue;
      }
      const Event event = Read(text_.substr(0, end + 1));
      text_.erase(0, end + 2);
      if (!event.name.empty()) return event;  // else a comment
    }
  }
  // The ids and names of the next `count`.
  std::vector<std::string> Next(int count) {
    std::vector<std::string> events;
    for (int i = 0; i < count; ++i) {
      const Event event = Next();
      events.push_back(event.id + " " + event.name);
    }
    return events;
  }

 private:
  static Event Read(const std::string& text) {
    Event event;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      if (line.starts_with("id: ")) event.id = line.substr(4);
      if (line.starts_with("event: ")) event.name = line.substr(7);
      if (line.starts_with("data: ")) event.data = line.substr(6);
      at = end + 1;
    }
    return event;
  }
  bool NextChunk() {
    size_t line = 0;
    while ((line = raw_.find("\r\n")) == std::string::npos)
      if (!Fill()) return false;
    const size_t size = std::strtoul(raw_.c_str(), nullptr, 16);
    while (raw_.size() < line + 2 + size + 2)
      if (!Fill()) return false;
    text_.append(raw_, line + 2, size);
    raw_.erase(0, line + 2 + size + 2);
    return size > 0;
  }
  bool Fill() {
    char bytes[16384];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got > 0) raw_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }

  int fd_;
  std::string raw_, text_;
};

class Watch : public ApiTest {
 protected:
  void SetUp() override { Open(); }
  void Start() { Serve({kSurest}); }
  void SayAt(const std::string& path, double number, double confidence = 0.8) {
    model::Assertion claim = Claim(path, "p", Number(number));
    claim.confidence = confidence;
    ASSERT_TRUE(Say(claim).status.ok());
  }
};

TEST_F(Watch, GetsWhatComesInAtItsPathAndNothingElse) {
  SayAt("a", 1);
  Start();
  Watching exact(port(), "concept_path=a/b"), below(port(), "concept_path=a/*"),
      all(port(), "concept_path=*");
  Watching other(port(), "concept_path=a/b&predicate=q");
  EXPECT_THAT(exact.Next(1), ElementsAre("1 hello"));
  EXPECT_THAT(below.Next(1), ElementsAre("1 hello"));
  EXPECT_EQ(all.Next().data, "{\"sequence\":1}");
  EXPECT_THAT(other.Next(1), ElementsAre("1 hello"));
  SayAt("a/b", 2);
  SayAt("a", 3);
  SayAt("a/c", 4);
  ASSERT_TRUE(Say(Claim("a/b", "q", Number(5))).status.ok());
  EXPECT_THAT(exact.Next(2), ElementsAre("2 assertion", "5 assertion"));
  EXPECT_THAT(below.Next(3), ElementsAre("2 assertion", "4 assertion", "5 assertion"));
  EXPECT_THAT(all.Next(4), ElementsAre("2 assertion", "3 assertion", "4 assertion", "5 assertion"));
  const Event event = other.Next();
  EXPECT_EQ(event.id, "5");
  EXPECT_THAT(event.data, HasSubstr("\"concept_path\":\"a/b\""));
  EXPECT_THAT(event.data, HasSubstr("\"status\":\"active\""));
}

TEST_F(Watch, GetsOperationsThatNameWhatItWatches) {
  SayAt("a/b", 1);
  SayAt("c", 2);
  Start();
  Watching watching(port(), "concept_path=a/b"), all(port(), "concept_path=*");
  EXPECT_THAT(watching.Next(1), ElementsAre("2 hello"));
  EXPECT_THAT(all.Next(1), ElementsAre("2 hello"));
  ASSERT_TRUE(Say(Vote(Prepare(Claim("c", "p", Number(2))).id, 0.5)).status.ok());
  ASSERT_TRUE(Say(Vote(Prepare(Claim("a/b", "p", Number(1))).id, 0.5)).status.ok());
  ASSERT_TRUE(Say(RetractionBelow("a")).status.ok());
  ASSERT_TRUE(Say(RetractionFrom("nobody")).status.ok());
  ASSERT_TRUE(Say(Alias("A", "a/b")).status.ok());
  SayAt("A", 3);  // stands for a/b now
  EXPECT_THAT(watching.Next(4), ElementsAre("4 operation", "5 operation", "7 operation", "8 assertion"));
  EXPECT_THAT(all.Next(6), ElementsAre("3 operation", "4 operation", "5 operation", "6 operation",
                                       "7 operation", "8 assertion"));
}

TEST_F(Watch, ResumesBehindTheLastEventThatWasSeen) {
  for (int i = 1; i <= 600; ++i) SayAt(i % 2 == 0 ? "even" : "odd", i);
  Start();
  Watching watching(port(), "concept_path=even", "Last-Event-ID: 10\r\n");
  EXPECT_THAT(watching.Next(1), ElementsAre("10 hello"));
  SayAt("even", 601);
  for (int i = 12; i <= 600; i += 2) ASSERT_EQ(watching.Next().id, std::to_string(i));
  EXPECT_EQ(watching.Next().id, "601");
}

TEST_F(Watch, RefusesBeforeItBegins) {
  SayAt("a", 1);
  Start();
  Peer peer(port());
  const auto status_of = [&](const std::string& query, const std::string& fields = "") {
    return peer.Ask(Get("/v1/watch" + query, fields)).status;
  };
  EXPECT_EQ(status_of(""), 400);
  EXPECT_EQ(status_of("?concept_path=/"), 400);
  EXPECT_EQ(status_of("?concept_path=a&limit=5"), 400);
  EXPECT_EQ(status_of("?concept_path=a&lens=none"), 404);
  EXPECT_EQ(status_of("?concept_path=a&lens=surest&params.none=1"), 400);
  EXPECT_EQ(status_of("?concept_path=a", "Last-Event-ID: 2\r\n"), 400);
  const Answer answer = peer.Ask(Get("/v1/watch?concept_path=a", "Last-Event-ID: one\r\n"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("\"pointer\":\"Last-Event-ID\""));
}

TEST_F(Watch, TellsAResolutionWhenItHasChangedAndOnlyThen) {
  SayAt("a", 1, 0.5);
  Start();
  Watching watching(port(), "concept_path=a&lens=surest");
  EXPECT_THAT(watching.Next(2), ElementsAre("1 hello", "1 resolution"));
  SayAt("a", 2, 0.4);  // changes nothing
  EXPECT_THAT(watching.Next(1), ElementsAre("2 assertion"));
  SayAt("a", 3, 0.9);
  EXPECT_THAT(watching.Next(1), ElementsAre("3 assertion"));
  Event event = watching.Next();
  EXPECT_EQ(event.id + event.name, "3resolution");
  EXPECT_THAT(event.data, HasSubstr("\"value\":3"));
  EXPECT_THAT(event.data, HasSubstr("\"lens\":{\"name\":\"surest\""));
  ASSERT_TRUE(Say(RetractionAt("a")).status.ok());
  EXPECT_THAT(watching.Next(1), ElementsAre("4 operation"));
  event = watching.Next();
  EXPECT_EQ(event.id + event.name, "4resolution");
  EXPECT_THAT(event.data, HasSubstr("\"resolution\":null"));
  SayAt("a", 4);
  EXPECT_THAT(watching.Next(2), ElementsAre("5 assertion", "5 resolution"));
}

// A rank is nobody's path: only what a lens makes of it is told, and to those who watch everything the
// operation itself.
TEST_F(Watch, TellsAResolutionThatTrustInAnAgentHasChanged) {
  script::ScriptFile trusting = kSurest;
  trusting.name = "trusting.lua";
  const auto replace_all = [&](const std::string& old_text, const std::string& new_text) {
    for (size_t at = 0; (at = trusting.text.find(old_text, at)) != std::string::npos; at += new_text.size())
      trusting.text.replace(at, old_text.size(), new_text);
  };
  replace_all("surest", "trusting");
  replace_all(".confidence", ".trust");
  for (const uint8_t agent : {uint8_t{1}, uint8_t{2}}) {
    model::Assertion claim = Claim("a", "p", Number(agent));
    claim.agent_id = Agent(agent);
    ASSERT_TRUE(Say(claim).status.ok());
  }
  ASSERT_TRUE(Say(Trust(1, 0.75)).status.ok());
  Serve({trusting});
  Watching watching(port(), "concept_path=a&lens=trusting"), plain(port(), "concept_path=a"),
      all(port(), "concept_path=*");
  EXPECT_THAT(watching.Next(1), ElementsAre("3 hello"));
  EXPECT_THAT(watching.Next().data, HasSubstr("\"value\":1"));
  EXPECT_THAT(plain.Next(1), ElementsAre("3 hello"));
  EXPECT_THAT(all.Next(1), ElementsAre("3 hello"));
  ASSERT_TRUE(Say(Trust(2, 0.9)).status.ok());
  const Event event = watching.Next();
  EXPECT_EQ(event.id + event.name, "4resolution");
  EXPECT_THAT(event.data, HasSubstr("\"value\":2"));
  EXPECT_THAT(all.Next(1), ElementsAre("4 operation"));
  SayAt("a", 3);
  EXPECT_THAT(plain.Next(1), ElementsAre("5 assertion"));
}

// What is retracted then stands elsewhere, so nothing at the watched path tells of it.
TEST_F(Watch, TellsThatAClaimIsGoneWhenWhatItRestsOnComesLaterAndIsRetractedAlready) {
  model::Assertion of_source = Claim("elsewhere", "p", Number(1));
  of_source.source = model::Source{"s", {}, "", ""};
  const model::Assertion top = Claim("elsewhere", "p", Number(2));
  model::Assertion resting = Claim("elsewhere", "p", Number(3));
  resting.derived_from = {Prepare(top).id};
  const auto below = [](const std::string& path, const model::Assertion& above) {
    model::Assertion claim = Claim(path, "p", Number(4));
    claim.derived_from = {Prepare(above).id};
    return claim;
  };
  ASSERT_TRUE(Say(below("a", of_source)).status.ok());
  ASSERT_TRUE(Say(below("b", resting)).status.ok());
  ASSERT_TRUE(Say(top).status.ok());
  ASSERT_TRUE(Say(RetractionFrom("s", Cascade::kYes)).status.ok());
  ASSERT_TRUE(Say(RetractionOf(Prepare(top).id, Cascade::kYes)).status.ok());
  Start();
  Watching first(port(), "concept_path=a&lens=surest"), second(port(), "concept_path=b&lens=surest");
  EXPECT_THAT(first.Next(2), ElementsAre("5 hello", "5 resolution"));
  EXPECT_THAT(second.Next(2), ElementsAre("5 hello", "5 resolution"));
  ASSERT_TRUE(Say(of_source).status.ok());
  Event event = first.Next();
  EXPECT_EQ(event.id + event.name, "6resolution");
  EXPECT_THAT(event.data, HasSubstr("\"resolution\":null"));
  ASSERT_TRUE(Say(resting).status.ok());
  event = second.Next();
  EXPECT_EQ(event.id + event.name, "7resolution");
  EXPECT_THAT(event.data, HasSubstr("\"resolution\":null"));
}

TEST_F(Watch, IsToldNoStatusOfAClaimWhoseLineageIsTooLongToFindItOut) {
  constexpr int kLength = 2'100;
  std::vector<store::PreparedRecord> chain;
  model::Assertion claim = Claim("elsewhere", "p", Number(0));
  for (int i = 1; i <= kLength; ++i) {
    chain.push_back(Prepare(claim));
    claim = Claim("elsewhere", "p", Number(i));
    claim.derived_from = {chain.back().id};
    if (chain.size() < 700) continue;
    const Hash256 last = chain.back().id;
    ASSERT_TRUE(Write(*store_, std::move(chain)).status.ok());
    chain.clear();
    claim.derived_from = {last};
  }
  ASSERT_TRUE(Say(RetractionFrom("nobody", Cascade::kYes)).status.ok());
  Start();
  Watching watching(port(), "concept_path=a");
  EXPECT_EQ(watching.Next().name, "hello");
  claim.concept_path = "a";
  ASSERT_TRUE(Say(claim).status.ok());
  const Event event = watching.Next();
  EXPECT_EQ(event.name, "assertion");
  EXPECT_THAT(event.data, ::testing::Not(HasSubstr("\"status\"")));
  SayAt("a", 3);
  EXPECT_THAT(watching.Next().data, HasSubstr("\"status\":\"active\""));
}

TEST_F(Watch, IsToldWhenANewVersionOfALensJudgesOtherwiseThoughNothingCameIn) {
  SayAt("a", 1, 0.5);
  SayAt("a", 2, 0.9);
  SayAt("b", 3, 0.5);
  Start();
  Watching changed(port(), "concept_path=a&lens=surest"), same(port(), "concept_path=b&lens=surest");
  EXPECT_THAT(changed.Next(1), ElementsAre("3 hello"));
  EXPECT_THAT(changed.Next().data, HasSubstr("\"value\":2"));
  EXPECT_THAT(same.Next(2), ElementsAre("3 hello", "3 resolution"));
  script::ScriptFile least = kSurest;
  least.text.replace(least.text.find("confidence > "), 13, "confidence < ");
  WriteAll("lenses", {least});
  const auto report = deployer_->deployment().Reload("surest", deploy::Accept::kYes, {});
  ASSERT_TRUE(report) << report.error().message();
  ASSERT_EQ(report->outcome, deploy::Outcome::kOk) << report->why.message();
  const Event event = changed.Next();
  EXPECT_EQ(event.id + event.name, "3resolution");
  EXPECT_THAT(event.data, HasSubstr("\"value\":1"));
  EXPECT_THAT(event.data, HasSubstr("\"generation\":2"));
  SayAt("b", 4, 0.6);
  EXPECT_THAT(same.Next(1), ElementsAre("4 assertion")) << "its resolution had not changed";
}

TEST_F(Watch, IsCountedAsLongAsItLasts) {
  Start();
  const auto& watchers = metrics_.domain().watchers;
  EXPECT_EQ(watchers.Value(), 0);
  {
    Watching one(port(), "concept_path=a"), two(port(), "concept_path=b");
    EXPECT_THAT(one.Next(1), ElementsAre("0 hello"));
    EXPECT_THAT(two.Next(1), ElementsAre("0 hello"));
    EXPECT_EQ(watchers.Value(), 2);
  }
  const telemetry::Stopwatch patience;
  while (watchers.Value() > 0 && patience.Seconds() < 30)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(watchers.Value(), 0);
}

// Who watches has paid once: a busy concept is not to be asked about at every claim.
TEST_F(Watch, AsksItsLensTenTimesASecondAtMostAndTellsTheLastChange) {
  constexpr int kClaims = 300;
  SayAt("a", 0, 0.1);
  Start();
  Watching watching(port(), "concept_path=a&lens=surest");
  EXPECT_THAT(watching.Next(2), ElementsAre("1 hello", "1 resolution"));
  const auto& asked = metrics_.Query("watch").queries;
  const double asked_before = asked.Value();
  const telemetry::Stopwatch stopwatch;
  for (int i = 1; i <= kClaims; ++i) SayAt("a", i, 0.1 + i * 0.001);  // each is surer than the one before
  Event last, event;
  int records = 0;
  while (!(event = watching.Next()).name.empty()) {
    if (event.name == "assertion") ++records;
    if (event.name == "resolution") last = event;
    if (last.id == std::to_string(kClaims + 1)) break;
  }
  EXPECT_EQ(records, kClaims);
  EXPECT_EQ(last.id, std::to_string(kClaims + 1));
  EXPECT_THAT(last.data, HasSubstr("\"value\":" + std::to_string(kClaims) + ","));
  EXPECT_LE(asked.Value() - asked_before, stopwatch.Seconds() * 10 + 1);
}

TEST_F(Watch, EndsWhenWhatItsLensHasToJudgeIsTooMuch) {
  std::vector<model::Assertion> claims;
  for (size_t i = 0; i <= api::WatchHub::kPairsMax; ++i)
    claims.push_back(Claim("wide/" + std::to_string(i), "p", Number(1)));
  ASSERT_TRUE(Write(*store_, PrepareAll(claims)).status.ok());
  Start();
  Watching watching(port(), "concept_path=wide/*&lens=surest");
  EXPECT_EQ(watching.Next().name, "hello");
  const Event event = watching.Next();
  EXPECT_EQ(event.name, "failure");
  EXPECT_THAT(event.data, HasSubstr("\"code\":\"too_many_pairs\""));
  EXPECT_EQ(watching.Next().name, "") << "the stream has ended";
}

TEST_F(Watch, TakesOnlySoManyFromOneAddress) {
  SayAt("a", 1);
  Start();
  const auto from = [](const char* address) { return "X-Forwarded-For: " + std::string(address) + "\r\n"; };
  std::vector<std::unique_ptr<Watching>> watching;
  for (size_t i = 0; i < api::WatchHub::kWatchersOfAddressMax; ++i) {
    watching.push_back(std::make_unique<Watching>(port(), "concept_path=a", from("192.0.2.1")));
    ASSERT_EQ(watching.back()->Next().name, "hello") << i;
  }
  const std::string one_more = Get("/v1/watch?concept_path=a", from("192.0.2.1"));
  const Answer refused = Peer(port()).Ask(one_more);
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("from this address"));
  Watching other(port(), "concept_path=a", from("192.0.2.2")), local(port(), "concept_path=a");
  EXPECT_EQ(other.Next().name, "hello");
  EXPECT_EQ(local.Next().name, "hello");
}

TEST_F(Watch, EndsProperlyWhenTheServerStops) {
  Start();
  Watching watching(port(), "concept_path=a");
  EXPECT_THAT(watching.Next(1), ElementsAre("0 hello"));
  server_->Drain();
  EXPECT_EQ(watching.Next().name, "");
}

TEST(WatchIndex, FindsEachOnceByPathAndFromAbove) {
  api::Watched exact{.scope = {{"a/b", "A"}, false, ""}}, below{.scope = {{"a"}, true, ""}},
      all{.scope = {{""}, true, ""}}, predicate{.scope = {{"a/b"}, false, "q"}};
  api::WatchIndex index;
  for (api::Watched* watched : {&exact, &below, &all, &predicate}) index.Add(watched);
  std::vector<api::Watched*> found;
  const auto find = [&](std::vector<query::Place> places) {
    index.Find(places, found);
    return found;
  };
  EXPECT_THAT(find({{"a/b", "p"}}), UnorderedElementsAre(&exact, &below, &all));
  EXPECT_THAT(find({{"a/b", "q"}, {"A", ""}}), UnorderedElementsAre(&exact, &below, &all, &predicate));
  EXPECT_THAT(find({{"a", "p"}}), UnorderedElementsAre(&all));
  EXPECT_THAT(find({{"a/b/c", "p"}}), UnorderedElementsAre(&below, &all));
  EXPECT_THAT(find({{"a", "", true}}), UnorderedElementsAre(&exact, &below, &all, &predicate));
  EXPECT_THAT(find({{"a/x", "", true}}), UnorderedElementsAre(&below, &all));
  EXPECT_THAT(find({{"", "", true}}), UnorderedElementsAre(&exact, &below, &all, &predicate));
  EXPECT_THAT(find({}), UnorderedElementsAre(&all));
  for (api::Watched* watched : {&exact, &below, &all, &predicate}) index.Remove(watched);
  EXPECT_THAT(find({{"a/b", "p"}}), IsEmpty());
}

TEST(ResolutionChanges, AreSentOneByOneAsFarAsThereIsRoom) {
  const std::string answer =
      R"({"concept_path":"a/*","lens":{"name":"l"},"assertions":[],"resolutions":[)"
      R"({"concept_path":"a/b","predicate":"p\"]}","winner":"1","value":"}{","confidence":1,"status":"s","n":[{}]},)"
      R"({"concept_path":"a/c","predicate":"p","winner":null,"value":null,"confidence":0,"status":"none"}],)"
      R"("as_of":{"sequence":7}})";
  simdjson::dom::parser parser;
  const api::ResolutionChanges changes(parser, answer);
  ASSERT_EQ(changes.pairs(), 2u);
  api::Told told{{std::string("a/d\0p", 5), Hash256{}}};
  std::vector<std::string> events;
  const auto send_one = [&](std::string_view event) {
    events.emplace_back(event);
    return false;
  };
  EXPECT_FALSE(changes.Tell(told, 7, send_one));
  EXPECT_FALSE(changes.Tell(told, 7, send_one));
  EXPECT_FALSE(changes.Tell(told, 7, send_one));
  EXPECT_TRUE(changes.Tell(told, 7, send_one));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_THAT(events[0], HasSubstr(R"("concept_path":"a/d","predicate":"p")"));
  EXPECT_THAT(events[0], HasSubstr(R"("resolution":null})"));
  EXPECT_THAT(events[1], HasSubstr(R"("value":"}{","confidence":1,"status":"s","n":[{}]}})"));
  EXPECT_THAT(events[2], HasSubstr(R"("concept_path":"a/c")"));
}

// 256 watchers of 250 pairs, with values of 64 KiB, would keep 4 GiB.
static_assert(sizeof(api::Told::mapped_type) == 32 && std::is_trivially_copyable_v<api::Told::mapped_type>,
              "what is kept of a pair as long as somebody watches doesn't grow with its value");

TEST(ResolutionChanges, AnyOtherStateIsToldAndTheSameOneIsNotHoweverLargeTheValue) {
  api::Told told;
  simdjson::dom::parser parser;
  const auto told_of = [&](const std::string& winner, const std::string& value, const std::string& confidence,
                           const std::string& status, const std::string& explain) {
    const std::string answer = R"({"lens":{"name":"l"},"resolutions":[{"concept_path":"a","predicate":"p",)"
                               R"("winner":)" +
                               winner + R"(,"value":)" + value + R"(,"confidence":)" + confidence +
                               R"(,"status":")" + status + R"(","explain":")" + explain +
                               R"("}],"as_of":{}})";
    int events = 0;
    EXPECT_TRUE(api::ResolutionChanges(parser, answer).Tell(told, 7, [&](std::string_view) {
      ++events;
      return true;
    }));
    return events;
  };
  const std::string large = std::string(64 * 1024 - 1, 'x');
  const std::string one = '"' + large + "1\"", other = '"' + large + "2\"";
  EXPECT_EQ(told_of("\"w\"", one, "0.5", "s", "e"), 1);
  EXPECT_EQ(told_of("\"w\"", one, "0.5", "s", "e"), 0);
  EXPECT_EQ(told_of("\"w\"", one, "0.5", "s", "in other words"), 0);
  EXPECT_EQ(told_of("\"w\"", other, "0.5", "s", "e"), 1);
  EXPECT_EQ(told_of("\"v\"", other, "0.5", "s", "e"), 1);
  EXPECT_EQ(told_of("\"v\"", other, "0.25", "s", "e"), 1);
  EXPECT_EQ(told_of("\"v\"", other, "0.25", "t", "e"), 1);
  EXPECT_EQ(told_of("\"v\"", other, "0.25", "t", "e"), 0);
  EXPECT_EQ(told_of("null", "null", "0", "none", "e"), 1);
}

}  // namespace
}  // namespace stemedb::testing
