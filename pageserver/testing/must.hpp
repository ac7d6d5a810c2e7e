// For benches and what they are made of: what goes wrong ends the program.
#pragma once

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "bough/error.hpp"

namespace bough::pageserver::testing {

// The value, or std::runtime_error.
template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace bough::pageserver::testing
