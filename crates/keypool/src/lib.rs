//! The key pool.
