//! A scripted upstream as a program.
fn main() {}
