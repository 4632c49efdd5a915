//! The check itself: a breadth-first walk from `object#permission` towards the subject.
//!
//! Every rewrite is a union, so a node that did not lead to the subject once never will: each is
//! visited once, which makes cycles harmless, and the first path found is a shortest one.

use hashbrown::HashSet;
use jiff::Timestamp;
use serde::Serialize;

use super::model::{Edges, Id, Model, Node, Term};
use super::tuple::type_of;

/// The longest chain of relations that a check follows. A chain of groups deeper than this grants
/// nothing, as in the relation stores this imitates.
pub const MAX_DEPTH: u16 = 32;

/// What a check may depend on besides the tuples.
#[derive(Debug, Clone, Copy)]
pub struct CheckContext {
    pub now: Timestamp,
}

/// Why a subject was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The subject has no relation to the object, nor to anything the object belongs to.
    OutOfScope,
    /// The subject has some relation there, but none that carries the permission.
    InsufficientRelation,
    /// A relation would carry the permission, were its caveat met.
    CaveatViolation,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OutOfScope => "out_of_scope",
            Self::InsufficientRelation => "insufficient_relation",
            Self::CaveatViolation => "caveat_violation",
        }
    }
}

/// The outcome of a check.
///
/// The path begins with `object#permission`. When allowed it ends with the subject. When denied it is
/// the most telling chain that was tried: up to the unmet caveat, as `caveat:<name>`; or to the
/// subject by a relation that does not suffice; or else the longest chain that led nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub path: Vec<String>,
    pub reason: Option<Reason>,
}

impl Model {
    /// May `subject` (`identity:<id>`) do `permission` on `object` (`resource:<id>`)?
    pub fn check(
        &self,
        subject: &str,
        permission: &str,
        object: &str,
        context: &CheckContext,
    ) -> Decision {
        let denied = |reason, path| Decision { allowed: false, path, reason: Some(reason) };
        let bare = || vec![format!("{object}#{permission}")];
        let Some(object_id) = self.object(object) else {
            return denied(Reason::OutOfScope, bare());
        };
        let target = Target { id: self.object(subject), kind: type_of(subject) };

        let mut furthest = None;
        if let Some(relation) = self.relation(permission) {
            let start = Node { object: object_id, relation };
            let mut strict = Walk::new(self, target, context.now, Caveats::Enforced);
            if let Some(end) = strict.run(start) {
                return Decision { allowed: true, path: strict.path(end, subject), reason: None };
            }
            if strict.met_unmet_caveat {
                let mut lenient = Walk::new(self, target, context.now, Caveats::Ignored);
                if let Some(end) = lenient.run(start) {
                    return denied(Reason::CaveatViolation, lenient.path_to_caveat(end));
                }
            }
            furthest = Some(strict.longest_path());
        }

        let mut scope = Walk::new(self, target, context.now, Caveats::Ignored);
        if let Some(end) = scope.run_scope(object_id) {
            let mut path = bare();
            path.extend(scope.path(end, subject));
            path.dedup();
            return denied(Reason::InsufficientRelation, path);
        }
        denied(Reason::OutOfScope, furthest.unwrap_or_else(bare))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Caveats {
    Enforced,
    Ignored,
}

#[derive(Clone, Copy)]
struct Target<'a> {
    /// `None` when no tuple mentions the subject; it may still be one of everybody.
    id: Option<Id>,
    kind: &'a str,
}

/// One visited node and how the walk came to it.
struct Step {
    node: Node,
    parent: Option<usize>,
    depth: u16,
    /// The condition of the tuple that led here.
    condition: Option<Id>,
}

/// Where a walk met the subject.
#[derive(Clone, Copy)]
struct End {
    step: usize,
    condition: Option<Id>,
    by_wildcard: bool,
}

struct Walk<'a> {
    model: &'a Model,
    target: Target<'a>,
    now: Timestamp,
    caveats: Caveats,
    steps: Vec<Step>,
    seen: HashSet<Node>,
    met_unmet_caveat: bool,
}

impl<'a> Walk<'a> {
    fn new(model: &'a Model, target: Target<'a>, now: Timestamp, caveats: Caveats) -> Self {
        Self {
            model,
            target,
            now,
            caveats,
            steps: Vec::new(),
            seen: HashSet::new(),
            met_unmet_caveat: false,
        }
    }

    fn run(&mut self, start: Node) -> Option<End> {
        self.visit(start, None, None);
        let mut next = 0;
        while next < self.steps.len() {
            let node = self.steps[next].node;
            if let Some(rewrite) = self.model.rewrite(node) {
                for term in rewrite {
                    self.follow_term(next, node, *term);
                }
            } else if let Some(end) = self.follow_edges(next, node) {
                return Some(end);
            }
            next += 1;
        }
        None
    }

    /// Like [`run`](Self::run), but from every relation of the object and of all that it belongs to,
    /// whatever the permissions make of them.
    fn run_scope(&mut self, object: Id) -> Option<End> {
        self.visit_stated(object, None);
        let mut next = 0;
        while next < self.steps.len() {
            let node = self.steps[next].node;
            if let Some(end) = self.follow_edges(next, node) {
                return Some(end);
            }
            // What a permission reaches through an arrow is what the object belongs to.
            if self.model.is_arrow(node)
                && let Some(edges) = self.model.edges.get(&node)
            {
                for (owner, _) in &edges.direct {
                    self.visit_stated(*owner, Some(next));
                }
            }
            next += 1;
        }
        None
    }

    fn visit_stated(&mut self, object: Id, parent: Option<usize>) {
        let model = self.model;
        for relation in model.stated_relations(object) {
            self.visit(Node { object, relation: *relation }, parent, None);
        }
    }

    fn follow_term(&mut self, from: usize, node: Node, term: Term) {
        match term {
            Term::Own(relation) => {
                self.visit(Node { object: node.object, relation }, Some(from), None);
            }
            Term::Arrow { via, then } => {
                let model = self.model;
                let Some(edges) = model.edges.get(&Node { object: node.object, relation: via })
                else {
                    return;
                };
                for (object, condition) in &edges.direct {
                    if self.passes(*condition) {
                        let onward = Node { object: *object, relation: then };
                        self.visit(onward, Some(from), *condition);
                    }
                }
            }
        }
    }

    fn follow_edges(&mut self, from: usize, node: Node) -> Option<End> {
        let model = self.model;
        let edges = model.edges.get(&node)?;
        if let Some(end) = self.find_subject(from, edges) {
            return Some(end);
        }
        for (set, condition) in &edges.sets {
            if self.passes(*condition) {
                self.visit(*set, Some(from), *condition);
            }
        }
        None
    }

    fn find_subject(&mut self, step: usize, edges: &Edges) -> Option<End> {
        if let Some(id) = self.target.id {
            let first = edges.direct.partition_point(|(subject, _)| *subject < id);
            for (_, condition) in edges.direct[first..].iter().take_while(|edge| edge.0 == id) {
                if self.passes(*condition) {
                    return Some(End { step, condition: *condition, by_wildcard: false });
                }
            }
        }
        for (kind, condition) in &edges.everyone {
            if kind == self.target.kind && self.passes(*condition) {
                return Some(End { step, condition: *condition, by_wildcard: true });
            }
        }
        None
    }

    fn visit(&mut self, node: Node, parent: Option<usize>, condition: Option<Id>) {
        let depth = parent.map_or(0, |parent| self.steps[parent].depth + 1);
        if depth <= MAX_DEPTH && self.seen.insert(node) {
            self.steps.push(Step { node, parent, depth, condition });
        }
    }

    fn passes(&mut self, condition: Option<Id>) -> bool {
        let Some(condition) = condition.and_then(|id| self.model.conditions.get(id as usize))
        else {
            return true;
        };
        if condition.expires_at.is_some_and(|end| self.now >= end) {
            return false;
        }
        let holds = condition.caveat.as_ref().is_none_or(|caveat| caveat.holds(self.now));
        self.met_unmet_caveat |= !holds;
        holds || self.caveats == Caveats::Ignored
    }

    /// The steps from the start to `last`, in walking order.
    fn chain(&self, last: usize) -> Vec<&Step> {
        let mut chain = Vec::new();
        let mut at = Some(last);
        while let Some(step) = at.and_then(|index| self.steps.get(index)) {
            chain.push(step);
            at = step.parent;
        }
        chain.reverse();
        chain
    }

    fn names(&self, chain: &[&Step]) -> Vec<String> {
        chain.iter().map(|step| self.model.node_name(step.node)).collect()
    }

    fn path(&self, end: End, subject: &str) -> Vec<String> {
        let mut path = self.names(&self.chain(end.step));
        path.push(match self.target.id {
            Some(id) if !end.by_wildcard => self.model.object_name(id).to_owned(),
            _ if end.by_wildcard => format!("{}:*", self.target.kind),
            _ => subject.to_owned(),
        });
        path
    }

    /// The path up to the first tuple whose caveat is not met, which is named last.
    fn path_to_caveat(&self, end: End) -> Vec<String> {
        let chain = self.chain(end.step);
        let unmet = |condition: Option<Id>| {
            let condition = self.model.conditions.get(condition? as usize)?;
            let caveat = condition.caveat.as_ref()?;
            (!caveat.holds(self.now)).then(|| format!("caveat:{}", caveat.name()))
        };
        for (index, step) in chain.iter().enumerate() {
            if let Some(caveat) = unmet(step.condition) {
                let mut path = self.names(&chain[..index]);
                path.push(caveat);
                return path;
            }
        }
        let mut path = self.names(&chain);
        path.extend(unmet(end.condition));
        path
    }

    fn longest_path(&self) -> Vec<String> {
        let deepest = self.steps.iter().map(|step| step.depth).max().unwrap_or(0);
        let first = self.steps.iter().position(|step| step.depth == deepest).unwrap_or(0);
        self.names(&self.chain(first))
    }
}
