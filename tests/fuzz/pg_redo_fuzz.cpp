// Any records applied to any page: no byte outside of the two is touched, whatever they hold.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bough/check.hpp"
#include "pg/bytes.hpp"
#include "pg/item_page.hpp"
#include "pg/v15/record.hpp"
#include "pg/v15/redo.hpp"
#include "pg/wal_format.hpp"

using namespace bough;
using namespace bough::pg;

namespace {

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
    bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (empty()) return 0;
        const auto value = static_cast<std::uint8_t>(rest_[0]);
        rest_.remove_prefix(1);
        return value;
    }
    std::uint16_t word() { return static_cast<std::uint16_t>(byte() | byte() << 8); }
    std::string_view bytes(std::size_t count) {
        const auto taken = rest_.substr(0, count);
        rest_.remove_prefix(taken.size());
        return taken;
    }

private:
    std::string_view rest_;
};

// Half of the pages are sound ones with some items, so that redo has something to do; the other half are anything.
void make_page(Input& in, Page page) {
    const std::uint8_t kind = in.byte();
    if (kind % 4 == 0) {
        const auto bytes = in.bytes(in.word() % (kPageBytes + 1));
        std::ranges::copy(as_bytes(bytes), page.begin());
        return;
    }
    if (kind % 4 == 1) return;  // new
    init_page(page, kind % 4 == 2 ? 0 : 16);
    ItemPage items(page);
    for (std::size_t count = in.byte() % 64; count > 0; count--) {
        const auto item = in.bytes(in.byte());
        if (!item.empty()) items.add(as_bytes(item), items.count() + 1, ItemPage::Placing::overwrite);
        if (in.byte() % 8 == 0 && items.count() > 0)
            items.set_line(items.count(), {in.word(), static_cast<LineState>(in.byte() % 4), in.word()});
    }
    if (kind % 4 == 3) {
        const auto special = in.bytes(16);
        std::ranges::copy(as_bytes(special), items.special_space().begin());
    }
}

// A record that refers to block 7 of a relation, and perhaps to others.
std::string make_record(Input& in) {
    constexpr std::uint8_t kManagers[] = {0, 9, 10, 11};
    constexpr Relation kRelation{1663, 5, 16384};
    std::string headers, payload;
    const std::uint8_t blocks = in.byte();
    bool first = true;
    for (std::uint8_t id = 0; id < 4; id++) {
        if ((blocks >> id & 1) == 0) continue;
        const std::uint8_t kind = in.byte();
        const auto data = in.bytes(in.word() % 4096);
        const auto flags =
            static_cast<std::uint8_t>((kind & 0x40) | (data.empty() ? 0 : 0x20) | ((kind & 3) == 2 ? 2 : 0) | (first ? 0 : 0x80));
        append(headers, id);
        append(headers, flags);
        append(headers, static_cast<std::uint16_t>(data.size()));
        if (first) append(headers, kRelation);
        append(headers, static_cast<std::uint32_t>((kind & 0x10) != 0 ? in.byte() : 7));
        payload.append(data);
        first = false;
    }
    const std::uint8_t manager = kManagers[in.byte() % 4], info = in.byte();
    const auto main = in.bytes(in.byte());
    if (!main.empty()) {
        append(headers, std::uint8_t{255});
        append(headers, static_cast<std::uint8_t>(main.size()));
    }
    std::string record(sizeof(WalRecordHeader), '\0');
    record += headers + payload;
    record.append(main);
    WalRecordHeader header{};
    header.total_bytes = static_cast<std::uint32_t>(record.size());
    header.xid = in.word();
    header.info = info;
    header.resource_manager = manager;
    store(reinterpret_cast<std::byte*>(record.data()), header);
    return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input in(data, size);
    // On the heap, to the byte, for the sanitizer to see where they end.
    const auto memory = std::make_unique<std::byte[]>(kPageBytes);
    const Page page(memory.get(), kPageBytes);
    make_page(in, page);
    Lsn at{0x1000028};
    while (!in.empty()) {
        const std::string record = make_record(in);
        const auto bytes = std::make_unique<std::byte[]>(record.size());
        std::ranges::copy(as_bytes(record), bytes.get());
        v15::Record decoded;
        if (!decoded.decode({at, at + record.size(), {bytes.get(), record.size()}})) return 0;
        at = at + max_align(record.size());
        for (const auto& block : decoded.blocks()) {
            const std::vector<std::byte> before(page.begin(), page.end());
            // What was declined is asked of Postgres with the page as it was.
            if (!v15::redo(decoded, block, in.byte() % 2 != 0, page)) std::ranges::copy(before, page.begin());
        }
    }
    return 0;
}
