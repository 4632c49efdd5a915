//! The control API, `/__mock/...`: what a test may see and move. Its requests are not
//! journalled, because they are no part of what is observed.

mod faults;

use axum::body::Body;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::namespace::Scene;
use crate::route::Server;
use crate::scenario;
use crate::systems::plexsphere::body;
use crate::systems::plexsphere::exchange::{Answer, json as answer, no_content};
use crate::systems::plexsphere::{Exchange, Refusal};
use crate::world::clock::Change;
use crate::world::file::{MOST_WORLD, WorldFile};
use crate::world::rancher::Rancher;

/// Where the control API lives below a base.
pub const BASE: &str = "/__mock/";

/// Answers `/__mock/<what>`.
pub async fn respond(
    mut x: Exchange,
    what: &str,
    method: &Method,
    server: &Server,
) -> Response<Body> {
    let answer = dispatch(&mut x, what, method, server).await;
    x.finish_unseen(answer).await
}

async fn dispatch(x: &mut Exchange, what: &str, method: &Method, server: &Server) -> Answer {
    // What is read may be asked about, too; the answer's body is left out on its way.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    match (what, method) {
        ("ready", &Method::GET) => Ok(json_text(server.ready.clone().into_bytes())),
        ("requests", &Method::GET) => Ok(json_text(x.namespace.journal.to_json(&x.namespace.name))),
        ("requests", &Method::DELETE) => {
            x.namespace.journal.clear();
            Ok(no_content())
        }
        ("clock", &Method::GET) => Ok(clock(x)),
        ("clock", &Method::PUT) => {
            let wish = body::plain_json(x.take_body(body::SMALL_BODY).await)?;
            move_clock(x, &wish)?;
            Ok(clock(x))
        }
        ("listeners", &Method::GET) => Ok(listeners(x)),
        ("listeners", &Method::PUT) => {
            let wish = body::plain_json(x.take_body(body::SMALL_BODY).await)?;
            let wish = ListenersWish::deserialize(&wish).map_err(|_| {
                Refusal::invalid_body("send report_delay_seconds, a whole number of seconds")
            })?;
            x.installation.set_report_delay(wish.report_delay_seconds);
            Ok(listeners(x))
        }
        ("faults", &Method::GET) => Ok(faults::list(x)),
        ("faults", &Method::POST) => {
            let wish = body::plain_json(x.take_body(body::SMALL_BODY).await)?;
            faults::add(x, &wish)
        }
        ("faults", &Method::DELETE) => {
            x.namespace.faults.clear();
            Ok(no_content())
        }
        ("reset", &Method::POST) => {
            x.namespace.reset();
            Ok(no_content())
        }
        ("namespace", &Method::DELETE) => {
            server.namespaces.forget(&x.namespace);
            Ok(no_content())
        }
        ("world", &Method::GET) => Ok(whole(&x.installation.directory.file)),
        ("world", &Method::PUT) => {
            let world = x.take_body(MOST_WORLD as usize).await?;
            enter_world(x, &world)?;
            Ok(whole(&x.namespace.installation().directory.file))
        }
        ("scenarios", &Method::GET) => Ok(answer(200, &json!({"scenarios": scenario::names()}))),
        ("ready" | "scenarios", _) => Err(Refusal::method_not_allowed("GET, HEAD")),
        ("faults", _) => Err(Refusal::method_not_allowed("GET, HEAD, POST, DELETE")),
        ("requests", _) => Err(Refusal::method_not_allowed("GET, HEAD, DELETE")),
        ("clock" | "listeners" | "world", _) => Err(Refusal::method_not_allowed("GET, HEAD, PUT")),
        ("namespace", _) => Err(Refusal::method_not_allowed("DELETE")),
        ("reset", _) => Err(Refusal::method_not_allowed("POST")),
        _ => Err(Refusal::not_found()),
    }
}

/// The world with everything that is true in it, said or not.
fn whole(file: &WorldFile) -> Response<Body> {
    if file.rancher.is_some() {
        return answer(200, file);
    }
    let mut shown = file.clone();
    shown.rancher = Some(Box::new(Rancher::standard()));
    answer(200, &shown)
}

fn json_text(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What may be changed about listeners while sessions live.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenersWish {
    report_delay_seconds: u32,
}

fn listeners(x: &Exchange) -> Response<Body> {
    answer(200, &json!({"report_delay_seconds": x.installation.report_delay()}))
}

fn clock(x: &Exchange) -> Response<Body> {
    let clock = &x.installation.clock;
    answer(200, &json!({"now": clock.now(), "frozen": clock.is_frozen()}))
}

fn move_clock(x: &Exchange, wish: &Value) -> Result<(), Refusal> {
    let change = Change::deserialize(wish).map_err(|_| {
        Refusal::invalid_body(
            "send any of set (RFC 3339), advance_seconds (a number), freeze (a boolean)",
        )
    })?;
    let clock = &x.installation.clock;
    // An empty wish leaves a clock that follows the machine's as it is.
    if change != Change::default() && clock.change(&change).is_none() {
        return Err(Refusal::invalid_body("advance_seconds leads out of the calendar"));
    }
    // What the move made due happens now, not at the next visit.
    x.installation.sweep();
    Ok(())
}

fn enter_world(x: &Exchange, bytes: &[u8]) -> Result<(), Refusal> {
    let invalid = |why: String| Refusal::new(400, "invalid_world", why);
    let text = std::str::from_utf8(bytes).map_err(|_| invalid("the world is not UTF-8".into()))?;
    let file = WorldFile::parse(text).map_err(|error| invalid(error.to_string()))?;
    let scene = Scene::prepare(file).map_err(|error| invalid(error.to_string()))?;
    x.namespace.enter(&scene);
    Ok(())
}
