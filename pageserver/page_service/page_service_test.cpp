#include "pageserver/page_service/page_service.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <random>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "pageserver/testing/page_client.hpp"
#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

const pg::RelationFork kFork{{1663, 5, 16384}, pg::Fork::main};

// Something happens while pages are made.
class InterruptedRedo final : public PageRedo {
public:
    void apply_many(std::span<RedoJob> jobs) override {
        if (const auto first = std::exchange(interruption, nullptr)) first();
        if (always) always();
        redo_.apply_many(jobs);
    }
    std::function<void()> interruption;  // once
    std::function<void()> always;        // by several threads

private:
    FakeRedo redo_;
};

class PageServiceTest : public testing::Test {
protected:
    void SetUp() override {
        std::filesystem::create_directories(directory_.path() / "projects" / "p");
        ASSERT_TRUE(create_script_project(directory_.path() / "projects" / "p", resources_).has_value());
        projects_ = *Projects::open(directory_.path(), resources_);
        branch_ = *projects_->branch(*ProjectId::parse("p"), *BranchId::parse("b0"));
        writer_ = *ChangeWriter::make(*branch_, reader_);
        address_.unix_path = (directory_.path() / "pages.sock").string();
    }
    void start(PageServiceOptions options = {}) {
        options.listen.push_back(address_);
        options.threads = 3;
        service_ = *PageService::start(std::move(options), *projects_, reader_);
    }
    // One record that changes a page, so that who reads it needs redo.
    Lsn change(std::uint32_t block) {
        const Lsn start = writer_->finished().lsn;
        const std::string record = "a record";
        writer_->record(start, start + 64);
        writer_->page_record({kFork, block}, pg::PageBase::previous, std::as_bytes(std::span(record)));
        writer_->finish_record();
        EXPECT_TRUE(writer_->commit().has_value());
        return start + 64;
    }
    // One record that fills a page with `content`.
    Lsn write(std::uint32_t block, std::byte content) {
        const Lsn start = writer_->finished().lsn;
        const std::vector<std::byte> page(pg::kPageBytes, content);
        writer_->record(start, start + 64);
        writer_->page_image({kFork, block}, pg::ConstPage(page.data(), pg::kPageBytes));
        writer_->finish_record();
        EXPECT_TRUE(writer_->commit().has_value());
        return start + 64;
    }

    // Whoever reads a page with a record on it stays there, until they are let go.
    void hold_readers() {
        redo_.always = [this] {
            ++held_;
            let_go_.wait(false);
        };
    }
    void let_readers_go() {
        let_go_ = true;
        let_go_.notify_all();
    }
    // So many clients that have asked for the page as of that position.
    std::vector<std::unique_ptr<PageClient>> clients_asking_for(std::uint32_t block, Lsn at, unsigned count) {
        std::vector<std::unique_ptr<PageClient>> clients;
        for (unsigned i = 0; i < count; ++i) {
            clients.push_back(std::make_unique<PageClient>(address_));
            EXPECT_TRUE(clients.back()->hello("p", "b0"));
            clients.back()->send(get_pages_frame(i, at, true, 1, {kFork, block}));
        }
        return clients;
    }

    std::atomic<unsigned> held_ = 0;
    std::atomic<bool> let_go_ = false;
    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
    InterruptedRedo redo_;
    PageReaderMetrics metrics_;
    PageReader reader_{redo_, metrics_};
    std::unique_ptr<Projects> projects_;
    std::shared_ptr<Branch> branch_;
    std::unique_ptr<ChangeWriter> writer_;
    net::Address address_;
    std::unique_ptr<PageService> service_;
};

TEST_F(PageServiceTest, answers_say_which_question_they_answer) {
    start();
    write(0, std::byte{'a'});
    const Lsn lsn = write(1, std::byte{'b'});
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "b0"));
    client.send(get_pages_frame(42, lsn, true, 3, {kFork, 0}));
    const auto frame = client.receive();
    ASSERT_TRUE(frame.has_value());
    const BoughPages pages = parse_pages(*frame);  // packed: its members are compared as values
    EXPECT_EQ(+pages.request_id, 42u);
    EXPECT_EQ(+pages.lsn, lsn.value);
    EXPECT_EQ(+pages.count, 3);
    EXPECT_EQ(+pages.tag.relation, 16384u);
    const std::string_view content = std::string_view(frame->body).substr(sizeof(BoughPages));
    EXPECT_EQ(content[0], 'a');
    EXPECT_EQ(content[pg::kPageBytes], 'b');
    EXPECT_TRUE(std::ranges::all_of(content.substr(2 * pg::kPageBytes), [](char c) { return c == 0; })) << "beyond the end";
}

TEST_F(PageServiceTest, exact_reads_see_the_past_and_others_the_newest) {
    start();
    const Lsn first = write(0, std::byte{'a'});
    const Lsn second = write(0, std::byte{'b'});
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "b0"));
    client.send(get_pages_frame(1, first, true, 1, {kFork, 0}) + get_pages_frame(2, first, false, 1, {kFork, 0}));
    const auto past = client.receive();
    const auto newest = client.receive();
    EXPECT_EQ(past->body[sizeof(BoughPages)], 'a');
    EXPECT_EQ(newest->body[sizeof(BoughPages)], 'b');
    EXPECT_EQ(+parse_pages(*newest).lsn, second.value);
}

TEST_F(PageServiceTest, a_request_ahead_of_ingest_waits_for_it) {
    start();
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "b0"));
    client.send(get_pages_frame(1, kScriptStart.lsn + 64, false, 1, {kFork, 0}));
    while (service_->metrics().waiting == 0) std::this_thread::sleep_for(1ms);
    write(0, std::byte{'a'});
    const auto frame = client.receive();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->body[sizeof(BoughPages)], 'a');
    EXPECT_EQ(service_->metrics().waiting, 0u);
}

TEST_F(PageServiceTest, a_request_that_waits_too_long_is_told_and_the_connection_goes_on) {
    PageServiceOptions options;
    options.ingest_timeout = 50ms;
    start(std::move(options));
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "b0"));
    client.send(get_pages_frame(9, Lsn{1ull << 40}, true, 1, {kFork, 0}));
    const auto error = client.receive();
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(parse_error(*error).request_id, 9u);
    EXPECT_EQ(parse_error(*error).sqlstate, "57014");
    client.send(get_pages_frame(10, kScriptStart.lsn, true, 1, {kFork, 0}));
    EXPECT_EQ(client.receive()->type, BOUGH_FRAME_PAGES);
}

TEST_F(PageServiceTest, an_lsn_before_the_history_is_an_error) {
    start();
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "b0"));
    client.send(get_pages_frame(9, Lsn{5}, true, 1, {kFork, 0}));
    EXPECT_EQ(parse_error(*client.receive()).sqlstate, "22023");
}

TEST_F(PageServiceTest, the_newest_that_fell_out_of_the_window_in_mid_read_is_answered_with_what_is_newer) {
    start();
    write(0, std::byte{'a'});
    const Lsn changed = change(0);
    Lsn newer;
    const auto overtake = [&] {
        newer = write(0, std::byte{'b'});
        EXPECT_TRUE(branch_->store().flush().has_value());
        const auto project = *projects_->project(*ProjectId::parse("p"));
        EXPECT_EQ(project->raise_cutoffs({{branch_->number(), newer}})->size(), 1u);
    };
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "b0"));
    redo_.interruption = overtake;
    client.send(get_pages_frame(1, changed, false, 1, {kFork, 0}));
    const auto newest = client.receive();
    ASSERT_EQ(newest->type, BOUGH_FRAME_PAGES) << parse_error(*newest).message;
    EXPECT_EQ(newest->body[sizeof(BoughPages)], 'b');
    EXPECT_EQ(+parse_pages(*newest).lsn, newer.value);
    // Who wants just that position is told.
    client.send(get_pages_frame(2, changed, true, 1, {kFork, 0}));
    EXPECT_EQ(parse_error(*client.receive()).sqlstate, "22023");
}

TEST_F(PageServiceTest, a_branch_with_many_clients_leaves_a_thread_to_the_others) {
    start();
    const Lsn image = write(0, std::byte{'a'});
    const Lsn changed = change(0);
    const auto project = *projects_->project(*ProjectId::parse("p"));
    ASSERT_TRUE(
        project->create_branch(*BranchId::parse("other"), *BranchId::parse("b0"), {image, Lsn{image.value - 64}}).has_value());

    hold_readers();
    constexpr unsigned kClients = 6;
    auto clients = clients_asking_for(0, changed, kClients);
    while (service_->metrics().turns_waiting < kClients - 2 || held_ < 2) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(held_, 2u) << "of three threads";
    {
        PageClient other(address_);
        ASSERT_TRUE(other.hello("p", "other"));
        other.send(get_pages_frame(7, image, true, 1, {kFork, 0}));
        EXPECT_EQ(other.receive()->body[sizeof(BoughPages)], 'a');
    }
    clients.back().reset();  // who leaves while waiting takes nobody's turn
    let_readers_go();
    for (unsigned i = 0; i + 1 < kClients; ++i) EXPECT_EQ(clients[i]->receive()->type, BOUGH_FRAME_PAGES);
    while (service_->metrics().connections > kClients - 1) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(service_->metrics().turns_waiting, 0u);
}

TEST_F(PageServiceTest, those_who_waited_for_ingest_take_turns_too) {
    start();
    write(0, std::byte{'a'});
    hold_readers();
    constexpr unsigned kClients = 6;
    const auto clients = clients_asking_for(0, branch_->ingest_lsn() + 64, kClients);
    while (service_->metrics().waiting < kClients) std::this_thread::sleep_for(1ms);
    change(0);
    while (service_->metrics().turns_waiting + held_ < kClients) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(held_, 2u) << "of three threads";
    let_readers_go();
    for (const auto& client : clients) EXPECT_EQ(client->receive()->type, BOUGH_FRAME_PAGES);
}

// More of them than threads; each has its own pace, and sends its requests whole or in parts.
TEST_F(PageServiceTest, clients_that_ask_again_at_once_are_all_answered) {
    start();
    write(0, std::byte{'a'});
    const Lsn at = write(0, std::byte{'b'});
    std::atomic<unsigned> right{0};
    constexpr unsigned kClients = 6, kRequests = 400;
    {
        std::vector<std::jthread> clients;
        for (unsigned number = 0; number < kClients; ++number)
            clients.emplace_back([&, number] {
                PageClient client(address_);
                if (!client.hello("p", "b0")) return;
                std::mt19937 random(number);
                for (unsigned i = 0; i < kRequests; ++i) {
                    const std::string request = get_pages_frame(i, at, true, 1, {kFork, 0});
                    // At times the rest of a request comes later, or the next one does.
                    const std::size_t first = random() % 8 == 0 ? 1 + random() % (request.size() - 1) : request.size();
                    client.send(request.substr(0, first));
                    if (first < request.size()) {
                        if (random() % 2 == 0) std::this_thread::sleep_for(300us);
                        client.send(request.substr(first));
                    }
                    const auto answer = client.receive();
                    if (!answer || answer->type != BOUGH_FRAME_PAGES) return;
                    right += parse_pages(*answer).request_id == i && answer->body[sizeof(BoughPages)] == 'b';
                    if (random() % 64 == 0) std::this_thread::sleep_for(1ms);
                }
                client.send(get_pages_frame(kRequests, at, true, 1, {kFork, 0}));  // and is gone
            });
    }
    EXPECT_EQ(right, kClients * kRequests);
    while (service_->metrics().connections > 0) std::this_thread::sleep_for(1ms);
}

// Each life of a client is one of these, and the next begins when it ends.
class Lives {
public:
    Lives(const net::Address& address, const std::atomic<std::uint64_t>& newest, unsigned seed)
        : address_(address), newest_(newest), random_(seed) {}

    unsigned wrong() const { return wrong_; }

    void live() {
        PageClient client(address_);
        const std::string hello = hello_frame("p", "b0");
        switch (random_() % 7) {
            case 0: return says_nothing(client);
            case 1: return client.send(hello.substr(0, 1 + random_() % (hello.size() - 1)));  // and leaves
            default: break;
        }
        if (!client.hello("p", "b0")) {
            ++wrong_;
            return;
        }
        switch (random_() % 5) {
            case 0: return ask(client, 0, true);
            case 1: return ask(client, 64 * (random_() % 3), true);
            case 2: return ask(client, 64 * (random_() % 3), false);  // and leaves
            case 3: return ask_much(client, 1 + random_() % 40);
            default: return client.send(std::string(40, 'x'));
        }
    }

private:
    void says_nothing(PageClient& client) {
        if (client.receive().has_value()) ++wrong_;  // it is dropped
    }
    void ask(PageClient& client, std::uint64_t ahead, bool waits) {
        client.send(get_pages_frame(1, Lsn{newest_ + ahead}, true, 1, {kFork, 0}));
        if (!waits) return;
        const auto answer = client.receive();
        if (!answer || (answer->type != BOUGH_FRAME_PAGES && ahead == 0)) ++wrong_;
    }
    // More than fits into a socket, of which so many are read.
    void ask_much(PageClient& client, unsigned read) {
        std::string requests;
        for (unsigned i = 0; i < 40; ++i) requests += get_pages_frame(i, Lsn{newest_.load()}, true, 32, {kFork, 0});
        client.send(requests);
        for (unsigned i = 0; i < read; ++i) {
            const auto answer = client.receive();
            if (!answer || answer->type != BOUGH_FRAME_PAGES || parse_pages(*answer).request_id != i) ++wrong_;
        }
    }

    const net::Address& address_;
    const std::atomic<std::uint64_t>& newest_;
    std::mt19937 random_;
    unsigned wrong_ = 0;
};

TEST_F(PageServiceTest, clients_that_come_and_go_in_any_state_are_served_and_leave_nothing_behind) {
    PageServiceOptions options;
    options.hello_timeout = 200ms;  // also on a busy machine all others have said it by then
    options.ingest_timeout = 5ms;
    start(options);
    std::atomic<std::uint64_t> newest = write(0, std::byte{'a'}).value;
    std::atomic<unsigned> wrong = 0;
    {
        std::vector<std::jthread> clients;
        for (unsigned number = 0; number < 8; ++number)
            clients.emplace_back([&, number] {
                Lives lives(address_, newest, number);
                for (unsigned i = 0; i < 150; ++i) lives.live();
                wrong += lives.wrong();
            });
        std::jthread writing([&](const std::stop_token& ends) {
            while (!ends.stop_requested()) {
                newest = write(0, std::byte{'b'}).value;
                std::this_thread::sleep_for(3ms);
            }
        });
        for (std::jthread& client : clients) client.join();
    }
    EXPECT_EQ(wrong, 0u);
    const PageServiceMetrics& metrics = service_->metrics();
    while (metrics.connections > 0) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(metrics.waiting, 0u);
    EXPECT_EQ(metrics.turns_waiting, 0u);
    EXPECT_EQ(metrics.opening, 0u);
}

// A project that takes its time to come; meanwhile clients say hello to it.
class SlowProject {
public:
    SlowProject(Projects& projects, StoreResources& resources)
        : creator_([this, &projects, &resources] {
              (void)projects.create(*ProjectId::parse("slow"), [&](const std::filesystem::path& directory) {
                  begun_ = true;
                  begun_.notify_all();
                  may_end_.wait(false);
                  return create_script_project(directory, resources);
              });
          }) {
        begun_.wait(false);
    }
    ~SlowProject() { end(); }
    void end() {
        may_end_ = true;
        may_end_.notify_all();
    }

private:
    std::atomic<bool> begun_ = false;
    std::atomic<bool> may_end_ = false;
    std::jthread creator_;
};

TEST_F(PageServiceTest, clients_of_a_project_that_is_being_opened_leave_the_threads_to_the_others) {
    PageServiceOptions options;
    options.hello_timeout = 500ms;
    start(options);
    const Lsn lsn = write(0, std::byte{'a'});
    constexpr unsigned kClients = 6;  // there are three threads
    SlowProject project(*projects_, resources_);
    std::vector<std::unique_ptr<PageClient>> clients;
    for (unsigned i = 0; i < kClients; ++i) {
        clients.push_back(std::make_unique<PageClient>(address_));
        // With a request right behind it.
        clients.back()->send(hello_frame("slow", "b0") + get_pages_frame(i, kScriptStart.lsn, true, 1, {kFork, 0}));
    }
    while (service_->metrics().opening < kClients) std::this_thread::sleep_for(1ms);
    PageClient other(address_);
    ASSERT_TRUE(other.hello("p", "b0"));
    other.send(get_pages_frame(1, lsn, true, 1, {kFork, 0}));
    ASSERT_TRUE(other.receive().has_value());
    std::this_thread::sleep_for(700ms);  // longer than a client may take for its hello: these have said theirs
    project.end();
    for (unsigned i = 0; i < kClients; ++i) {
        ASSERT_TRUE(clients[i]->receive().has_value());
        const auto answer = clients[i]->receive();
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(+parse_pages(*answer).request_id, i);
    }
    EXPECT_EQ(service_->metrics().opening, 0u);
}

TEST_F(PageServiceTest, a_service_ends_while_clients_wait_for_their_project) {
    start();
    SlowProject project(*projects_, resources_);
    std::vector<std::unique_ptr<PageClient>> clients;
    for (unsigned i = 0; i < 6; ++i) {
        clients.push_back(std::make_unique<PageClient>(address_));
        clients.back()->send(hello_frame("slow", "b0"));
    }
    while (service_->metrics().opening < clients.size()) std::this_thread::sleep_for(1ms);
    const std::jthread later([&] {
        std::this_thread::sleep_for(50ms);
        project.end();
    });
    service_.reset();
}

TEST_F(PageServiceTest, a_service_ends_while_clients_wait_for_their_turn) {
    start();
    const auto before = branch_.use_count();
    write(0, std::byte{'a'});
    const Lsn changed = change(0);
    hold_readers();
    const auto clients = clients_asking_for(0, changed, 5);
    while (service_->metrics().turns_waiting < 3) std::this_thread::sleep_for(1ms);
    std::thread ending([&] { service_.reset(); });
    std::this_thread::sleep_for(20ms);  // so that it mostly has asked the threads to end
    let_readers_go();
    ending.join();
    EXPECT_EQ(branch_.use_count(), before) << "a connection is left";
}

TEST_F(PageServiceTest, who_asks_for_what_is_not_there_is_told_and_dropped) {
    start();
    for (const auto& [hello, sqlstate] : std::vector<std::pair<std::string, std::string>>{
             {hello_frame("nothere", "b0"), "42704"},
             {hello_frame("p", "nothere"), "42704"},
             {hello_frame("../../etc", "b0"), "08P01"},
             {hello_frame("p", "b0", {}, 77), "0A000"},
         }) {
        PageClient client(address_);
        client.send(hello);
        const auto answer = client.receive();
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(parse_error(*answer).sqlstate, sqlstate);
        EXPECT_FALSE(client.receive().has_value());
    }
}

TEST_F(PageServiceTest, garbage_is_dropped_and_others_are_served) {
    PageServiceOptions options;
    options.hello_timeout = 100ms;
    start(std::move(options));
    PageClient good(address_);
    ASSERT_TRUE(good.hello("p", "b0"));
    std::mt19937_64 random(5);
    for (int i = 0; i < 50; ++i) {
        PageClient bad(address_);
        std::string bytes(1 + random() % 5000, '\0');
        for (char& c : bytes) c = static_cast<char>(random());
        bad.send(bytes);
        EXPECT_FALSE(bad.receive().has_value());
    }
    PageClient early(address_);
    early.send(get_pages_frame(1, kScriptStart.lsn, true, 1, {kFork, 0}));
    EXPECT_FALSE(early.receive().has_value()) << "a request before the hello";
    PageClient silent(address_);
    EXPECT_FALSE(silent.receive().has_value()) << "one that says nothing";
    good.send(get_pages_frame(1, kScriptStart.lsn, true, 1, {kFork, 0}));
    EXPECT_EQ(good.receive()->type, BOUGH_FRAME_PAGES);
}

TEST_F(PageServiceTest, a_slow_reader_gets_everything) {
    start();
    for (std::uint32_t block = 0; block < 128; ++block) write(block, static_cast<std::byte>(block));
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "b0"));
    constexpr std::uint64_t kRequests = 20;
    for (std::uint64_t i = 0; i < kRequests; ++i) client.send(get_pages_frame(i, kScriptStart.lsn, false, 128, {kFork, 0}));
    std::this_thread::sleep_for(50ms);
    for (std::uint64_t i = 0; i < kRequests; ++i) {
        const auto frame = client.receive();
        ASSERT_TRUE(frame.has_value());
        EXPECT_EQ(+parse_pages(*frame).request_id, i) << "in order";
        for (std::uint32_t block = 0; block < 128; ++block)
            ASSERT_EQ(static_cast<std::uint8_t>(frame->body[sizeof(BoughPages) + block * pg::kPageBytes + 100]), block);
    }
}

// Answers that are ready go out together; whatever comes between them, each client gets its own, all of them, and in order.
TEST_F(PageServiceTest, requests_that_come_at_once_are_all_answered_in_order) {
    start();
    constexpr std::uint32_t kBlocks = 128;
    for (std::uint32_t block = 0; block < kBlocks; ++block) write(block, static_cast<std::byte>(block + 1));
    const Lsn ahead = writer_->finished().lsn + 64;
    struct Question {
        Lsn lsn;
        bool exact;
        std::uint16_t count;
        std::uint32_t block;
    };
    constexpr std::size_t kClients = 4, kQuestions = 600;
    std::vector<std::vector<Question>> asked(kClients);
    std::vector<std::unique_ptr<PageClient>> clients;
    std::mt19937 random(1);
    for (auto& questions : asked) {
        std::string frames;
        for (std::uint64_t i = 0; i < kQuestions; ++i) {
            Question question{kScriptStart.lsn, false, 1, static_cast<std::uint32_t>(random() % (kBlocks - 20))};
            const auto die = random() % 20;
            if (die == 0) question = {Lsn{1}, true, 1, question.block};  // of before the history
            if (die == 1) question.count = static_cast<std::uint16_t>(2 + random() % 18);
            if (i == kQuestions / 2) question = {ahead, false, 1, question.block};  // waits for ingest, and all behind it for that
            questions.push_back(question);
            frames += get_pages_frame(i, question.lsn, question.exact, question.count, {kFork, question.block});
        }
        clients.push_back(std::make_unique<PageClient>(address_));
        ASSERT_TRUE(clients.back()->hello("p", "b0"));
        clients.back()->send(frames);
    }
    const auto expect_answers = [&](std::size_t from, std::size_t to) {
        for (std::size_t c = 0; c < kClients; ++c)
            for (std::uint64_t i = from; i < to; ++i) {
                const Question& question = asked[c][i];
                const auto frame = clients[c]->receive();
                ASSERT_TRUE(frame.has_value());
                if (question.exact) {
                    ASSERT_EQ(frame->type, BOUGH_FRAME_ERROR);
                    ASSERT_EQ(parse_error(*frame).request_id, i);
                    continue;
                }
                ASSERT_EQ(frame->type, BOUGH_FRAME_PAGES);
                ASSERT_EQ(+parse_pages(*frame).request_id, i);
                for (std::uint32_t page = 0; page < question.count; ++page)
                    ASSERT_EQ(static_cast<std::uint8_t>(frame->body[sizeof(BoughPages) + page * pg::kPageBytes + 100]), question.block + page + 1);
            }
    };
    expect_answers(0, kQuestions / 2);
    if (HasFatalFailure()) return;
    while (service_->metrics().waiting < kClients) std::this_thread::sleep_for(1ms);
    write(kBlocks, std::byte{1});
    expect_answers(kQuestions / 2, kQuestions);
}

TEST_F(PageServiceTest, an_answer_that_is_ready_waits_for_nobody_s_redo) {
    start();
    write(0, std::byte{'a'});
    const Lsn at = change(1);
    hold_readers();
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "b0"));
    client.send(get_pages_frame(1, at, true, 1, {kFork, 0}) + get_pages_frame(2, at, true, 1, {kFork, 1}));
    const auto ready = client.receive();
    ASSERT_TRUE(ready.has_value());
    EXPECT_EQ(+parse_pages(*ready).request_id, 1u);
    EXPECT_EQ(ready->body[sizeof(BoughPages) + 100], 'a');
    let_readers_go();
    const auto later = client.receive();
    ASSERT_TRUE(later.has_value());
    EXPECT_EQ(+parse_pages(*later).request_id, 2u);
}

TEST_F(PageServiceTest, deleted_branch_is_an_error_not_zeros) {
    start();
    auto project = *projects_->project(*ProjectId::parse("p"));
    ASSERT_TRUE(project->create_branch(*BranchId::parse("child"), *BranchId::parse("b0"), kScriptStart).has_value());
    PageClient client(address_);
    ASSERT_TRUE(client.hello("p", "child"));
    ASSERT_TRUE(project->delete_branch(*BranchId::parse("child")).has_value());
    client.send(get_pages_frame(1, kScriptStart.lsn, true, 1, {kFork, 0}));
    EXPECT_EQ(parse_error(*client.receive()).sqlstate, "42704");
}

TEST_F(PageServiceTest, tcp_wants_loopback_and_a_token) {
    PageServiceOptions options;
    options.listen = {*net::Address::parse("0.0.0.0:0")};
    EXPECT_EQ(PageService::start(options, *projects_, reader_).error().code, ErrorCode::failed_precondition);
    options.listen = {*net::Address::parse("127.0.0.1:0")};
    EXPECT_EQ(PageService::start(options, *projects_, reader_).error().code, ErrorCode::failed_precondition);

    options.listen = {*net::Address::parse("127.0.0.1:17923")};
    options.token = "secret";
    const auto service = PageService::start(options, *projects_, reader_);
    ASSERT_TRUE(service.has_value()) << service.error().to_string();
    PageClient right(options.listen[0]);
    EXPECT_TRUE(right.hello("p", "b0", "secret"));
    PageClient wrong(options.listen[0]);
    wrong.send(hello_frame("p", "b0", "sEcret"));
    EXPECT_EQ(parse_error(*wrong.receive()).sqlstate, "28000");
}

}  // namespace
}  // namespace bough::pageserver
