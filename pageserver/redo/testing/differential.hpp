// The two redo engines over the same records: stock Postgres brings pages forward record by record, and at each step the native
// engine does the same to the same page. Where it does not decline, the two pages must be equal, byte for byte.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pageserver/redo/redo_pool.hpp"
#include "pageserver/redo/testing/stock_history.hpp"

namespace bough::pageserver::testing {

class Differential {
public:
    // `stock` is a pool whose engine is stock.
    explicit Differential(RedoPool& stock) : stock_(stock) {}

    struct Count {
        std::uint64_t same = 0, declined = 0, different = 0;
    };
    // (resource manager, operation), the operation of a heap record without its bit for new pages.
    using Operation = std::pair<std::uint8_t, std::uint8_t>;

    void compare(const std::map<pg::PageTag, PageHistory>& pages, bool hint_bits_logged);
    // A part of what one comparison may be made of: pages stay with the caller, and `page` is brought forward.
    struct Subject {
        pg::PageTag tag;
        std::vector<RedoRecord> records;
        std::vector<std::byte> page;  // pg::kPageBytes, or empty for one that begins as zeros
    };
    void compare(std::span<Subject> subjects, bool hint_bits_logged);

    const std::map<Operation, Count>& counts() const { return counts_; }
    Count total() const;
    // The first few differences and errors of stock redo, each in a line.
    const std::vector<std::string>& complaints() const { return complaints_; }
    // A table of counts.
    std::string report() const;

private:
    void step(const RedoRequest& request, std::span<const std::byte> stock_page);
    void complain(std::string text);

    RedoPool& stock_;
    std::map<Operation, Count> counts_;
    std::vector<std::string> complaints_;
};

}  // namespace bough::pageserver::testing
