// What a run does when it finds that a promise was broken: it says which and aborts, as BOUGH_CHECK does in what is simulated.
#pragma once

#include <span>
#include <string>

namespace bough::safekeeper::simulation {

[[noreturn]] void broken(const std::string& promise);

// Where the words also go, as far as there is room for them and a null byte: memory that outlives the process.
void leave_last_words_in(std::span<char> place);

}  // namespace bough::safekeeper::simulation
