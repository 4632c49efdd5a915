//! Who may be somebody on the machine: users, their groups and their homes.

use std::collections::BTreeMap;

use super::description::{MachineDescription, MachineError};

/// Where ids for guests and unnamed groups begin, as on common distributions.
const FIRST_FREE_ID: u32 = 1000;

/// A user as the machine knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub home: String,
    pub shell: String,
    /// Group names and ids, the primary first.
    pub groups: Vec<(String, u32)>,
}

impl Account {
    pub(super) fn gid(&self) -> u32 {
        self.groups.first().map_or(self.uid, |(_, gid)| *gid)
    }

    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }
}

pub(super) struct Accounts {
    users: Vec<Account>,
    groups: BTreeMap<String, u32>,
    guests: bool,
}

impl Accounts {
    pub(super) fn new(description: &MachineDescription) -> Result<Self, MachineError> {
        let mut groups = description.groups.clone();
        groups.entry("root".into()).or_insert(0);
        let mut accounts = Self { users: Vec::new(), groups, guests: description.guests };
        if !description.users.iter().any(|u| u.name == "root") {
            accounts.users.push(Account {
                name: "root".into(),
                uid: 0,
                home: "/root".into(),
                shell: "/bin/sh".into(),
                groups: vec![("root".into(), 0)],
            });
        }
        for user in &description.users {
            if accounts.users.iter().any(|known| known.name == user.name) {
                return Err(MachineError::TwiceDescribed(user.name.clone()));
            }
            let names =
                if user.groups.is_empty() { vec![user.name.clone()] } else { user.groups.clone() };
            let groups = names
                .into_iter()
                .map(|name| {
                    let gid = accounts.group_id(&name, user.uid);
                    (name, gid)
                })
                .collect();
            accounts.users.push(Account {
                name: user.name.clone(),
                uid: user.uid,
                home: user.home.clone().unwrap_or_else(|| home_of(&user.name)),
                shell: user.shell.clone().unwrap_or_else(|| "/bin/sh".into()),
                groups,
            });
        }
        Ok(accounts)
    }

    /// The id of a group, made when it is new: the wanted one when free.
    fn group_id(&mut self, name: &str, wanted: u32) -> u32 {
        if let Some(gid) = self.groups.get(name) {
            return *gid;
        }
        let mut gid = wanted;
        while self.groups.values().any(|taken| *taken == gid) {
            gid = gid.max(FIRST_FREE_ID - 1).wrapping_add(1);
        }
        self.groups.insert(name.to_owned(), gid);
        gid
    }

    pub(super) fn find(&self, name: &str) -> Option<Account> {
        self.users.iter().find(|user| user.name == name).cloned()
    }

    /// An account for a name nobody described.
    pub(super) fn guest(&self, name: &str) -> Option<Account> {
        let named = !name.is_empty() && !name.contains(['/', ':', '\0', '\n']) && name.len() <= 256;
        if !self.guests || !named || name == "." || name == ".." {
            return None;
        }
        let highest = self.users.iter().map(|user| user.uid).max();
        let uid = highest.unwrap_or(0).max(FIRST_FREE_ID).wrapping_add(1);
        Some(Account {
            name: name.to_owned(),
            uid,
            home: home_of(name),
            shell: "/bin/sh".into(),
            groups: vec![(name.to_owned(), uid)],
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Account> {
        self.users.iter()
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (&str, u32)> {
        self.groups.iter().map(|(name, gid)| (name.as_str(), *gid))
    }

    pub(super) fn user_name(&self, uid: u32) -> Option<&str> {
        self.users.iter().find(|user| user.uid == uid).map(|user| user.name.as_str())
    }

    pub(super) fn group_name(&self, gid: u32) -> Option<&str> {
        self.groups().find(|(_, id)| *id == gid).map(|(name, _)| name)
    }

    pub(super) fn group(&self, name: &str) -> Option<u32> {
        self.groups.get(name).copied()
    }
}

fn home_of(name: &str) -> String {
    if name == "root" { "/root".into() } else { format!("/home/{name}") }
}
