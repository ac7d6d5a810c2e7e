// BOUGH_CHECK(condition): an invariant. Aborts with the condition and place when it does not hold, in every build.
#pragma once

namespace bough {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define BOUGH_CHECK(condition) \
    ((condition) ? static_cast<void>(0) : ::bough::check_failed(#condition, __FILE__, __LINE__))
