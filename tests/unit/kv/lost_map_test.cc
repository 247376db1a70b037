// SPDX-License-Identifier: Apache-2.0
// A map that the system refuses to grow. LMDB gives the old one up first, and would go on in it: without the
// gate's care the next reader ends the process. The refusal is made by an mmap of our own in front of the C
// library's, which the sanitizers want for themselves.
#include <gtest/gtest.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "kv/environment.h"
#include "kv/txn.h"

namespace {
std::atomic<bool> files_are_refused{false};
}

extern "C" void* mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  if (fd >= 0 && files_are_refused) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, fd, offset));
}

namespace stemedb::kv {
namespace {

constexpr uint64_t kMapBytes = 1u << 20;

class LostMap : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(dir_);
    environment_ = std::move(*Environment::Open({.path = dir_ + "/test.kv", .map_bytes = kMapBytes}));
    database_ = environment_->OpenDatabase("d").value();
    reader_ = std::move(*ReadTxn::Open(environment_.get()));
    ASSERT_TRUE(ReadsWell());
  }
  void TearDown() override {
    files_are_refused = false;
    reader_.reset();
    environment_.reset();
    std::filesystem::remove_all(dir_);
  }
  bool ReadsWell() {
    const ReadScope scope(*reader_);
    return scope.status().ok() && reader_->Get(database_, "key").has_value();
  }

  const std::string dir_ = testing::TempDir() + "lost_map_" + std::to_string(::getpid());
  std::unique_ptr<Environment> environment_;
  std::unique_ptr<ReadTxn> reader_;
  Database database_;
};

TEST_F(LostMap, EndsInAStatusForReadersAndWriters) {
  files_are_refused = true;
  EXPECT_EQ(environment_->GrowMap(2 * kMapBytes).reason(), "map_lost");
  files_are_refused = false;
  EXPECT_EQ(reader_->Renew().reason(), "map_lost");
  EXPECT_EQ(WriteTxn::Begin(environment_.get()).error().reason(), "map_lost");
  EXPECT_EQ(environment_->OpenDatabase("e").error().reason(), "map_lost");
  EXPECT_EQ(environment_->GrowMap(4 * kMapBytes).reason(), "map_lost");
  reader_.reset();
  environment_ = std::move(*Environment::Open({.path = dir_ + "/test.kv", .map_bytes = kMapBytes}));
  EXPECT_TRUE(environment_->OpenDatabase("e").has_value());
}

TEST_F(LostMap, IsKeptWhenThereIsPlainlyNoRoomForALargerOne) {
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  struct rlimit tight = before;
  tight.rlim_cur = rlim_t{1} << 36;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &tight), 0);
  const Status refused = environment_->GrowMap(uint64_t{1} << 37);
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(refused.reason(), "no_address_space");
  EXPECT_TRUE(ReadsWell());
}

}  // namespace
}  // namespace stemedb::kv
#endif
