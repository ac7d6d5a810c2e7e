// A worker that writes anything into the memory it shares with us, between any two of our steps.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "bough/check.hpp"
#include "pageserver/redo/testing/worker_side.hpp"
#include "pageserver/redo/worker_channel.hpp"

using namespace bough;
using namespace bough::pageserver;

namespace {

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    bool empty() const { return left_ == 0; }
    std::uint8_t byte() { return empty() ? 0 : (left_--, *data_++); }
    std::uint32_t word() { return byte() | byte() << 8 | static_cast<std::uint32_t>(byte()) << 16; }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

struct Question {
    RedoRequest request{{{{1663, 5, 16384}, pg::Fork::main}, 7}, nullptr, {}, false};
    std::array<std::byte, pg::kPageBytes> page{};
    Result<void> result;
    WorkerCall call;
};

// The worker does one thing: moves a position, writes a header or a whole reply, sleeps.
void misbehave(testing::WorkerSide& worker, Input& in) {
    BoughRedoPositions& mine = worker.positions();
    switch (in.byte() % 8) {
        case 0: mine.written += in.word(); break;
        case 1: mine.read += in.word(); break;
        case 2: mine.written = ~std::uint64_t{0} - in.word(); break;
        case 3: worker.read_all(); break;
        case 4: mine.sleep = in.byte(); break;
        case 5: {
            std::vector<std::byte> reply(in.word() % (4 * pg::kPageBytes));
            for (std::size_t i = 0; i < std::min<std::size_t>(reply.size(), 16); i++)
                reply[i] = static_cast<std::byte>(in.byte());
            worker.reply(reply);
            break;
        }
        default: {
            // An honest answer, or nearly.
            const bool ok = in.byte() % 2 == 0;
            const std::size_t length = ok ? pg::kPageBytes : in.byte();
            const BoughRedoReplyHeader header{static_cast<std::uint32_t>(length), static_cast<std::uint8_t>(ok ? 0 : 1), {}};
            std::vector<std::byte> reply(sizeof(header) + BOUGH_REDO_ALIGNED(length));
            std::memcpy(reply.data(), &header, sizeof(header));
            worker.reply(reply);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::array<int, 2> sockets{};
    BOUGH_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()) == 0);
    {
        auto memory = WorkerMemory::create();
        BOUGH_CHECK(memory.has_value());
        testing::WorkerSide worker((*memory)->descriptor());
        WorkerChannel channel(sockets[0], **memory);
        std::vector<std::unique_ptr<Question>> questions;
        Input in(data, size);
        while (!in.empty()) {
            if (in.byte() % 2 == 0) {
                auto& question = questions.emplace_back(std::make_unique<Question>());
                question->call.apply = &question->request;
                question->call.page = question->page.data();
                question->call.result = &question->result;
                if (!channel.ask(question->call)) questions.pop_back();
            }
            misbehave(worker, in);
            const std::size_t before = channel.unanswered();
            if (channel.pump() == WorkerChannel::State::broken) break;
            BOUGH_CHECK(channel.unanswered() <= before);
            channel.begin_sleep();
            channel.end_sleep();
            if (questions.size() > 100 && channel.unanswered() == 0) questions.clear();
        }
    }
    close(sockets[0]);
    close(sockets[1]);
    return 0;
}
