// What the pageserver's side of the shared memory makes of workers that are honest, broken or hostile.
#include "pageserver/redo/worker_channel.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pageserver/redo/testing/worker_side.hpp"

namespace bough::pageserver {
namespace {

using PageBytes = std::array<std::byte, pg::kPageBytes>;
using State = WorkerChannel::State;

class Channel : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()), 0);
        auto memory = WorkerMemory::create();
        ASSERT_TRUE(memory) << memory.error().to_string();
        memory_ = std::move(*memory);
        worker_ = std::make_unique<testing::WorkerSide>(memory_->descriptor());
        channel_ = std::make_unique<WorkerChannel>(sockets_[0], *memory_);
        record_bytes_.resize(100);
    }
    void TearDown() override {
        for (const int s : sockets_)
            if (s >= 0) close(s);
    }

    struct Call {
        RedoRequest request;
        PageBytes page{};
        Result<void> result;
        WorkerCall call;
    };
    // One more question, of one record of `bytes` bytes.
    Call& question(std::size_t bytes = 100) {
        Call& c = *calls_.emplace_back(std::make_unique<Call>());
        record_bytes_.resize(std::max(record_bytes_.size(), bytes));
        records_.push_back(
            std::make_unique<RedoRecord>(RedoRecord{Lsn{0x100}, Lsn{0x200}, std::span(record_bytes_).first(bytes)}));
        c.request = {{{{1663, 5, 16384}, pg::Fork::main}, 7}, nullptr, std::span(records_.back().get(), 1), false};
        c.call.apply = &c.request;
        c.call.page = c.page.data();
        c.call.result = &c.result;
        c.result = Error{ErrorCode::internal, "not answered", {}};
        return c;
    }
    static std::vector<std::byte> answer(std::uint8_t fill) {
        std::vector<std::byte> bytes(sizeof(BoughRedoReplyHeader) + pg::kPageBytes, static_cast<std::byte>(fill));
        const BoughRedoReplyHeader header{pg::kPageBytes, 0, {}};
        std::memcpy(bytes.data(), &header, sizeof(header));
        return bytes;
    }
    bool worker_was_rung() {
        char bell;
        return recv(sockets_[1], &bell, 1, MSG_DONTWAIT) == 1;
    }

    std::array<int, 2> sockets_{-1, -1};
    std::unique_ptr<WorkerMemory> memory_;
    std::unique_ptr<testing::WorkerSide> worker_;
    std::unique_ptr<WorkerChannel> channel_;
    std::vector<std::byte> record_bytes_;
    std::vector<std::unique_ptr<RedoRecord>> records_;
    std::vector<std::unique_ptr<Call>> calls_;
};

TEST_F(Channel, answers_go_to_questions_in_order_however_often_the_rings_wrap) {
    for (int round = 0; round < 2000; round++) {
        Call& first = question(static_cast<std::size_t>(24 + round % 3000));
        Call& second = question();
        ASSERT_TRUE(channel_->ask(first.call));
        ASSERT_TRUE(channel_->ask(second.call));
        worker_->read_all();
        worker_->reply(answer(static_cast<std::uint8_t>(round)));
        worker_->reply(answer(static_cast<std::uint8_t>(round + 1)));
        ASSERT_EQ(channel_->pump(), State::progress);
        ASSERT_TRUE(first.result && second.result);
        ASSERT_EQ(first.page[100], static_cast<std::byte>(round));
        ASSERT_EQ(second.page[8191], static_cast<std::byte>(round + 1));
        calls_.clear();
        records_.clear();
    }
    EXPECT_GT(worker_->caller().written, std::uint64_t{BOUGH_REDO_REQUEST_RING_BYTES});
}

TEST_F(Channel, a_full_ring_takes_no_question_until_the_worker_has_read) {
    int asked = 0;
    while (channel_->ask(question(50'000).call)) asked++;
    EXPECT_EQ(asked, 20);
    EXPECT_EQ(channel_->pump(), State::waiting);
    worker_->read_all();
    EXPECT_TRUE(channel_->ask(question(50'000).call));
}

TEST_F(Channel, a_request_longer_than_the_ring_goes_in_pieces) {
    const std::size_t bytes = 3u << 20;
    record_bytes_.resize(bytes);
    for (std::size_t i = 0; i < bytes; i++) record_bytes_[i] = static_cast<std::byte>(i * 7 >> 3);
    Call& call = question(bytes);
    ASSERT_TRUE(channel_->ask(call.call));
    EXPECT_FALSE(channel_->ask(question().call));
    std::vector<std::byte> received;
    for (int i = 0; i < 10 && received.size() < encoded_size(call.request); i++) {
        channel_->pump();
        for (std::uint64_t at = worker_->positions().read; at < worker_->caller().written; at++)
            received.push_back(worker_->requests()[at % BOUGH_REDO_REQUEST_RING_BYTES]);
        worker_->read_all();
    }
    ASSERT_EQ(received.size(), encoded_size(call.request));
    EXPECT_EQ(std::memcmp(received.data() + received.size() - bytes, record_bytes_.data(), bytes), 0);
}

TEST_F(Channel, a_worker_that_sleeps_is_rung_once) {
    ASSERT_TRUE(channel_->ask(question().call));
    EXPECT_FALSE(worker_was_rung());
    worker_->positions().sleep = 1;
    ASSERT_TRUE(channel_->ask(question().call));
    EXPECT_TRUE(worker_was_rung());
    ASSERT_TRUE(channel_->ask(question().call));
    EXPECT_FALSE(worker_was_rung());
    worker_->positions().sleep = 3;
    ASSERT_TRUE(channel_->ask(question().call));
    EXPECT_TRUE(worker_was_rung());
}

TEST_F(Channel, who_would_sleep_looks_once_more) {
    ASSERT_TRUE(channel_->ask(question().call));
    EXPECT_TRUE(channel_->begin_sleep());
    EXPECT_EQ(worker_->caller().sleep % 2, 1u);
    EXPECT_TRUE(channel_->end_sleep());
    EXPECT_EQ(worker_->caller().sleep % 2, 0u);
    worker_->reply(answer(1));
    EXPECT_FALSE(channel_->begin_sleep());
    EXPECT_TRUE(channel_->end_sleep());
}

TEST_F(Channel, a_worker_that_is_gone_is_broken_after_its_last_answer) {
    Call& answered = question();
    Call& lost = question();
    ASSERT_TRUE(channel_->ask(answered.call) && channel_->ask(lost.call));
    worker_->read_all();
    worker_->reply(answer(1));
    close(sockets_[1]);
    sockets_[1] = -1;
    EXPECT_FALSE(channel_->end_sleep());
    EXPECT_EQ(channel_->pump(), State::progress);
    EXPECT_TRUE(answered.result);
    EXPECT_EQ(channel_->pump(), State::broken);
    EXPECT_FALSE(lost.result);
    EXPECT_EQ(channel_->take_unanswered().size(), 1u);
}

TEST_F(Channel, impossible_positions_break_it) {
    ASSERT_TRUE(channel_->ask(question().call));
    worker_->positions().written = BOUGH_REDO_REPLY_RING_BYTES + 8;
    EXPECT_EQ(channel_->pump(), State::broken);
}

TEST_F(Channel, reading_what_was_not_written_breaks_it) {
    ASSERT_TRUE(channel_->ask(question().call));
    worker_->positions().read = worker_->caller().written + 8;
    EXPECT_FALSE(channel_->ask(question().call));
    EXPECT_EQ(channel_->pump(), State::broken);
}

TEST_F(Channel, part_of_a_reply_breaks_it) {
    ASSERT_TRUE(channel_->ask(question().call));
    const auto whole = answer(1);
    worker_->reply(std::span(whole).first(whole.size() - 8));
    EXPECT_EQ(channel_->pump(), State::broken);
}

TEST_F(Channel, an_answer_to_no_question_breaks_it) {
    Call& call = question();
    ASSERT_TRUE(channel_->ask(call.call));
    worker_->reply(answer(1));
    worker_->reply(answer(2));
    EXPECT_EQ(channel_->pump(), State::broken);
    EXPECT_EQ(call.page[0], std::byte{1});
}

TEST_F(Channel, a_worker_that_answers_but_never_reads_is_broken) {
    int asked = 0;
    while (channel_->ask(question(50'000).call)) asked++;
    for (int i = 0; i < asked; i++) {
        worker_->reply(answer(1));
        ASSERT_EQ(channel_->pump(), State::progress);
    }
    EXPECT_FALSE(channel_->ask(question(50'000).call));
    EXPECT_EQ(channel_->pump(), State::broken);
}

TEST_F(Channel, the_worker_cannot_change_the_size_of_the_memory) {
    EXPECT_NE(ftruncate(memory_->descriptor(), 4096), 0);
    EXPECT_NE(ftruncate(memory_->descriptor(), BOUGH_REDO_MEMORY_BYTES * 2), 0);
}

}  // namespace
}  // namespace bough::pageserver
