#include "pageserver/page_service/answers.hpp"

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

// That a page waits for others that are read behind it: some are made from many records, or come from the disk.
constexpr std::chrono::microseconds kWaitMax{50};

}  // namespace

Answers& Answers::of_this_thread() {
    thread_local Answers answers;
    return answers;
}

bool Answers::due() const { return count_ > 0 && (bytes_ >= kPagesMin * BOUGH_PAGE_BYTES || Clock::now() - first_ >= kWaitMax); }

void Answers::add(const PagesPrefix& prefix, std::span<const std::byte> pages) {
    BOUGH_CHECK(count_ < kPagesMin && pages.data() == pages_.data() + bytes_ && !pages.empty());
    if (count_ == 0) first_ = Clock::now();
    prefixes_[count_] = prefix;
    parts_[2 * count_] = {prefixes_[count_].data(), prefix.size()};
    parts_[2 * count_ + 1] = {const_cast<std::byte*>(pages.data()), pages.size()};
    ++count_;
    bytes_ += pages.size();
}

}  // namespace bough::pageserver
