//! The report as one JSON object. What a terminal would obey is escaped.

use std::io::{self, Write};

use super::{Summary, is_hidden};

pub fn write(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    for c in serde_json::to_string_pretty(summary)?.chars() {
        // Beyond ASCII only names have them, and those stand in strings.
        if c.is_ascii() && c != '\x7f' || !is_hidden(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text.push('\n');
    out.write_all(text.as_bytes())
}
