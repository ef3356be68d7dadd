//! All fast tests, in one binary.

mod parse;
