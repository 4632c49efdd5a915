//! The yardstick for speed: the least an axum server can do for the same request. It checks
//! nothing, signs nothing and remembers nothing.
//!
//! It listens on a free port, prints `{"event":"ready","http":"http://127.0.0.1:PORT"}`, and
//! answers `POST /v1/projects/{id}/sessions` with one fixed 201.

use std::io::{self, Write as _};
use std::net::Ipv4Addr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::post;
use tokio::net::TcpListener;

/// As long as an honest answer without its token.
const ISSUED: &str = r#"{"session_id":"01a2010c-0168-7d3d-bfb0-9bb49d2f4eae","token":"fixed","expires_at":"2026-11-22T02:48:13Z","listener_endpoint":"127.0.0.1:49598","session":{"id":"01a2010c-0168-7d3d-bfb0-9bb49d2f4eae","project_id":"0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0","domain_id":"0190a8b8-d000-7000-8000-00000000acde","resource_id":"0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3","identity_id":"0190a8b8-1d00-7000-8000-000000000003","kind":"tcp","status":"active","issued_at":"2026-11-22T02:18:13Z","expires_at":"2026-11-22T02:48:13Z","last_active_at":"2026-11-22T02:18:13Z","idle_timeout_seconds":900,"target":{"tcp":{"host":"h","port":1}}}}"#;

#[tokio::main]
async fn main() -> io::Result<()> {
    let issued =
        || async { (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], ISSUED) };
    let app = Router::new().route("/v1/projects/{project_id}/sessions", post(issued));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    writeln!(io::stdout(), r#"{{"event":"ready","http":"http://127.0.0.1:{port}"}}"#)?;
    axum::serve(listener, app).await
}
