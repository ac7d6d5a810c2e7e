// What a run does when it finds that a promise was broken: it says which and aborts, as BOUGH_CHECK does in what is simulated.
#pragma once

#include <string>

namespace bough::safekeeper::simulation {

[[noreturn]] void broken(const std::string& promise);

}  // namespace bough::safekeeper::simulation
