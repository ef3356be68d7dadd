//! All fast tests, one binary.

mod record;
