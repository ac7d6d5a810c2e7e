// Names of threads, as top -H, perf and /proc show them.
#pragma once

namespace bough {

// Of the calling thread. REQUIRES at most 15 characters, the kernel's limit.
void name_thread(const char* name);

}  // namespace bough
