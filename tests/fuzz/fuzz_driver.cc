// SPDX-License-Identifier: Apache-2.0
// A main() for fuzz targets where libFuzzer is not at hand: runs every file of a corpus directory, then a
// number of mutations of them, chosen by a seed. The same arguments run the same inputs, so that a failure
// can be repeated:
//   wal_reader_fuzz --corpus=DIR --mutations=N --seed=S      (the seed also by STEMEDB_FUZZ_SEED; default 1)
//   wal_reader_fuzz FILE...            runs just these
// Before each mutation the input is kept in memory; a crash handler writes it to fuzz-crash-SEED-N.bin.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kInputBytesMax = 64 * 1024;

struct Options {
  std::string corpus;
  uint64_t mutations = 10'000;
  uint64_t seed = 1;
  std::vector<std::string> files;
};

// What the crash handler may touch: set before every run.
Bytes current_input;
char crash_path[128];

void KeepInput(int signal) {
  const int fd = ::open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd >= 0) {
    [[maybe_unused]] const ssize_t wrote = ::write(fd, current_input.data(), current_input.size());
    ::close(fd);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

Options Parse(int argc, char** argv) {
  Options options;
  if (const char* seed = std::getenv("STEMEDB_FUZZ_SEED")) options.seed = std::strtoull(seed, nullptr, 10);
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    if (text.starts_with("--corpus="))
      options.corpus = text.substr(9);
    else if (text.starts_with("--mutations="))
      options.mutations = std::strtoull(argv[i] + 12, nullptr, 10);
    else if (text.starts_with("--seed="))
      options.seed = std::strtoull(argv[i] + 7, nullptr, 10);
    else
      options.files.emplace_back(text);
  }
  return options;
}

Bytes Load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Run(Bytes input, uint64_t seed, uint64_t number) {
  std::snprintf(crash_path, sizeof crash_path, "fuzz-crash-%llu-%llu.bin",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(number));
  current_input = std::move(input);
  LLVMFuzzerTestOneInput(current_input.data(), current_input.size());
}

void MutateOnce(Bytes& bytes, const Bytes& other, std::mt19937_64& random) {
  const auto at = [&](size_t size) { return static_cast<ptrdiff_t>(size == 0 ? 0 : random() % size); };
  const auto value = static_cast<uint8_t>(random());
  switch (random() % 7) {
    case 0:  // flip a bit
      if (!bytes.empty())
        bytes[static_cast<size_t>(at(bytes.size()))] ^= static_cast<uint8_t>(1u << random() % 8);
      break;
    case 1:  // set a byte, often to an edge
      if (!bytes.empty())
        bytes[static_cast<size_t>(at(bytes.size()))] = random() % 2 ? value : (random() % 2 ? 0xff : 0);
      break;
    case 2:  // insert
      bytes.insert(bytes.begin() + at(bytes.size() + 1), 1 + random() % 16, value);
      break;
    case 3:  // erase
      if (!bytes.empty()) {
        const auto from = at(bytes.size());
        const auto room = static_cast<uint64_t>(static_cast<ptrdiff_t>(bytes.size()) - from);
        bytes.erase(
            bytes.begin() + from,
            bytes.begin() + from + static_cast<ptrdiff_t>(1 + random() % std::min<uint64_t>(room, 64)));
      }
      break;
    case 4:  // cut
      bytes.resize(static_cast<size_t>(at(bytes.size() + 1)));
      break;
    case 5:  // overwrite a piece with one of another input
      for (size_t i = static_cast<size_t>(at(bytes.size())), end = i + random() % 64;
           i < std::min(end, bytes.size()); ++i) {
        bytes[i] = i < other.size() ? other[i] : value;
      }
      break;
    default:  // append a piece of another input
      if (!other.empty()) bytes.insert(bytes.end(), other.begin() + at(other.size()), other.end());
  }
  if (bytes.size() > kInputBytesMax) bytes.resize(kInputBytesMax);
}

std::vector<Bytes> LoadCorpus(const std::string& dir) {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(dir, ignored))
    paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus{Bytes{}};
  for (const std::string& path : paths) corpus.push_back(Load(path));
  return corpus;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) std::signal(signal, KeepInput);
  for (const std::string& path : options.files) Run(Load(path), 0, 0);
  if (!options.files.empty()) return 0;

  std::printf("seed %llu (STEMEDB_FUZZ_SEED or --seed sets another)\n",
              static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
  std::mt19937_64 random(options.seed);
  const std::vector<Bytes> corpus = LoadCorpus(options.corpus);
  uint64_t number = 0;
  for (const Bytes& input : corpus) Run(input, options.seed, ++number);
  for (uint64_t i = 0; i < options.mutations; ++i) {
    Bytes input = corpus[random() % corpus.size()];
    const Bytes& other = corpus[random() % corpus.size()];
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) MutateOnce(input, other, random);
    Run(std::move(input), options.seed, ++number);
  }
  std::printf("%zu corpus inputs and %llu mutations of them passed, seed %llu\n", corpus.size(),
              static_cast<unsigned long long>(options.mutations),
              static_cast<unsigned long long>(options.seed));
  return 0;
}
