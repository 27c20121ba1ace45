//! From the bytes of a log datagram to an event, and back.
