//! The tuples and permissions of a world, indexed once so that a check costs what it touches.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use jiff::Timestamp;

use super::tuple::{is_name, type_of};
use super::{Caveat, Relation, Subject};

/// Per type, per permission, the terms of which any one suffices: a relation or a permission of the
/// same object (`operator`), or one of the objects that a relation leads to (`project->act`).
pub type Permissions = BTreeMap<String, BTreeMap<String, Vec<String>>>;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("permissions.{kind}: `{kind}` is not a type name (lower-case letters, digits, `_`)")]
    TypeName { kind: String },
    #[error(
        "permissions.{kind}.{permission}: `{permission}` is not a permission name (lower-case letters, digits, `_`)"
    )]
    PermissionName { kind: String, permission: String },
    #[error(
        "permissions.{kind}.{permission}: `{term}` is neither `relation` nor `relation->permission`"
    )]
    Term { kind: String, permission: String, term: String },
    #[error(
        "`{tuple}`: `{relation}` is a permission of {kind}; it follows from relations and cannot be stated"
    )]
    StatesPermission { tuple: String, relation: String, kind: String },
}

/// An interned name or object. Objects and relation names have a numbering each.
pub(super) type Id = u32;

/// `object#relation`, the nodes of the graph that a check walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub object: Id,
    pub relation: Id,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Term {
    /// A relation or a permission of the same object.
    Own(Id),
    /// Of every object that `via` leads to, `then`.
    Arrow { via: Id, then: Id },
}

/// What a tuple adds to its being there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    pub caveat: Option<Caveat>,
    pub expires_at: Option<Timestamp>,
}

/// The tuples of one `object#relation`.
#[derive(Debug, Clone, Default)]
pub(super) struct Edges {
    /// Sorted by subject: a group of ten thousand members is searched, not walked.
    pub direct: Vec<(Id, Option<Id>)>,
    /// Of everybody of a type.
    pub everyone: Vec<(String, Option<Id>)>,
    /// Of everybody in a relation to another object, in the order of the world file.
    pub sets: Vec<(Node, Option<Id>)>,
}

/// Relations and permissions, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Model {
    objects: Interner,
    relations: Interner,
    pub(super) edges: HashMap<Node, Edges>,
    /// By type, then by permission. Types are few; what is asked of them is one permission.
    rewrites: HashMap<String, HashMap<Id, Vec<Term>>>,
    pub(super) conditions: Vec<Condition>,
    /// The relations stated on an object, for the reason of a denial.
    stated: HashMap<Id, Vec<Id>>,
}

impl Model {
    pub fn build(permissions: &Permissions, relations: &[Relation]) -> Result<Self, ModelError> {
        let mut model = Self::default();
        for (kind, by_permission) in permissions {
            model.add_permissions(kind, by_permission)?;
        }
        for relation in relations {
            model.add_relation(relation)?;
        }
        for edges in model.edges.values_mut() {
            edges.direct.sort_unstable();
            edges.direct.dedup();
        }
        Ok(model)
    }

    fn add_permissions(
        &mut self,
        kind: &str,
        by_permission: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), ModelError> {
        if !is_name(kind) {
            return Err(ModelError::TypeName { kind: kind.to_owned() });
        }
        for (permission, terms) in by_permission {
            if !is_name(permission) {
                return Err(ModelError::PermissionName {
                    kind: kind.to_owned(),
                    permission: permission.clone(),
                });
            }
            let mut rewrite = Vec::with_capacity(terms.len());
            for term in terms {
                let parsed = self.parse_term(term).ok_or_else(|| ModelError::Term {
                    kind: kind.to_owned(),
                    permission: permission.clone(),
                    term: term.clone(),
                })?;
                rewrite.push(parsed);
            }
            let permission = self.relations.intern(permission);
            self.rewrites.entry(kind.to_owned()).or_default().insert(permission, rewrite);
        }
        Ok(())
    }

    fn parse_term(&mut self, term: &str) -> Option<Term> {
        match term.split_once("->") {
            Some((via, then)) if is_name(via) && is_name(then) => Some(Term::Arrow {
                via: self.relations.intern(via),
                then: self.relations.intern(then),
            }),
            None if is_name(term) => Some(Term::Own(self.relations.intern(term))),
            _ => None,
        }
    }

    fn add_relation(&mut self, stated: &Relation) -> Result<(), ModelError> {
        let tuple = &stated.tuple;
        let kind = type_of(&tuple.object);
        let relation = self.relations.intern(&tuple.relation);
        if self.rewrites.get(kind).is_some_and(|by| by.contains_key(&relation)) {
            return Err(ModelError::StatesPermission {
                tuple: tuple.to_string(),
                relation: tuple.relation.clone(),
                kind: kind.to_owned(),
            });
        }
        let condition = self.condition(stated);
        let node = Node { object: self.objects.intern(&tuple.object), relation };
        let subject = match &tuple.subject {
            Subject::Object(object) => Either::Direct(self.objects.intern(object)),
            Subject::Everyone(kind) => Either::Everyone(kind.clone()),
            Subject::Set { object, relation } => Either::Set(Node {
                object: self.objects.intern(object),
                relation: self.relations.intern(relation),
            }),
        };
        let on_object = self.stated.entry(node.object).or_default();
        if !on_object.contains(&relation) {
            on_object.push(relation);
        }
        let edges = self.edges.entry(node).or_default();
        match subject {
            Either::Direct(id) => edges.direct.push((id, condition)),
            Either::Everyone(kind) => edges.everyone.push((kind, condition)),
            Either::Set(set) => edges.sets.push((set, condition)),
        }
        Ok(())
    }

    fn condition(&mut self, stated: &Relation) -> Option<Id> {
        if stated.caveat.is_none() && stated.expires_at.is_none() {
            return None;
        }
        let condition = Condition { caveat: stated.caveat.clone(), expires_at: stated.expires_at };
        let known = self.conditions.iter().position(|known| *known == condition);
        let index = known.unwrap_or_else(|| {
            self.conditions.push(condition);
            self.conditions.len() - 1
        });
        // A world that overflows this has run out of memory long before.
        Some(Id::try_from(index).unwrap_or(Id::MAX))
    }

    pub(super) fn object(&self, name: &str) -> Option<Id> {
        self.objects.find(name)
    }

    pub(super) fn relation(&self, name: &str) -> Option<Id> {
        self.relations.find(name)
    }

    pub(super) fn object_name(&self, id: Id) -> &str {
        self.objects.name(id)
    }

    pub(super) fn node_name(&self, node: Node) -> String {
        format!("{}#{}", self.objects.name(node.object), self.relations.name(node.relation))
    }

    pub(super) fn rewrite(&self, node: Node) -> Option<&[Term]> {
        let kind = type_of(self.objects.name(node.object));
        self.rewrites.get(kind)?.get(&node.relation).map(Vec::as_slice)
    }

    /// Whether some permission of the object's type follows this relation to another object.
    pub(super) fn is_arrow(&self, node: Node) -> bool {
        let kind = type_of(self.objects.name(node.object));
        self.rewrites.get(kind).is_some_and(|by_permission| {
            by_permission
                .values()
                .flatten()
                .any(|term| matches!(term, Term::Arrow { via, .. } if *via == node.relation))
        })
    }

    pub(super) fn stated_relations(&self, object: Id) -> &[Id] {
        self.stated.get(&object).map_or(&[], Vec::as_slice)
    }
}

enum Either {
    Direct(Id),
    Everyone(String),
    Set(Node),
}

#[derive(Debug, Clone, Default)]
struct Interner {
    by_name: HashMap<String, Id>,
    names: Vec<String>,
}

impl Interner {
    fn intern(&mut self, name: &str) -> Id {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = Id::try_from(self.names.len()).unwrap_or(Id::MAX);
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), id);
        id
    }

    fn find(&self, name: &str) -> Option<Id> {
        self.by_name.get(name).copied()
    }

    fn name(&self, id: Id) -> &str {
        self.names.get(id as usize).map_or("", String::as_str)
    }
}
