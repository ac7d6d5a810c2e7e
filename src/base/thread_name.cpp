#include "base/thread_name.hpp"

#include <pthread.h>

#include "bough/check.hpp"

namespace bough {

void name_thread(const char* name) { BOUGH_CHECK(::pthread_setname_np(::pthread_self(), name) == 0); }

}  // namespace bough
