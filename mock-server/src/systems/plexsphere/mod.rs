//! The Plexsphere surface: mediated access sessions and what surrounds them.

mod attach;
pub mod body;
mod callback;
pub mod cursor;
pub mod directory;
pub mod exchange;
mod faulty;
pub mod generation;
pub mod operation;
pub mod paging;
pub mod query;
pub mod refusal;
pub mod service;
pub mod sessions;
pub mod staged;
pub mod view;
pub mod wire;

use axum::body::Body;
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response};

pub use exchange::Exchange;
pub use generation::Generation;
pub use operation::{Operation, Place};
pub use refusal::Refusal;
pub use staged::play;

/// Answers one request; `path` is what follows the base of `x`.
pub async fn answer(mut x: Exchange, path: &str, head: &Parts) -> Response<Body> {
    if let Some(fault) = faulty::due(&x, path, head) {
        return faulty::meet(x, fault, path, head).await;
    }
    let answer = dispatch(&mut x, path, head).await;
    x.finish(answer).await
}

async fn dispatch(x: &mut Exchange, path: &str, head: &Parts) -> exchange::Answer {
    let place = Place::find(path).ok_or_else(Refusal::not_found)?;
    if head.method == Method::OPTIONS {
        let mut response = exchange::no_content();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(place.allow()));
        return Ok(response);
    }
    let operation =
        place.operation(&head.method).ok_or_else(|| Refusal::method_not_allowed(place.allow()))?;
    x.trail.operation = operation.name();

    let (headers, query) = (&head.headers, head.uri.query().unwrap_or_default());
    match (operation, place) {
        (Operation::IssueSession, Place::Sessions { project }) => {
            let taken = x.take_body(body::SESSION_BODY).await;
            sessions::issue(x, headers, project, taken).await
        }
        (Operation::RevokeSession, Place::Revocation { project, session }) => {
            let taken = x.take_body(body::SESSION_BODY).await;
            sessions::revoke(x, headers, (project, session), taken)
        }
        (Operation::AttachSession, Place::Attachment { project, session }) => {
            attach::attach(x, head, (project, session))
        }
        (Operation::PostNodeSessionCallback, Place::Callback { node, session }) => {
            let taken = x.take_body(body::SMALL_BODY).await;
            callback::take(x, headers, (node, session), taken)
        }
        (Operation::CheckAuthorization, _) => {
            let taken = x.take_body(body::SMALL_BODY).await;
            directory::check_authorization(x, headers, taken)
        }
        (Operation::ListSessions, Place::Sessions { project }) => {
            sessions::list(x, headers, project, query)
        }
        (Operation::GetSession, Place::Session { project, session }) => {
            sessions::get(x, headers, project, session)
        }
        (Operation::Whoami, _) => directory::whoami(x, headers),
        (Operation::ListProjects, _) => directory::list_projects(x, headers, query),
        (Operation::GetProject, Place::Project { project }) => {
            directory::get_project(x, headers, project)
        }
        (Operation::ListResources, Place::Resources { project }) => {
            directory::list_resources(x, headers, project, query)
        }
        (Operation::GetResource, Place::Resource { project, resource }) => {
            directory::get_resource(x, headers, project, resource)
        }
        (Operation::GetHealth, _) => Ok(service::health(x)),
        (Operation::GetVersion, _) => Ok(service::version(x)),
        (Operation::GetOpenApi, _) => service::openapi(x),
        (Operation::GetJwks, _) => Ok(service::jwks(x)),
        // An operation is only ever found at its own place.
        _ => Err(Refusal::internal()),
    }
}
