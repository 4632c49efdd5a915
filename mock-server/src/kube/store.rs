//! The objects, their versions, and a bounded memory of what changed, from which watches read.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::Kind;

/// How many changes a watch may lie behind before it is told to list again.
const HISTORY: usize = 4096;
/// The first version; what is in the description is as old as the cluster.
const FIRST_VERSION: u64 = 1000;
/// More objects than this and creation is refused: the cluster lives in memory.
pub(crate) const CAPACITY: usize = 50_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    group: &'static str,
    plural: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn of(kind: &Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.namespaced { namespace } else { "" };
        Self {
            group: kind.group,
            plural: kind.plural,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    fn is(&self, kind: &Kind) -> bool {
        (self.group, self.plural) == (kind.group, kind.plural)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Happened {
    Added,
    Modified,
    Deleted,
}

#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) key: Key,
    pub(crate) happened: Happened,
    pub(crate) object: Arc<Value>,
    /// The object as it was, so that a watch knows what leaves its selection.
    pub(crate) before: Option<Arc<Value>>,
}

#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
pub(crate) struct State {
    objects: BTreeMap<Key, Arc<Value>>,
    version: u64,
    history: VecDeque<Change>,
    forgotten: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        let state = State {
            objects: BTreeMap::new(),
            version: FIRST_VERSION,
            history: VecDeque::new(),
            forgotten: 0,
        };
        Self { state: Mutex::new(state), changed: watch::Sender::new(FIRST_VERSION) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Everything `edit` does is one step to every reader; watches wake when it is done.
    pub(crate) fn edit<T>(&self, edit: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let before = state.version;
        let result = edit(&mut state);
        let after = state.version;
        drop(state);
        if after != before {
            self.changed.send_replace(after);
        }
        result
    }

    /// Wakes when anything changed since it last looked.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl State {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether everything since that version is still known. One from the future belongs to
    /// another life of this store.
    pub(crate) fn remembers(&self, version: u64) -> bool {
        (self.forgotten..=self.version).contains(&version)
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(key).map(Arc::clone)
    }

    /// In order of namespace and name, from just after `start`; all namespaces when it is empty.
    pub(crate) fn list<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        start: Option<&Key>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> + 'a {
        let lower = match start {
            Some(key) => Bound::Excluded(key.clone()),
            None => Bound::Included(Key::of(kind, namespace, "")),
        };
        self.objects
            .range((lower, Bound::Unbounded))
            .take_while(move |(key, _)| key.is(kind))
            .filter(move |(key, _)| {
                namespace.is_empty() || !kind.namespaced || key.namespace == namespace
            })
    }

    /// Writes an object under a new version, and says what it became.
    pub(crate) fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.version += 1;
        if let Some(metadata) = object.get_mut("metadata") {
            metadata["resourceVersion"] = self.version.to_string().into();
        }
        let object = Arc::new(object);
        let before = self.objects.insert(key.clone(), Arc::clone(&object));
        let happened = if before.is_some() { Happened::Modified } else { Happened::Added };
        self.remember(key, happened, Arc::clone(&object), before);
        object
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let before = self.objects.remove(key)?;
        self.version += 1;
        let mut last = (*before).clone();
        if let Some(metadata) = last.get_mut("metadata") {
            metadata["resourceVersion"] = self.version.to_string().into();
        }
        let last = Arc::new(last);
        self.remember(key.clone(), Happened::Deleted, Arc::clone(&last), Some(before));
        Some(last)
    }

    fn remember(
        &mut self,
        key: Key,
        happened: Happened,
        object: Arc<Value>,
        before: Option<Arc<Value>>,
    ) {
        if self.history.len() == HISTORY {
            self.forgotten = self.history.pop_front().map_or(0, |change| change.version);
        }
        self.history.push_back(Change { version: self.version, key, happened, object, before });
    }

    /// What happened to a kind after `version`, or nothing when that is beyond memory.
    pub(crate) fn since(&self, version: u64, kind: &Kind, namespace: &str) -> Option<Vec<Change>> {
        if version < self.forgotten {
            return None;
        }
        let start = self.history.partition_point(|change| change.version <= version);
        let ours = |change: &&Change| {
            change.key.is(kind)
                && (namespace.is_empty() || !kind.namespaced || change.key.namespace == namespace)
        };
        Some(self.history.range(start..).filter(ours).cloned().collect())
    }

    /// Every key in a namespace, for the day the namespace goes.
    pub(crate) fn keys_in(&self, namespace: &str) -> Vec<Key> {
        self.objects.keys().filter(|key| key.namespace == namespace).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kinds;
    use serde_json::json;

    #[test]
    fn versions_rise_and_history_tells() {
        let (store, map) = (Store::new(), kinds::named("ConfigMap").unwrap());
        let key = |name: &str| Key::of(map, "a", name);
        let start = store.read(State::version);
        store.edit(|state| {
            state.put(key("x"), json!({ "metadata": { "name": "x" } }));
            state.put(key("x"), json!({ "metadata": { "name": "x" } }));
            state.remove(&key("x"));
            assert!(state.remove(&key("x")).is_none());
        });
        let changes = store.read(|state| state.since(start, map, "a")).unwrap();
        let told: Vec<Happened> = changes.iter().map(|change| change.happened).collect();
        assert_eq!(told, [Happened::Added, Happened::Modified, Happened::Deleted]);
        assert!(store.read(|state| state.since(start, map, "b")).unwrap().is_empty());
        assert_eq!(store.read(State::version), start + 3);
    }

    #[test]
    fn memory_is_bounded() {
        let (store, map) = (Store::new(), kinds::named("ConfigMap").unwrap());
        let start = store.read(State::version);
        store.edit(|state| {
            for _ in 0..=HISTORY {
                state.put(Key::of(map, "a", "x"), json!({ "metadata": {} }));
            }
        });
        assert!(store.read(|state| state.since(start, map, "")).is_none());
        assert_eq!(
            store.read(|state| state.since(start + 1, map, "").map(|c| c.len())),
            Some(HISTORY)
        );
    }

    #[test]
    fn lists_go_on_from_where_they_stopped() {
        let (store, map) = (Store::new(), kinds::named("ConfigMap").unwrap());
        store.edit(|state| {
            for (namespace, name) in [("a", "1"), ("a", "2"), ("b", "1")] {
                state.put(Key::of(map, namespace, name), json!({ "metadata": {} }));
            }
            state.put(Key::of(kinds::named("Pod").unwrap(), "a", "p"), json!({ "metadata": {} }));
        });
        let names = |namespace: &str, start: Option<Key>| -> Vec<String> {
            store.read(|state| {
                let found = state.list(map, namespace, start.as_ref());
                found.map(|(key, _)| format!("{}/{}", key.namespace, key.name)).collect()
            })
        };
        assert_eq!(names("", None), ["a/1", "a/2", "b/1"]);
        assert_eq!(names("a", None), ["a/1", "a/2"]);
        assert_eq!(names("", Some(Key::of(map, "a", "1"))), ["a/2", "b/1"]);
    }
}
