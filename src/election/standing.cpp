#include "election/standing.hpp"

#include <utility>

namespace bough::election {

Configuration in_force(const std::vector<Standing>& told, const Configuration& initial) {
    const Standing* newest = nullptr;
    auto order = [](const Standing& standing) { return std::pair(standing.configured_in, standing.configuration.generation); };
    for (const auto& standing : told)
        if (newest == nullptr || order(standing) > order(*newest)) newest = &standing;
    return newest == nullptr || newest->configuration.generation == 0 ? initial : newest->configuration;
}

}  // namespace bough::election
