//! The four operations on a cluster's kubeconfigs. The first is published; the others follow
//! the habits of its family.

use std::sync::Arc;

use axum::body::Body;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::body::{self, Wish, wrong};
use super::document::{self, Resource};
use super::exchange::{Answer, Exchange, json, no_content};
use super::paging::{Binding, Paging, Start};
use super::place::Place;
use super::refusal::Refusal;
use crate::gate::Caller;
use crate::world::directory::Directory;
use crate::world::k0rdent::{Kubeconfig, New, Project, Rank, Site};

const ID_LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// How secrets begin, so that they are known wherever they turn up.
const SECRET_START: &str = "k0kc_";

/// A cluster, and what its caller may do there.
#[derive(Clone, Copy)]
struct Access {
    caller: Caller,
    site: Site,
    rank: Rank,
}

impl Access {
    /// Region, project, membership, cluster. Who is no member is told that there is no project.
    fn find(x: &mut Exchange, head: &Parts, place: Place<'_>) -> Result<Self, Refusal> {
        let caller = x.caller(&head.headers)?;
        let directory = &x.installation.directory;
        let regions = &directory.file.k0rdent.regions;
        let none = |field, reason, what: &str| {
            Refusal::about(field, 404, reason, format!("there is no such {what}"))
        };
        let region = regions.iter().position(|region| region.id == place.region);
        let region = region.ok_or_else(|| none("region", "region_not_found", "region"))?;
        let projects = &regions[region].projects;
        let name = &directory.identity(caller.identity()).name;
        let project = projects.iter().position(|project| project.id == place.project);
        let (project, rank) = project
            .and_then(|at| projects[at].members.get(name).map(|rank| (at, *rank)))
            .ok_or_else(|| none("project", "project_not_found", "project"))?;
        let clusters = &projects[project].clusters;
        let cluster = clusters.iter().position(|cluster| cluster.id == place.cluster);
        let cluster = cluster.ok_or_else(|| none("clusterId", "cluster_not_found", "cluster"))?;
        Ok(Self { caller, site: Site { region, project, cluster }, rank })
    }

    fn sees(self, kubeconfig: &Kubeconfig) -> bool {
        self.rank == Rank::Administrator || kubeconfig.issuer == self.caller.identity()
    }
}

pub async fn issue(x: &mut Exchange, head: &Parts, place: Place<'_>) -> Answer {
    let taken = match x.body.take() {
        Some(body) => body::take(body, body::MOST, x.installation.patience).await,
        None => Ok(Bytes::new()),
    };
    let access = Access::find(x, head, place)?;
    if access.rank < Rank::Editor {
        let message = "a viewer of this project issues no kubeconfigs";
        return Err(Refusal::new(403, "permission_denied", message));
    }
    let wish = Wish::read(&head.headers, &taken?, &mut x.trail)?;
    let installation = Arc::clone(&x.installation);
    let directory = &installation.directory;
    let project = directory.file.k0rdent.project(access.site);
    let (new, secret) = draft(x, access, project, directory, &wish)?;
    let most = project.kubeconfigs.most_per_cluster;
    let letters = || format!("kubeconfig-{}", installation.ids.letters(ID_LETTERS, 6));
    let made = installation.k0rdent().add(new, most, letters).map_err(|_| {
        let message = format!("this cluster has {most} kubeconfigs; delete one");
        Refusal::new(429, "kubeconfig_limit_reached", message)
    })?;
    let world = &directory.file.k0rdent;
    let mut response = if document::wants_yaml(&head.headers) {
        let text = document::yaml(&made, &secret, world, &x.base, &x.reach);
        let mut response = json(201, &());
        *response.body_mut() = Body::from(text);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(document::YAML));
        // It is read once, and kept by nobody on the way.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    } else {
        json(201, &Resource::of(&made, world, &x.base))
    };
    if let Ok(link) = HeaderValue::from_str(&document::self_link(&made, world, &x.base)) {
        response.headers_mut().insert(LOCATION, link);
    }
    Ok(response)
}

/// What the wish comes to in this project, and the secret of it.
fn draft(
    x: &Exchange,
    access: Access,
    project: &Project,
    directory: &Directory,
    wish: &Wish,
) -> Result<(New, String), Refusal> {
    let mut details = Vec::new();
    let role = wish.role.as_ref().unwrap_or(&project.default_role);
    let groups = project.roles.get(role);
    if groups.is_none() {
        let known: Vec<&str> = project.roles.keys().map(String::as_str).collect();
        let what = format!("one of {}", known.join(", "));
        details.push(wrong("unknown_role", "role", what));
    }
    // The answer has whole seconds, and means what it says.
    let created = Timestamp::from_second(x.now.as_second()).unwrap_or(x.now);
    let policy = &project.kubeconfigs;
    let most = policy.max_ttl_seconds.map(u64::from);
    let seconds = wish.ttl.or(policy.default_ttl_seconds.map(u64::from));
    let end = |seconds: u64| {
        let span = SignedDuration::from_secs(i64::try_from(seconds).ok()?);
        created.checked_add(span).ok().filter(|_| most.is_none_or(|most| seconds <= most))
    };
    let expires = seconds.map(end);
    if expires == Some(None) {
        let what = match most {
            Some(most) => format!("at most {most} seconds"),
            None => "an end within the calendar".to_owned(),
        };
        details.push(wrong("ttl_too_long", "ttl", what));
    }
    let Some(groups) = groups.filter(|_| details.is_empty()) else {
        return Err(Refusal::values(details));
    };
    let own = &directory.identity(access.caller.identity()).name;
    let issued_for = wish.user.as_ref().or(wish.role.as_ref()).unwrap_or(own);
    let secret = format!("{SECRET_START}{}", x.installation.ids.letters(ID_LETTERS, 40));
    let new = New {
        uid: x.installation.ids.uuid(x.now),
        site: access.site,
        issuer: access.caller.identity(),
        issued_for: issued_for.as_str().into(),
        user: wish.user.as_ref().unwrap_or(own).as_str().into(),
        groups: groups.clone(),
        role: role.as_str().into(),
        created,
        expires: expires.flatten(),
        secret: secret.as_str().into(),
    };
    Ok((new, secret))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'k> {
    kubeconfigs: Vec<Resource<'k>>,
    /// Not there on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// There for who counts by offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

pub fn list(x: &mut Exchange, head: &Parts, place: Place<'_>) -> Answer {
    let access = Access::find(x, head, place)?;
    let installation = Arc::clone(&x.installation);
    let Place { region, project, cluster, .. } = place;
    let caller = access.caller.identity();
    let binding = Binding {
        key: &installation.cursors,
        list: format!("{caller} {region}/{project}/{cluster}"),
    };
    let paging = Paging::read(head.uri.query().unwrap_or_default(), &binding, &mut x.trail)?;
    let seen: Vec<Arc<Kubeconfig>> = {
        let issued = installation.k0rdent();
        issued.at(access.site).filter(|one| access.sees(one)).map(Arc::clone).collect()
    };
    let (start, total) = match paging.start {
        Start::After(number) => (seen.partition_point(|one| one.number <= number), None),
        Start::Offset(offset) => (offset.min(seen.len()), Some(seen.len())),
    };
    let page = &seen[start..seen.len().min(start.saturating_add(paging.size))];
    let more = start + page.len() < seen.len();
    let world = &installation.directory.file.k0rdent;
    Ok(json(
        200,
        &Page {
            kubeconfigs: page.iter().map(|one| Resource::of(one, world, &x.base)).collect(),
            next_page_token: page.last().filter(|_| more).map(|last| binding.seal(last.number)),
            total,
        },
    ))
}

/// One that the caller may see; what is another's is not there.
fn find(x: &Exchange, access: Access, id: &str) -> Result<Arc<Kubeconfig>, Refusal> {
    let issued = x.installation.k0rdent();
    let found = issued.find(access.site, id).filter(|one| access.sees(one));
    found.map(Arc::clone).ok_or_else(|| {
        let message = "there is no such kubeconfig";
        Refusal::about("kubeconfigId", 404, "kubeconfig_not_found", message)
    })
}

pub fn get(x: &mut Exchange, head: &Parts, place: Place<'_>, id: &str) -> Answer {
    let access = Access::find(x, head, place)?;
    let found = find(x, access, id)?;
    let world = &x.installation.directory.file.k0rdent;
    Ok(json(200, &Resource::of(&found, world, &x.base)))
}

pub fn delete(
    x: &mut Exchange,
    head: &Parts,
    place: Place<'_>,
    id: &str,
) -> Result<Response<Body>, Refusal> {
    let access = Access::find(x, head, place)?;
    let found = find(x, access, id)?;
    x.installation.k0rdent().delete(&found);
    Ok(no_content())
}
