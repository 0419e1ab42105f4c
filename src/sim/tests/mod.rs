//! Engines asked by bollard and by raw requests.
