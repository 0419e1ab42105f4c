//! Docker engines: one actor per host, one transport for every kind of connection. All of bollard stays here.
