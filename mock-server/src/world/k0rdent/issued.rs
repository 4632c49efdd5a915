//! The kubeconfigs that were issued, by cluster, by id and by the secret in them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::Site;
use crate::world::directory::Index;

/// One that was issued. It stays until it is deleted; its secret is good until then or its end.
pub struct Kubeconfig {
    /// Its place in the order of issue.
    pub number: u64,
    pub id: Box<str>,
    pub uid: Uuid,
    pub site: Site,
    /// Who asked for it.
    pub issuer: Index,
    /// As whom its holder acts.
    pub user: Box<str>,
    pub groups: Vec<String>,
    pub role: Box<str>,
    pub issued_for: Box<str>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    secret: Box<str>,
    over: watch::Sender<bool>,
}

impl Kubeconfig {
    /// True once it is deleted or has expired; the sender goes when its world does.
    pub fn over(&self) -> watch::Receiver<bool> {
        self.over.subscribe()
    }

    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

impl std::fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubeconfig").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is to be issued.
pub struct New {
    pub uid: Uuid,
    pub site: Site,
    pub issuer: Index,
    pub user: Box<str>,
    pub groups: Vec<String>,
    pub role: Box<str>,
    pub issued_for: Box<str>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub secret: Box<str>,
}

/// A cluster has as many as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Those of one installation.
#[derive(Debug, Default)]
pub struct Kubeconfigs {
    issued: u64,
    sites: HashMap<Site, BTreeMap<u64, Arc<Kubeconfig>>>,
    secrets: HashMap<Box<str>, Arc<Kubeconfig>>,
}

impl Kubeconfigs {
    /// Keeps a new one under an id that `id` makes, asked again while one is taken.
    pub fn add(
        &mut self,
        new: New,
        most: u32,
        mut id: impl FnMut() -> String,
    ) -> Result<Arc<Kubeconfig>, TooMany> {
        let here = self.sites.entry(new.site).or_default();
        if here.len() >= most as usize {
            return Err(TooMany);
        }
        let id = loop {
            let id = id();
            if !here.values().any(|one| *one.id == id) {
                break id.into_boxed_str();
            }
        };
        self.issued += 1;
        let made = Arc::new(Kubeconfig {
            number: self.issued,
            id,
            uid: new.uid,
            site: new.site,
            issuer: new.issuer,
            user: new.user,
            groups: new.groups,
            role: new.role,
            issued_for: new.issued_for,
            created: new.created,
            expires: new.expires,
            secret: new.secret.clone(),
            over: watch::Sender::new(false),
        });
        here.insert(made.number, Arc::clone(&made));
        self.secrets.insert(new.secret, Arc::clone(&made));
        Ok(made)
    }

    /// Those of a cluster, in the order of issue.
    pub fn at(&self, site: Site) -> impl Iterator<Item = &Arc<Kubeconfig>> {
        self.sites.get(&site).into_iter().flat_map(BTreeMap::values)
    }

    pub fn find(&self, site: Site, id: &str) -> Option<&Arc<Kubeconfig>> {
        self.at(site).find(|one| *one.id == *id)
    }

    pub fn delete(&mut self, kubeconfig: &Kubeconfig) {
        if let Some(here) = self.sites.get_mut(&kubeconfig.site) {
            here.remove(&kubeconfig.number);
        }
        self.secrets.remove(&kubeconfig.secret);
        kubeconfig.over.send_replace(true);
    }

    /// The one whose secret this is, if it is good now.
    pub fn by_secret(&self, secret: &str, now: Timestamp) -> Option<Arc<Kubeconfig>> {
        self.secrets.get(secret).filter(|one| !one.has_expired(now)).map(Arc::clone)
    }

    /// Ends what is still going on under those whose time is up.
    pub fn sweep(&self, now: Timestamp) {
        for one in self.secrets.values().filter(|one| one.has_expired(now)) {
            one.over.send_if_modified(|over| !std::mem::replace(over, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Site = Site { region: 0, project: 0, cluster: 0 };

    fn new(secret: &str, expires: Option<i64>) -> New {
        New {
            uid: Uuid::nil(),
            site: SITE,
            issuer: 0,
            user: "kim".into(),
            groups: Vec::new(),
            role: "viewer".into(),
            issued_for: "kim".into(),
            created: Timestamp::UNIX_EPOCH,
            expires: expires.map(|second| Timestamp::from_second(second).unwrap()),
            secret: secret.into(),
        }
    }

    #[test]
    fn an_id_that_is_taken_is_drawn_again_and_the_cap_holds() {
        let mut all = Kubeconfigs::default();
        let mut ids = ["b", "a", "a", "b"].map(str::to_owned).to_vec();
        let first = all.add(new("1", None), 2, || ids.pop().unwrap()).unwrap();
        let second = all.add(new("2", None), 2, || ids.pop().unwrap()).unwrap();
        assert_eq!((&*first.id, &*second.id), ("b", "a"));
        assert_eq!(all.add(new("3", None), 2, || "c".into()).unwrap_err(), TooMany);
        all.delete(&first);
        assert!(all.add(new("3", None), 2, || "c".into()).is_ok());
        assert!(all.find(SITE, "b").is_none() && all.by_secret("1", first.created).is_none());
    }

    #[test]
    fn the_end_is_told_once_and_a_secret_is_good_until_then() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut all = Kubeconfigs::default();
        let one = all.add(new("s", Some(10)), 1, || "a".into()).unwrap();
        let mut over = one.over();
        all.sweep(at(9));
        assert!(!over.has_changed().unwrap() && all.by_secret("s", at(9)).is_some());
        all.sweep(at(10));
        assert!(*over.borrow_and_update() && all.by_secret("s", at(10)).is_none());
        all.sweep(at(11));
        assert!(!over.has_changed().unwrap());
        assert!(all.find(SITE, "a").is_some(), "it can still be read");
    }
}
