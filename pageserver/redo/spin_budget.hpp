// How long it pays to look for an answer before sleeping: learned from how often looking has paid.
#pragma once

#include <chrono>
#include <cstdint>

#include <immintrin.h>

namespace bough::pageserver {

// Of one thread. Waking up costs a microsecond in the best case and fifty across processors, so an answer that comes sooner is
// worth looking for; one that does not come costs processor time that others may want. So the budget is halved each time it was
// spent in vain, and tried in full again once in a while.
class SpinBudget {
public:
    static constexpr std::chrono::nanoseconds kMax{20'000};

    // True as soon as `ready()`; false once the budget is spent.
    template <class Ready>
    bool spin(const Ready& ready) {
        constexpr std::uint32_t kWaitsPerTrial = 16;
        constexpr int kLooksPerClockRead = 16;
        if (waits_++ % kWaitsPerTrial == 0) budget_ = kMax;
        const auto end = Clock::now() + budget_;
        do {
            for (int i = 0; i < kLooksPerClockRead; i++) {
                if (ready()) {
                    budget_ = kMax;
                    return true;
                }
                _mm_pause();
            }
        } while (Clock::now() < end);
        budget_ /= 2;
        return false;
    }

    std::chrono::nanoseconds budget() const { return budget_; }

private:
    using Clock = std::chrono::steady_clock;
    std::chrono::nanoseconds budget_ = kMax;
    std::uint32_t waits_ = 0;
};

}  // namespace bough::pageserver
