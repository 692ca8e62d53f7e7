//! user_keys.
