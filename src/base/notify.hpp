// Tells systemd, or whoever set NOTIFY_SOCKET, how this process fares (sd_notify's datagram protocol).
#pragma once

namespace bough {

void notify_ready();
void notify_stopping();

}  // namespace bough
