#include "safekeeper/simulation/world.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "safekeeper/simulation/failure.hpp"

namespace bough::safekeeper::simulation {

namespace {
std::span<char> last_words;
}

void leave_last_words_in(std::span<char> place) { last_words = place; }

void broken(const std::string& promise) {
    if (!last_words.empty()) last_words[promise.copy(last_words.data(), last_words.size() - 1)] = '\0';
    std::fflush(stdout);
    std::fprintf(stderr, "broken: %s\n", promise.c_str());
    std::abort();
}

World::World(std::uint64_t seed, std::size_t nodes, bool traced)
    : random(seed), nodes_(nodes), traced_(traced), apart_(nodes * nodes, false) {}

void World::after(Microseconds delay, Task task) { queue_.push({now_ + delay, planned_++, std::move(task)}); }

void World::run_until(Microseconds end) {
    while (!queue_.empty() && queue_.top().at <= end) {
        now_ = queue_.top().at;
        auto task = std::move(const_cast<Planned&>(queue_.top()).task);
        queue_.pop();
        task();
    }
    now_ = std::max(now_, end);
}

void World::separate(Node a, Node b, bool apart) { apart_[a * nodes_ + b] = apart_[b * nodes_ + a] = apart; }

void World::heal() { apart_.assign(apart_.size(), false); }

Microseconds World::delay() { return random.mostly_low(30, weather.delay_max); }

void World::send(Node from, Node to, Task deliver) {
    int copies = random.chance(weather.lost_per_mille) ? 0 : random.chance(weather.twice_per_mille) ? 2 : 1;
    for (; copies > 0; --copies) {
        after(delay(), [this, from, to, deliver] {
            if (connected(from, to)) deliver();
        });
    }
}

void World::send_in_order(Node from, Node to, Microseconds& last_arrival, Task deliver, Task lost) {
    auto at = std::max(last_arrival + 1, now_ + delay());
    last_arrival = at;
    bool gone = random.chance(weather.lost_per_mille / 8);
    after(at - now_, [this, from, to, gone, deliver = std::move(deliver), lost = std::move(lost)] {
        if (gone || !connected(from, to)) lost();
        else deliver();
    });
}

void World::note(const std::string& text) const {
    std::printf("%4llu.%06llu  %s\n", static_cast<unsigned long long>(now_ / kSecond), static_cast<unsigned long long>(now_ % kSecond),
                text.c_str());
}

}  // namespace bough::safekeeper::simulation
