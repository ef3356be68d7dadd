use maillog_exporter::simulate::{mix, story};
use std::io::{BufWriter, Write};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let n: u64 = a[2].parse().unwrap();
    let mut o = BufWriter::with_capacity(1 << 20, std::io::stdout());
    let t = if a[1] == "story" {
        story(&mut o, n, 1)
    } else {
        mix(&mut o, n, 1)
    }
    .unwrap();
    o.flush().unwrap();
    let mut e = BufWriter::new(std::io::stderr());
    for (k, v) in t {
        writeln!(e, "{k} {v}").unwrap();
    }
}
