//! The log being written: lines planned in any order leave it in the order of their times, and with
//! each the truth grows.

use std::io::{self, Write};

use super::agenda::Agenda;
use super::host::{Host, Program};
use super::line::{Clock, Line, Stamp};
use super::truth::{Ledger, Name, Truth};

const WRITE_BYTES: usize = 1 << 16;

pub(super) struct Log {
    lines: Agenda<Line>,
    clock: Clock,
    ledger: Ledger,
    /// Emptied lines, to be filled again.
    blank: Vec<Line>,
    pending: Vec<u8>,
    /// Lines planned so far, by program.
    planned: Vec<u64>,
    pub written: u64,
}

impl Log {
    pub fn new(stamp: Stamp, offset_minutes: i32) -> Self {
        Log {
            lines: Agenda::new(),
            clock: Clock::new(stamp, offset_minutes),
            ledger: Ledger::new(),
            blank: Vec::new(),
            pending: Vec::with_capacity(WRITE_BYTES * 2),
            planned: vec![0; Program::ALL.len()],
            written: 0,
        }
    }

    /// The beginning of a line: host, tag, pid.
    pub fn line(&mut self, host: &Host, program: Program, pid: u32) -> Line {
        let mut line = match self.blank.pop() {
            Some(line) => line,
            None => Line {
                bytes: Vec::with_capacity(256),
                program,
                counts: Vec::new(),
            },
        };
        line.program = program;
        line.s(&host.name)
            .s(" ")
            .s(program.tag())
            .s("[")
            .n(u64::from(pid))
            .s("]: ");
        line
    }

    /// The line of a process that is busy for a moment only.
    pub fn brief(&mut self, host: &mut Host, program: Program, at_us: u64) -> Line {
        let pid = host.pid(program, at_us, at_us + 1000);
        self.line(host, program, pid)
    }

    pub fn plan(&mut self, at_us: u64, line: Line) {
        self.planned[line.program as usize] += 1;
        self.lines.plan(at_us, line);
    }

    pub fn planned(&self) -> u64 {
        self.planned.iter().sum()
    }

    pub fn planned_of(&self, program: Program) -> u64 {
        self.planned[program as usize]
    }

    pub fn name(&mut self, name: &str) -> Name {
        self.ledger.name(name)
    }

    pub fn next_us(&self) -> Option<u64> {
        self.lines.next_us()
    }

    pub fn truth(&self) -> Truth {
        self.ledger.truth()
    }

    /// Writes the next line.
    pub fn write_next(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Some((at_us, mut line)) = self.lines.take() else {
            return Ok(());
        };
        self.clock.write(at_us, &mut self.pending);
        self.pending.extend_from_slice(&line.bytes);
        self.pending.push(b'\n');
        self.ledger.line(line.program);
        self.written += 1;
        for &(series, by) in &line.counts {
            self.ledger.add(series, by);
        }
        line.bytes.clear();
        line.counts.clear();
        self.blank.push(line);
        if self.pending.len() >= WRITE_BYTES {
            self.flush(out)
        } else {
            Ok(())
        }
    }

    pub fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let result = out.write_all(&self.pending);
        self.pending.clear();
        result
    }
}
