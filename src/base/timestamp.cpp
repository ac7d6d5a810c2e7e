#include "base/timestamp.hpp"

#include <chrono>
#include <cstdio>
#include <optional>

namespace bough {
namespace {

class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}
    bool done() const { return rest_.empty(); }
    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    // Exactly `digits` digits.
    std::optional<int> number(std::size_t digits) {
        if (rest_.size() < digits) return std::nullopt;
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(digits);
        return value;
    }
    // One to six digits after the point, as microseconds.
    std::optional<int> fraction() {
        int value = 0, digits = 0;
        while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
            if (++digits > 6) return std::nullopt;
            value = value * 10 + (rest_.front() - '0');
            rest_.remove_prefix(1);
        }
        if (digits == 0) return std::nullopt;
        for (; digits < 6; ++digits) value *= 10;
        return value;
    }

private:
    std::string_view rest_;
};

// Minutes east of UTC.
std::optional<int> zone(Scanner& scan) {
    scan.take(' ');
    if (scan.done() || scan.take('Z') || scan.take("UTC")) return 0;
    int sign = scan.take('+') ? 1 : scan.take('-') ? -1 : 0;
    if (sign == 0) return std::nullopt;
    auto hours = scan.number(2);
    if (!hours || *hours > 15) return std::nullopt;
    scan.take(':');
    int minutes = 0;
    if (!scan.done()) {
        auto given = scan.number(2);
        if (!given || *given > 59) return std::nullopt;
        minutes = *given;
    }
    return sign * (*hours * 60 + minutes);
}

std::optional<std::int64_t> parse(std::string_view text) {
    using namespace std::chrono;
    Scanner scan(text);
    auto year_number = scan.number(4);
    if (!year_number || !scan.take('-')) return std::nullopt;
    auto month_number = scan.number(2);
    if (!month_number || !scan.take('-')) return std::nullopt;
    auto day_number = scan.number(2);
    if (!day_number || (!scan.take('T') && !scan.take(' '))) return std::nullopt;
    auto hour = scan.number(2);
    if (!hour || !scan.take(':')) return std::nullopt;
    auto minute = scan.number(2);
    if (!minute) return std::nullopt;
    int second = 0, micros = 0;
    if (scan.take(':')) {
        auto given = scan.number(2);
        if (!given) return std::nullopt;
        second = *given;
        if (scan.take('.')) {
            auto part = scan.fraction();
            if (!part) return std::nullopt;
            micros = *part;
        }
    }
    auto east = zone(scan);
    if (!east || !scan.done()) return std::nullopt;
    year_month_day date{year{*year_number}, month{static_cast<unsigned>(*month_number)}, day{static_cast<unsigned>(*day_number)}};
    if (!date.ok() || *hour > 23 || *minute > 59 || second > 59) return std::nullopt;
    auto seconds = duration_cast<std::chrono::seconds>(sys_days{date}.time_since_epoch()).count() + *hour * 3600LL + *minute * 60LL + second -
                   *east * 60LL;
    return seconds * 1'000'000 + micros;
}

}  // namespace

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string timestamp_text(std::int64_t us_since_1970) {
    using namespace std::chrono;
    sys_time<microseconds> time{microseconds{us_since_1970}};
    auto date_part = floor<days>(time);
    year_month_day date{date_part};
    hh_mm_ss<microseconds> clock{time - date_part};
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

Result<std::int64_t> parse_timestamp(std::string_view text) {
    if (auto parsed = parse(text)) return *parsed;
    return Error{ErrorCode::invalid_argument, "invalid timestamp \"" + std::string(text.substr(0, 80)) + "\"",
                 "write it as 2026-11-23T14:05:06.789Z or \"2026-11-23 14:05:06.789+01\""};
}

}  // namespace bough
