//! The recipients of a message that were deferred and are not finished: what `status=expired`, which
//! names nobody, is about.
//!
//! One pool for all messages, a chain for each. At most [`CHAIN_MAX`] a message and [`POOL_MAX`] in
//! all; what does not fit is counted by the message's `nrcpt`.

use super::attempt::Place;

const NONE: u32 = u32::MAX;
/// Deferred recipients remembered of one message.
const CHAIN_MAX: u32 = 1_024;
/// Deferred recipients remembered of all messages.
const POOL_MAX: usize = 400_000;

/// A recipient whose last attempt was deferred.
#[derive(Debug, Clone, Copy)]
pub struct Deferred {
    /// Of its address.
    pub hash: u64,
    pub domain: NameId,
    pub transport: NameId,
    pub dsn_class: u8,
    pub place: Place,
    /// Was counted as a refused recipient.
    pub refused: bool,
}

/// One message's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    head: u32,
    len: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Chain { head: NONE, len: 0 }
    }
}

impl Chain {
    pub fn len(self) -> u32 {
        self.len
    }

    /// Whether whoever was deferred is in it: not so where none was seen, or more than fit.
    pub fn is_complete(self) -> bool {
        (1..CHAIN_MAX).contains(&self.len)
    }
}

#[derive(Debug)]
struct Node {
    deferred: Deferred,
    next: u32,
}

/// All chains.
#[derive(Debug)]
pub struct Pool {
    nodes: Vec<Node>,
    free: u32,
    used: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Pool {
            nodes: Vec::new(),
            free: NONE,
            used: 0,
        }
    }
}

impl Pool {
    pub fn find(&mut self, chain: Chain, hash: u64) -> Option<&mut Deferred> {
        let mut at = chain.head;
        while at != NONE {
            let node = &self.nodes[at as usize];
            if node.deferred.hash == hash {
                return Some(&mut self.nodes[at as usize].deferred);
            }
            at = node.next;
        }
        None
    }

    /// False where there is no room.
    pub fn push(&mut self, chain: &mut Chain, deferred: Deferred) -> bool {
        if chain.len >= CHAIN_MAX || self.used >= POOL_MAX {
            return false;
        }
        let node = Node {
            deferred,
            next: chain.head,
        };
        chain.head = if self.free == NONE {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        } else {
            let at = self.free;
            self.free = self.nodes[at as usize].next;
            self.nodes[at as usize] = node;
            at
        };
        chain.len += 1;
        self.used += 1;
        true
    }

    pub fn remove(&mut self, chain: &mut Chain, hash: u64) -> Option<Deferred> {
        let mut before = NONE;
        let mut at = chain.head;
        while at != NONE {
            let next = self.nodes[at as usize].next;
            if self.nodes[at as usize].deferred.hash == hash {
                if before == NONE {
                    chain.head = next;
                } else {
                    self.nodes[before as usize].next = next;
                }
                chain.len -= 1;
                self.release(at);
                return Some(self.nodes[at as usize].deferred);
            }
            before = at;
            at = next;
        }
        None
    }

    /// Takes one off, whichever.
    pub fn pop(&mut self, chain: &mut Chain) -> Option<Deferred> {
        if chain.head == NONE {
            return None;
        }
        let at = chain.head;
        chain.head = self.nodes[at as usize].next;
        chain.len -= 1;
        self.release(at);
        Some(self.nodes[at as usize].deferred)
    }

    pub fn clear(&mut self, chain: &mut Chain) {
        while self.pop(chain).is_some() {}
    }

    fn release(&mut self, at: u32) {
        self.nodes[at as usize].next = self.free;
        self.free = at;
        self.used -= 1;
    }
}

/// A short text that is remembered once: a domain, a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameId(u32);

/// Texts that outlive their line. At most [`NAMES_MAX`]; then a text is remembered as empty.
#[derive(Debug)]
pub struct Names {
    texts: Vec<Box<[u8]>>,
    by_text: hashbrown::HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>,
}

const NAMES_MAX: usize = 16_384;
const NAME_BYTES_MAX: usize = 256;

impl Names {
    pub fn new(seed: u64) -> Self {
        let state = foldhash::fast::FixedState::with_seed(seed);
        Names {
            texts: vec![Box::default()],
            by_text: hashbrown::HashMap::with_hasher(state),
        }
    }

    pub fn intern(&mut self, text: &[u8]) -> NameId {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return NameId(0);
        }
        if let Some(&id) = self.by_text.get(text) {
            return NameId(id);
        }
        if self.texts.len() >= NAMES_MAX {
            return NameId(0);
        }
        let id = self.texts.len() as u32;
        self.texts.push(text.into());
        self.by_text.insert(text.into(), id);
        NameId(id)
    }

    pub fn get(&self, id: NameId) -> &[u8] {
        self.texts.get(id.0 as usize).map_or(b"", |text| text)
    }
}
