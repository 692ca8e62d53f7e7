//! secret.
