//! The fast tests, one binary.

mod cli;
mod showq;
mod web;
