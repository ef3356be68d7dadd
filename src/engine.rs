//! The one way of a line through all stages: the only file that calls them.
//!
//! In: blocks of whole lines, from any number of inputs. Out: a [`Frozen`] exposition when asked.
//! Never: I/O, the clock (the caller tells the time), a lock, an allocation for a line.
//! Start reading at [`Engine::feed`].

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use jiff::tz::TimeZone;

use crate::metrics::{Frozen, Metrics, MetricsConfig, ProgramId, Queue, QueueSample};
use crate::metrics::{SourceId, SourceSample};
use crate::parse::{self, Event, Kind, Program, Service, Software};
use crate::record::Headers;
use crate::track::{Account, Fact, Line, Origin, TrackConfig, Tracker};

/// A stamp further ahead of the wall clock is counted and never moves the clock.
const AHEAD_MAX_MS: i64 = 5 * 60 * 1_000;
/// Tags whose reading is kept. Others are read anew each time.
const TAGS_MAX: usize = 4_096;
const TAG_PLACES: usize = 256;
/// `message repeated N times` is believed up to here: a local program could write any number.
const REPEATED_MAX: u32 = 1_000_000;
/// A silent input is silent for so long that no line of the same moment will follow.
const SETTLED_AFTER_MS: i64 = 1_000;

/// How the engine understands and counts.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Of stamps that name none.
    pub zone: TimeZone,
    pub track: TrackConfig,
    pub metrics: MetricsConfig,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            zone: TimeZone::system(),
            track: TrackConfig::default(),
            metrics: MetricsConfig::default(),
        }
    }
}

/// One input: its headers are read in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputId(usize);

struct Input {
    headers: Headers,
    source: Option<SourceId>,
    last_line_ms: Option<i64>,
}

/// Where facts go: to the series, and to the page for people.
struct Counts {
    metrics: Metrics,
    /// By origin.
    messages: [u64; Origin::ALL.len()],
}

impl Counts {
    fn apply(&mut self, fact: &Fact<'_>) {
        if let Fact::Message { origin, .. } = fact {
            self.messages[*origin as usize] += 1;
        }
        self.metrics.apply(fact);
    }
}

/// Bytes in, series out.
pub struct Engine {
    inputs: Vec<Input>,
    tags: Tags,
    tracker: Tracker,
    counts: Counts,
    zone: TimeZone,
    now_ms: i64,
    /// The stamp of the last line that counts.
    last_ms: Option<i64>,
    /// Where windows end: that stamp, at the end of the input the wall clock.
    clock_ms: i64,
    lines: u64,
    unparsed: u64,
    /// Where to take the state that a report begins from, and that state.
    baseline: Option<(i64, Option<Box<Frozen>>)>,
}

impl Engine {
    pub fn new(config: EngineConfig) -> Self {
        Engine {
            inputs: Vec::new(),
            tags: Tags::default(),
            tracker: Tracker::new(config.track),
            counts: Counts {
                metrics: Metrics::new(config.metrics),
                messages: [0; Origin::ALL.len()],
            },
            zone: config.zone,
            now_ms: 0,
            last_ms: None,
            clock_ms: 0,
            lines: 0,
            unparsed: 0,
            baseline: None,
        }
    }

    /// An input that is told of in no `maillog_source_*` metric: a file of a report.
    pub fn input(&mut self, now_ms: i64) -> InputId {
        self.inputs.push(Input {
            headers: Headers::new(self.zone.clone(), now_ms),
            source: None,
            last_line_ms: None,
        });
        InputId(self.inputs.len() - 1)
    }

    /// An input under the name of its flag.
    pub fn source(&mut self, name: &str, now_ms: i64) -> InputId {
        let id = self.input(now_ms);
        self.inputs[id.0].source = Some(self.counts.metrics.source(name));
        id
    }

    /// Takes whole lines, each with its newline. `now_ms`: the wall clock.
    pub fn feed(&mut self, input: InputId, lines: &[u8], now_ms: i64) {
        self.now_ms = now_ms;
        let mut from = 0;
        for newline in memchr::memchr_iter(b'\n', lines) {
            self.line(input, &lines[from..newline]);
            from = newline + 1;
        }
        if from < lines.len() {
            self.line(input, &lines[from..]);
        }
    }

    fn line(&mut self, input: InputId, line: &[u8]) {
        let input = &mut self.inputs[input.0];
        let record = input.headers.read(line);
        let stamp_ms = record
            .time_ms
            .filter(|&stamp_ms| stamp_ms <= self.now_ms + AHEAD_MAX_MS);
        if stamp_ms.is_some() {
            input.last_line_ms = input.last_line_ms.max(stamp_ms);
            self.last_ms = stamp_ms;
        }
        let time_ms = self.last_ms.unwrap_or(self.now_ms);
        if let Some((since_ms, baseline @ None)) = &mut self.baseline
            && time_ms >= *since_ms
        {
            *baseline = Some(Box::new(self.counts.metrics.freeze(self.now_ms)));
        }
        self.clock_ms = time_ms;
        self.counts.metrics.set_time(Some(time_ms), self.now_ms);
        let repeated = record.repeated.min(REPEATED_MAX);
        let mut uncached = None;
        let (program, id) = self
            .tags
            .get(record.program, &mut self.counts.metrics, &mut uncached);
        let event = parse::parse(&program, &record);
        let is_unparsed = event == Event::Unparsed;
        let severity = parse::severity(record.message);
        self.counts
            .metrics
            .line(id, is_unparsed, severity, repeated);
        self.lines += u64::from(repeated);
        self.unparsed += u64::from(is_unparsed) * u64::from(repeated);
        let line = Line {
            host: record.host,
            program: &program,
            pid: record.pid,
            time_ms,
            repeated,
        };
        let counts = &mut self.counts;
        let mut sink = |fact: Fact<'_>| counts.apply(&fact);
        self.tracker.apply(&line, &event, &mut sink);
        if let Some(stamp_ms) = stamp_ms {
            self.tracker.advance(stamp_ms, &mut sink);
        }
    }

    /// The inputs have been at their ends for `silent_ms`: time goes on without lines.
    pub fn idle(&mut self, now_ms: i64, silent_ms: i64) {
        self.now_ms = now_ms;
        self.clock_ms = now_ms;
        // Where all stamps are ahead (another zone), the wall clock is all there is.
        let last_ms = self.last_ms.unwrap_or(now_ms.saturating_sub(silent_ms));
        if self.lines > 0 {
            // What is told late belongs to the time of its lines.
            self.counts.metrics.set_time(Some(last_ms), now_ms);
            self.settle(last_ms, silent_ms);
        }
        self.counts.metrics.set_time(None, now_ms);
    }

    fn settle(&mut self, last_ms: i64, silent_ms: i64) {
        let counts = &mut self.counts;
        let mut sink = |fact: Fact<'_>| counts.apply(&fact);
        self.tracker
            .advance(last_ms.saturating_add(silent_ms), &mut sink);
        if silent_ms >= SETTLED_AFTER_MS {
            self.tracker.settle(&mut sink);
        }
    }

    /// No line will come any more: what waits for one is told.
    pub fn finish(&mut self) {
        let counts = &mut self.counts;
        self.tracker.finish(&mut |fact| counts.apply(&fact));
    }

    /// What the source says of itself.
    pub fn set_source(&mut self, input: InputId, mut sample: SourceSample) {
        let input = &self.inputs[input.0];
        if let Some(source) = input.source {
            sample.last_line_ms = input.last_line_ms;
            self.counts.metrics.set_source(source, sample);
        }
    }

    /// `None` where the queue cannot be asked: its series end.
    pub fn set_queue(&mut self, queue: Queue, sample: Option<QueueSample>) {
        self.counts.metrics.set_queue(queue, sample);
    }

    /// The state of all series; to be taken between two lines.
    pub fn freeze(&mut self, now_ms: i64) -> Frozen {
        self.counts
            .metrics
            .set_user_client_networks(self.tracker.client_networks(self.clock_ms));
        for (service, networks) in self.tracker.failing_networks(self.clock_ms) {
            self.counts
                .metrics
                .set_auth_failing_networks(service, networks);
        }
        self.counts
            .metrics
            .set_tracked_messages(self.tracker.tracked_messages() as u64);
        self.counts.metrics.freeze(now_ms)
    }

    /// From the first line of this time or later on, a report counts.
    pub fn count_from(&mut self, since_ms: i64) {
        self.baseline = Some((since_ms, None));
    }

    /// The state before the first line that [`Engine::count_from`] asked for; `None` where no such
    /// line came, or none was asked for.
    pub fn baseline(&self) -> Option<&Frozen> {
        self.baseline.as_ref()?.1.as_deref()
    }

    /// Lines read, repetitions included.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Lines of programs that we claim to know that no rule knew.
    pub fn unparsed(&self) -> u64 {
        self.unparsed
    }

    pub fn last_line_ms(&self, input: InputId) -> Option<i64> {
        self.inputs[input.0].last_line_ms
    }

    /// The stamp of the last line of all inputs.
    pub fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }

    /// Messages accepted so far.
    pub fn messages(&self) -> impl Iterator<Item = (Origin, u64)> + '_ {
        Origin::ALL
            .into_iter()
            .map(|origin| (origin, self.counts.messages[origin as usize]))
    }

    pub fn tracked_messages(&self) -> usize {
        self.tracker.tracked_messages()
    }

    pub fn accounts(&self) -> usize {
        self.tracker.accounts()
    }

    /// Each account with the client networks of its last hour.
    pub fn client_networks(&self) -> impl Iterator<Item = (Account<'_>, u64)> {
        self.tracker.client_networks(self.clock_ms)
    }
}

/// What a tag says, without a borrow of its line.
struct Tag {
    text: Box<[u8]>,
    software: Software,
    service: Service,
    kind: Kind,
    process: Box<[u8]>,
    instance: Box<[u8]>,
    service_name: Option<Box<[u8]>>,
    id: ProgramId,
}

impl Tag {
    fn read(text: &[u8], metrics: &mut Metrics) -> Self {
        let program = parse::classify(text);
        Tag {
            software: program.software,
            service: program.service,
            kind: program.kind,
            process: program.process.into(),
            instance: program.instance.into(),
            service_name: program.service_name.map(Into::into),
            id: metrics.program(text, program.software),
            text: text.into(),
        }
    }

    fn program(&self) -> Program<'_> {
        Program {
            software: self.software,
            process: &self.process,
            instance: &self.instance,
            service_name: self.service_name.as_deref(),
            service: self.service,
            kind: self.kind,
        }
    }
}

/// What each tag says, read once.
#[derive(Default)]
struct Tags {
    read: Vec<Tag>,
    by_text: HashMap<Box<[u8]>, u32, RandomState>,
    /// The tag seen last among those that share a place: most lines need no hash.
    places: Vec<u32>,
}

impl Tags {
    fn get<'t>(
        &'t mut self,
        text: &[u8],
        metrics: &mut Metrics,
        uncached: &'t mut Option<Tag>,
    ) -> (Program<'t>, ProgramId) {
        if self.places.is_empty() {
            self.places = vec![u32::MAX; TAG_PLACES];
        }
        let place = place(text);
        let mut at = self.places[place];
        let is_it = |at: u32| {
            self.read
                .get(at as usize)
                .is_some_and(|tag| *tag.text == *text)
        };
        if !is_it(at) {
            at = match self.by_text.get(text) {
                Some(&at) => at,
                None if self.read.len() < TAGS_MAX => {
                    self.read.push(Tag::read(text, metrics));
                    let at = self.read.len() as u32 - 1;
                    self.by_text.insert(text.into(), at);
                    at
                }
                None => {
                    let tag = uncached.insert(Tag::read(text, metrics));
                    return (tag.program(), tag.id);
                }
            };
            self.places[place] = at;
        }
        let tag = &self.read[at as usize];
        (tag.program(), tag.id)
    }
}

fn place(text: &[u8]) -> usize {
    let byte = |at: usize| usize::from(text.get(at).copied().unwrap_or(0));
    let len = text.len();
    (len * 31 + byte(len.wrapping_sub(1)) * 7 + byte(len / 2) * 3 + byte(len.wrapping_sub(3)))
        % TAG_PLACES
}
