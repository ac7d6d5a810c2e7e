#include "pageserver/redo/testing/differential.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "pageserver/redo/native_redo.hpp"
#include "pg/v15/record.hpp"

namespace bough::pageserver::testing {
namespace {

constexpr std::size_t kPagesPerGroup = 1024;
constexpr std::size_t kComplaintsMax = 50;
constexpr std::uint8_t kHeap2 = 9, kHeap = 10, kInitPage = 0x80;

Differential::Operation operation_of(const RedoRecord& at) {
    pg::v15::Record record;
    if (!record.decode({at.start, at.end, at.bytes})) return {0xFF, 0};
    const std::uint8_t id = record.resource_manager();
    const bool heap = id == kHeap || id == kHeap2;
    return {id, static_cast<std::uint8_t>(heap ? record.operation() & ~kInitPage : record.operation())};
}

}  // namespace

void Differential::complain(std::string text) {
    if (complaints_.size() < kComplaintsMax) complaints_.push_back(std::move(text));
}

void Differential::step(const RedoRequest& request, std::span<const std::byte> stock_page) {
    std::array<std::byte, pg::kPageBytes> ours;
    const Operation operation = operation_of(request.records[0]);
    Count& count = counts_[operation];
    if (!redo_natively(request, ours)) {
        count.declined++;
        return;
    }
    const auto at = std::ranges::mismatch(ours, stock_page).in1;
    if (at == ours.end()) {
        count.same++;
        return;
    }
    count.different++;
    const pg::PageTag& tag = request.tag;
    complain(
        fmt::format("{}/{} fork {} block {}, record at {} (resource manager {}, operation {:02X}): byte {} is {:02X}, not {:02X}",
                    tag.fork.relation.database, tag.fork.relation.number, static_cast<int>(tag.fork.fork), tag.block,
                    request.records[0].start.to_string(), operation.first, operation.second, at - ours.begin(),
                    std::to_integer<int>(*at), std::to_integer<int>(stock_page[static_cast<std::size_t>(at - ours.begin())])));
}

void Differential::compare(std::span<Subject> subjects, bool hint_bits_logged) {
    std::vector<RedoJob> jobs;
    std::vector<std::vector<std::byte>> made(subjects.size());
    std::vector<std::size_t> index;
    for (std::size_t wave = 0;; wave++) {
        jobs.clear();
        index.clear();
        for (std::size_t i = 0; i < subjects.size(); i++) {
            Subject& subject = subjects[i];
            if (wave >= subject.records.size()) continue;
            made[i].resize(pg::kPageBytes);
            RedoJob& job = jobs.emplace_back();
            job.request = {subject.tag, subject.page.empty() ? nullptr : subject.page.data(),
                           std::span(subject.records).subspan(wave, 1), hint_bits_logged};
            job.page = made[i].data();
            index.push_back(i);
        }
        if (jobs.empty()) return;
        stock_.apply_many(jobs);
        for (std::size_t j = 0; j < jobs.size(); j++) {
            if (!jobs[j].result) {
                complain(jobs[j].result.error().to_string());
                continue;
            }
            step(jobs[j].request, made[index[j]]);
            std::swap(subjects[index[j]].page, made[index[j]]);
        }
    }
}

void Differential::compare(const std::map<pg::PageTag, PageHistory>& pages, bool hint_bits_logged) {
    std::vector<Subject> group;
    const auto flush = [&] {
        compare(group, hint_bits_logged);
        group.clear();
    };
    for (const auto& [tag, history] : pages) {
        Subject& subject = group.emplace_back();
        subject.tag = tag;
        if (history.has_base) subject.page = history.base;
        for (const HistoryRecord& r : history.records) subject.records.push_back({r.start, r.end, r.for_page});
        if (group.size() == kPagesPerGroup) flush();
    }
    flush();
}

Differential::Count Differential::total() const {
    Count sum;
    for (const auto& [operation, count] : counts_) {
        sum.same += count.same;
        sum.declined += count.declined;
        sum.different += count.different;
    }
    return sum;
}

std::string Differential::report() const {
    std::string text = "resource manager, operation: native and equal, left to stock, different\n";
    for (const auto& [operation, count] : counts_)
        text += fmt::format("{:3} {:02X}: {:8} {:8} {:4}\n", operation.first, operation.second, count.same, count.declined,
                            count.different);
    return text;
}

}  // namespace bough::pageserver::testing
