//! Wakes who waits for a change of a followed file.
//! In: paths. Out: a hint that something may have happened, or that it is time to look anyway.
//! Never: what happened; a missed event costs a second, no line. Changes while nobody waits are one.
//! Start reading at [`Watcher::changed`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use linemux::MuxedEvents;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::identity::FileId;

/// The slow timer beside the events: for NFS, a full watch table, an event that was missed.
const TICK: Duration = Duration::from_secs(1);

/// A busy writer wakes us at most so often.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for a change of any followed path, or a second.
#[derive(Debug)]
pub struct Watcher {
    wake: Arc<Notify>,
    paths: mpsc::UnboundedSender<PathBuf>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Watches `paths`, which need not exist. Must be called in a tokio runtime with a timer.
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        let wake = Arc::new(Notify::new());
        let (sender, receiver) = mpsc::unbounded_channel();
        for path in paths {
            // The receiver is right here.
            let _ = sender.send(path.into());
        }
        let task = tokio::spawn(watch(receiver, Arc::clone(&wake)));
        Self {
            wake,
            paths: sender,
            task,
        }
    }

    /// Watches one more path, such as a file that a pattern matches newly. One that is watched
    /// already stays so.
    pub fn add(&self, path: impl Into<PathBuf>) {
        // Nobody receives when the runtime ends: then there is nothing to wake either.
        let _ = self.paths.send(path.into());
    }

    /// Waits until something may have changed since the last call, at most a second. May be
    /// cancelled without a loss.
    pub async fn changed(&mut self) {
        // An elapsed second is as good a reason to look.
        let _ = tokio::time::timeout(TICK, self.wake.notified()).await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes the events as they come, so that none pile up while nobody waits.
async fn watch(mut paths: mpsc::UnboundedReceiver<PathBuf>, wake: Arc<Notify>) {
    let mut watched = Watched::default();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let changed = tokio::select! {
            path = paths.recv() => match path {
                Some(path) => watched.add(path).await,
                None => return,
            },
            _ = tick.tick() => watched.mend().await,
            changed = watched.next() => changed,
        };
        if changed {
            wake.notify_one();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The paths and what linemux watches of them.
#[derive(Default)]
struct Watched {
    events: Option<MuxedEvents>,
    /// The file that each path led to when it was last given to linemux, and whether that worked.
    paths: BTreeMap<PathBuf, (Option<FileId>, bool)>,
    failure_said: bool,
}

impl Watched {
    async fn add(&mut self, path: PathBuf) -> bool {
        if self.paths.contains_key(&path) {
            return false;
        }
        self.paths.insert(path.clone(), (None, false));
        self.watch(&path).await;
        true
    }

    /// Gives linemux all paths anew when one leads to another file than it did (the watch is on the
    /// file, and a file moved over it goes unnoticed), or could not be watched.
    async fn mend(&mut self) -> bool {
        let stale = self
            .paths
            .iter()
            .any(|(path, (known, works))| !works || *known != identify(path));
        if stale {
            self.events = None;
            let paths: Vec<PathBuf> = self.paths.keys().cloned().collect();
            for path in paths {
                self.watch(&path).await;
            }
        }
        stale
    }

    async fn watch(&mut self, path: &Path) {
        let id = identify(path);
        let result = match &mut self.events {
            Some(events) => events.add_file(path).await,
            None => match MuxedEvents::new() {
                Ok(events) => self.events.insert(events).add_file(path).await,
                Err(error) => Err(error),
            },
        };
        let works = result.is_ok();
        if let Err(error) = result
            && !std::mem::replace(&mut self.failure_said, true)
        {
            tracing::debug!(
                path = %path.display(),
                %error,
                "cannot watch for changes, looking every second"
            );
        }
        self.paths.insert(path.to_owned(), (id, works));
    }

    /// The next event that may mean something for a followed file, and all that came with it.
    async fn next(&mut self) -> bool {
        let Some(events) = &mut self.events else {
            return std::future::pending().await;
        };
        let mut changed = false;
        loop {
            let event = if changed {
                tokio::select! {
                    biased;
                    event = events.next_event() => event,
                    () = std::future::ready(()) => return true,
                }
            } else {
                events.next_event().await
            };
            match event {
                // Others reading the file are no change of it.
                Ok(Some(event)) => changed |= !event.kind.is_access() && !event.paths.is_empty(),
                Ok(None) => return std::future::pending().await,
                Err(_) => changed = true,
            }
        }
    }
}

fn identify(path: &Path) -> Option<FileId> {
    fs::metadata(path).ok().as_ref().map(FileId::of)
}
