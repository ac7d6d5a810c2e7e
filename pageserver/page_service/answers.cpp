#include "pageserver/page_service/answers.hpp"

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

// That a page waits for others that are read behind it.
constexpr auto kWaitMax = 50us;
// A page that took so long came from the disk, or from many records.
constexpr auto kSlow = 25us;

}  // namespace

Answers& Answers::of_this_thread() {
    thread_local Answers answers;
    return answers;
}

std::span<std::byte> Answers::room(std::size_t pages) {
    BOUGH_CHECK(!due_ && pages <= BOUGH_PAGES_PER_REQUEST_MAX);
    return std::span(pages_).subspan(bytes_, pages * BOUGH_PAGE_BYTES);
}

void Answers::add(const void* client, const PagesPrefix& prefix, std::span<const std::byte> pages) {
    BOUGH_CHECK(count_ == 0 || client == client_);
    // Those before it may have been sent since it got its room.
    const auto begin = static_cast<std::size_t>(pages.data() - pages_.data());
    BOUGH_CHECK(count_ < kPagesMin && begin >= bytes_ && begin + pages.size() <= pages_.size() && !pages.empty());
    const auto now = Clock::now();
    if (count_ == 0) first_ = now;
    last_was_slow_ = count_ > 0 && now - last_ >= kSlow;
    last_ = now;
    client_ = client;
    prefixes_[count_] = prefix;
    parts_[2 * count_] = {prefixes_[count_].data(), prefix.size()};
    parts_[2 * count_ + 1] = {const_cast<std::byte*>(pages.data()), pages.size()};
    ++count_;
    bytes_ = begin + pages.size();
    due_ = bytes_ >= kPagesMin * BOUGH_PAGE_BYTES || now - first_ >= kWaitMax;
}

std::span<iovec> Answers::parts(const void* client) {
    BOUGH_CHECK(client == client_);
    return std::span(parts_).first(2 * count_);
}

void Answers::clear() {
    count_ = bytes_ = 0;
    due_ = last_was_slow_ = false;
}

}  // namespace bough::pageserver
