//! Simulated Docker engines that speak the Docker API.
