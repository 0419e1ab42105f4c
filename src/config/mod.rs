//! Fleet file, Docker contexts, discovery, key map and theme files.
