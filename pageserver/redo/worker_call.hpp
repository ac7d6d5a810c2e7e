// One question to a worker and where its answer goes, with what happened to the workers it was asked of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "bough/error.hpp"
#include "pageserver/redo/redo_request.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

struct WorkerCall {
    const RedoRequest* apply = nullptr;  // or, if null, a mask of the page at `page`:
    std::uint8_t mask_resource_manager = 0;
    std::uint32_t mask_block = 0;

    std::byte* page = nullptr;       // pg::kPageBytes
    Result<void>* result = nullptr;  // set once answered or given up

    unsigned faults = 0;         // workers that died or hung while this was all they had been asked
    unsigned outside_kills = 0;  // workers that somebody killed meanwhile
};

// "page 1663/5/16384 main block 7, records 0/1000 to 0/2000": what errors and logs call it.
std::string describe(const WorkerCall& call);

}  // namespace bough::pageserver
