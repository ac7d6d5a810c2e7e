"""What the system tests share: a Bough system in a directory of its own, a stock Postgres beside it, and clients of both."""
