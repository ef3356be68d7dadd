//! The text of a `--source` flag.
//! In: `file:PATH-OR-GLOB` or a bare path. Out: a [`SourceSpec`].
//! Never: a look at the disk; whether the file is there, the follower finds out.
//! A further kind of source (journal, syslog, standard input) becomes a scheme here.
//! Start reading at [`SourceSpec::from_str`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A source as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    text: String,
    path: PathBuf,
    pattern: Option<glob::Pattern>,
}

/// Why the text of a `--source` flag names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Something stands before the colon that we cannot read from.
    #[error(
        "unknown source scheme {scheme:?}: expected file:PATH-OR-GLOB or a path (a file of that name is ./{scheme})"
    )]
    UnknownScheme {
        /// What stands there.
        scheme: String,
    },
    /// No path at all.
    #[error("empty path: expected file:PATH-OR-GLOB")]
    EmptyPath,
    /// A pattern that matches nothing by its form.
    #[error("bad pattern {pattern:?}: {reason} (at byte {at})")]
    BadPattern {
        /// The pattern as written.
        pattern: String,
        /// Where it goes wrong.
        at: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

impl SourceSpec {
    /// The flag as written: the value of the label `source`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path or the pattern, without its scheme.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether several files may match: there is a `*`, `?` or `[` in it.
    pub fn is_pattern(&self) -> bool {
        self.pattern.is_some()
    }
}

impl FromStr for SourceSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let path = match scheme(text) {
            Some("file") => text.strip_prefix("file:").unwrap_or_default(),
            Some(scheme) => {
                return Err(SpecError::UnknownScheme {
                    scheme: scheme.to_owned(),
                });
            }
            None => text,
        };
        if path.is_empty() {
            return Err(SpecError::EmptyPath);
        }
        let pattern = if path.contains(['*', '?', '[']) {
            let pattern = glob::Pattern::new(path).map_err(|error| SpecError::BadPattern {
                pattern: path.to_owned(),
                at: error.pos,
                reason: error.msg,
            })?;
            Some(pattern)
        } else {
            None
        };
        Ok(Self {
            text: text.to_owned(),
            path: PathBuf::from(path),
            pattern,
        })
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What stands before the first colon, where it looks like a scheme and not like a path. `journal`
/// and `stdin` are schemes without a colon too: taken for a file's name they would only be missing.
fn scheme(text: &str) -> Option<&str> {
    if matches!(text, "journal" | "stdin" | "file") {
        return Some(text);
    }
    let (scheme, _) = text.split_once(':')?;
    let like_a_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '+');
    like_a_scheme.then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, path, pattern) in [
            ("file:/var/log/mail.log", "/var/log/mail.log", false),
            ("/var/log/mail.log", "/var/log/mail.log", false),
            ("mail.log", "mail.log", false),
            ("./journal", "./journal", false),
            ("/var/log/a:b", "/var/log/a:b", false),
            ("mail.log:1", "mail.log:1", false),
            ("file:/var/log/*/mail.log", "/var/log/*/mail.log", true),
        ] {
            let spec: SourceSpec = text.parse().expect(text);
            assert_eq!((spec.path(), spec.is_pattern()), (Path::new(path), pattern));
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn no_sources() {
        for (text, error) in [
            ("journal", "unknown source scheme \"journal\""),
            ("stdin", "unknown source scheme \"stdin\""),
            (
                "syslog+udp://0.0.0.0:514",
                "unknown source scheme \"syslog+udp\"",
            ),
            ("http://host/log", "unknown source scheme \"http\""),
            ("file:", "empty path"),
            ("file", "empty path"),
            ("", "empty path"),
            ("/var/log/[a", "bad pattern \"/var/log/[a\""),
        ] {
            let said = text.parse::<SourceSpec>().expect_err(text).to_string();
            assert!(said.starts_with(error), "{text}: {said}");
        }
    }
}
