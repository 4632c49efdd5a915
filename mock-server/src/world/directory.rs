//! A world file resolved: names to ids, tokens to logins, and every reference checked.

use std::sync::Arc;

use hashbrown::HashMap;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::checks::{check_host, check_policies, collect_keys, collect_tokens};
use super::file::{
    Domain, Identity, Node, NodeKey, Project, Resource, Token, WorldError, WorldFile,
};
use crate::rebac::{Relation, Subject, Tuple};

/// Positions in the lists of the world file; sessions store these four bytes instead of names.
pub type Index = u32;

#[derive(Debug)]
pub struct Directory {
    pub file: WorldFile,
    tokens: HashMap<String, Login>,
    projects: HashMap<Uuid, Index>,
    resources: HashMap<Uuid, Index>,
    identities: HashMap<Uuid, Index>,
    project_domains: Vec<Index>,
    resource_projects: Vec<Index>,
    identity_domains: Vec<Option<Index>>,
    resource_nodes: Vec<Option<Index>>,
    node_keys: HashMap<String, NodeLogin>,
    labels: Vec<Arc<str>>,
    domain_uris: Vec<String>,
    resource_uris: Vec<String>,
    identity_uris: Vec<String>,
    resource_objects: Vec<String>,
    identity_objects: Vec<String>,
    names: HashMap<String, String>,
}

/// One token of one identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    pub identity: Index,
    pub(super) token: Index,
}

/// One key of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLogin {
    pub node: Index,
    pub(super) key: Index,
}

pub(super) fn wrong(place: String, what: impl Into<String>) -> WorldError {
    WorldError::Content { place, what: what.into() }
}

pub(super) fn at(index: usize) -> Index {
    Index::try_from(index).unwrap_or(Index::MAX)
}

impl Directory {
    pub fn resolve(file: WorldFile) -> Result<Self, WorldError> {
        let mut names = Names::default();
        let domains =
            names.number("domains", "domain", file.domains.iter().map(|d| (d.id, &d.slug)))?;
        let projects =
            names.number("projects", "project", file.projects.iter().map(|p| (p.id, &p.slug)))?;
        let resources = names.number(
            "resources",
            "resource",
            file.resources.iter().map(|r| (r.id, &r.name)),
        )?;
        let identities = names.number(
            "identities",
            "identity",
            file.identities.iter().map(|i| (i.id, &i.name)),
        )?;
        let find =
            |names: &Names, place: String, slug: &str, kind: &str, among: &HashMap<Uuid, Index>| {
                names
                    .0
                    .get(&[kind, ":", slug].concat())
                    .and_then(|object| object.split_once(':'))
                    .and_then(|(_, id)| id.parse::<Uuid>().ok())
                    .and_then(|id| among.get(&id).copied())
                    .ok_or_else(|| wrong(place, format!("there is no {kind} `{slug}`")))
            };
        let project_domains = (file.projects.iter().enumerate())
            .map(|(n, p)| {
                find(&names, format!("projects[{n}].domain"), &p.domain, "domain", &domains)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let resource_projects = (file.resources.iter().enumerate())
            .map(|(n, r)| {
                find(&names, format!("resources[{n}].project"), &r.project, "project", &projects)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let identity_domains = (file.identities.iter().enumerate())
            .map(|(n, i)| {
                let place = format!("identities[{n}].domain");
                i.domain.as_ref().map(|d| find(&names, place, d, "domain", &domains)).transpose()
            })
            .collect::<Result<Vec<_>, _>>()?;
        let nodes = names.number("nodes", "node", file.nodes.iter().map(|n| (n.id, &n.name)))?;
        let resource_nodes = (file.resources.iter().enumerate())
            .map(|(n, r)| {
                let named = r
                    .node
                    .as_ref()
                    .map(|node| find(&names, format!("resources[{n}].node"), node, "node", &nodes));
                named.transpose().map(|one| one.or_else(|| (!file.nodes.is_empty()).then_some(0)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        check_policies(&file)?;
        check_host(&file)?;
        let node_keys = collect_keys(&file)?;
        let labels = file.identities.iter().map(|one| Arc::from(one.name.as_str())).collect();
        let spelled = |start: &str, ids: &mut dyn Iterator<Item = Uuid>| -> Vec<String> {
            ids.map(|id| spell(start, id)).collect()
        };
        let mut domain_ids = file.domains.iter().map(|one| one.id);
        let domain_uris = spelled("plexsphere://domain/", &mut domain_ids);
        let resource_ids = || file.resources.iter().map(|one| one.id);
        let resource_uris = spelled("resource://", &mut resource_ids());
        let resource_objects = spelled("resource:", &mut resource_ids());
        let identity_ids = || file.identities.iter().map(|one| one.id);
        let identity_uris = spelled("identity://", &mut identity_ids());
        let identity_objects = spelled("identity:", &mut identity_ids());
        let tokens = collect_tokens(&file)?;
        let names = names.0;
        Ok(Self {
            file,
            tokens,
            projects,
            resources,
            identities,
            project_domains,
            resource_projects,
            identity_domains,
            resource_nodes,
            node_keys,
            labels,
            domain_uris,
            resource_uris,
            identity_uris,
            resource_objects,
            identity_objects,
            names,
        })
    }

    pub fn login(&self, token: &str) -> Option<Login> {
        self.tokens.get(token).copied()
    }

    pub fn token(&self, login: Login) -> &Token {
        &self.file.identities[login.identity as usize].tokens[login.token as usize]
    }

    pub fn node_login(&self, nsk: &str) -> Option<NodeLogin> {
        self.node_keys.get(nsk).copied()
    }

    /// Whether a part of the path is the token of a caller or the key of a node.
    pub fn holds_secret(&self, path: &str) -> bool {
        path.split('/').any(|part| {
            let part = percent_encoding::percent_decode_str(part).decode_utf8_lossy();
            self.tokens.contains_key(&*part) || self.node_keys.contains_key(&*part)
        })
    }

    pub fn node_key(&self, login: NodeLogin) -> &NodeKey {
        &self.node(login.node).keys[login.key as usize]
    }

    pub fn node(&self, index: Index) -> &Node {
        &self.file.nodes[index as usize]
    }

    /// Where the sessions of a resource listen.
    pub fn node_of(&self, resource: Index) -> Option<Index> {
        self.resource_nodes[resource as usize]
    }

    pub fn identity(&self, index: Index) -> &Identity {
        &self.file.identities[index as usize]
    }

    /// The name of an identity, cheap to keep.
    pub fn label(&self, index: Index) -> Arc<str> {
        Arc::clone(&self.labels[index as usize])
    }

    pub fn identity_domain(&self, index: Index) -> Option<&Domain> {
        self.identity_domains[index as usize].map(|domain| self.domain(domain))
    }

    pub fn find_identity(&self, id: Uuid) -> Option<Index> {
        self.identities.get(&id).copied()
    }

    pub fn find_project(&self, id: Uuid) -> Option<Index> {
        self.projects.get(&id).copied()
    }

    pub fn find_resource(&self, id: Uuid) -> Option<Index> {
        self.resources.get(&id).copied()
    }

    pub fn project(&self, index: Index) -> &Project {
        &self.file.projects[index as usize]
    }

    pub fn resource(&self, index: Index) -> &Resource {
        &self.file.resources[index as usize]
    }

    pub fn domain(&self, index: Index) -> &Domain {
        &self.file.domains[index as usize]
    }

    pub fn project_of(&self, resource: Index) -> Index {
        self.resource_projects[resource as usize]
    }

    pub fn domain_of(&self, project: Index) -> Index {
        self.project_domains[project as usize]
    }

    /// How tokens name a domain.
    pub fn domain_uri(&self, index: Index) -> &str {
        &self.domain_uris[index as usize]
    }

    /// How tokens name a resource.
    pub fn resource_uri(&self, index: Index) -> &str {
        &self.resource_uris[index as usize]
    }

    /// How tokens name an identity.
    pub fn identity_uri(&self, index: Index) -> &str {
        &self.identity_uris[index as usize]
    }

    /// How relations name a resource.
    pub fn resource_object(&self, index: Index) -> &str {
        &self.resource_objects[index as usize]
    }

    /// How relations name an identity.
    pub fn identity_object(&self, index: Index) -> &str {
        &self.identity_objects[index as usize]
    }

    /// `identity:olivia` as `identity:<her id>`; what is not known by name stays as it is.
    pub fn object(&self, named: &str) -> String {
        self.names.get(named).cloned().unwrap_or_else(|| named.to_owned())
    }

    /// The relations to judge by: those of the file with names resolved, and those that
    /// the places of projects and resources imply.
    pub fn relations(&self) -> Vec<Relation> {
        let stated = self.file.relations.iter().map(|relation| Relation {
            tuple: self.resolve_tuple(&relation.tuple),
            ..relation.clone()
        });
        let of_resources = self
            .file
            .resources
            .iter()
            .zip(&self.resource_projects)
            .map(|(r, p)| belongs("resource", r.id, "project", self.project(*p).id));
        let of_projects = self
            .file
            .projects
            .iter()
            .zip(&self.project_domains)
            .map(|(p, d)| belongs("project", p.id, "domain", self.domain(*d).id));
        stated.chain(of_resources).chain(of_projects).collect()
    }

    fn resolve_tuple(&self, tuple: &Tuple) -> Tuple {
        Tuple {
            object: self.object(&tuple.object),
            relation: tuple.relation.clone(),
            subject: match &tuple.subject {
                Subject::Object(object) => Subject::Object(self.object(object)),
                Subject::Everyone(kind) => Subject::Everyone(kind.clone()),
                Subject::Set { object, relation } => {
                    Subject::Set { object: self.object(object), relation: relation.clone() }
                }
            },
        }
    }
}

fn belongs(kind: &str, id: Uuid, place: &str, place_id: Uuid) -> Relation {
    Relation::from(Tuple {
        object: spell(&[kind, ":"].concat(), id),
        relation: place.to_owned(),
        subject: Subject::Object(spell(&[place, ":"].concat(), place_id)),
    })
}

/// A world has hundreds of ids to spell, at every start: formatting takes four times as long.
fn spell(start: &str, id: Uuid) -> String {
    let mut spelled = String::with_capacity(start.len() + Hyphenated::LENGTH);
    spelled.push_str(start);
    spelled.push_str(id.hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH]));
    spelled
}

/// `type:name` to `type:id`, for everything that a relation may mention.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn number<'a>(
        &mut self,
        list: &str,
        kind: &str,
        entries: impl Iterator<Item = (Uuid, &'a String)>,
    ) -> Result<HashMap<Uuid, Index>, WorldError> {
        let mut by_id = HashMap::new();
        let start = [kind, ":"].concat();
        for (n, (id, name)) in entries.enumerate() {
            if name.is_empty() || name.chars().any(char::is_whitespace) {
                return Err(wrong(
                    format!("{list}[{n}]"),
                    format!("`{name}` cannot be a name here"),
                ));
            }
            if by_id.insert(id, at(n)).is_some() {
                return Err(wrong(format!("{list}[{n}].id"), format!("{id} is there twice")));
            }
            if self.0.insert([&start, name.as_str()].concat(), spell(&start, id)).is_some() {
                return Err(wrong(
                    format!("{list}[{n}]"),
                    format!("{kind} `{name}` is there twice"),
                ));
            }
        }
        Ok(by_id)
    }
}
