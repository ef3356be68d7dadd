//! All checks.
use anyhow::bail;
pub struct Options;
impl Options {
    pub fn read(_: &[&str]) -> anyhow::Result<Options> {
        Ok(Options)
    }
}
pub fn run(_: &Options) -> anyhow::Result<bool> {
    bail!("soon")
}
