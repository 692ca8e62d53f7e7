//! A scripted upstream.
