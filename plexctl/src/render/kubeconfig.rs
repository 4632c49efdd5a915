//! A session as a kubeconfig: one cluster, one user, one context, all named `plexsphere`
//! (docs/decisions/0010-*.md).

use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::Secret;

const NAME: &str = "plexsphere";

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    clusters: [NamedCluster<'a>; 1],
    contexts: [NamedContext; 1],
    current_context: &'static str,
    users: [NamedUser<'a>; 1],
}

#[derive(Serialize)]
struct NamedCluster<'a> {
    name: &'static str,
    cluster: Cluster<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster<'a> {
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority_data: Option<String>,
}

#[derive(Serialize)]
struct NamedContext {
    name: &'static str,
    context: Context,
}

#[derive(Serialize)]
struct Context {
    cluster: &'static str,
    user: &'static str,
}

#[derive(Serialize)]
struct NamedUser<'a> {
    name: &'static str,
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    token: &'a str,
}

/// The document for a listener endpoint and a token, with a PEM authority embedded if there is one.
pub(crate) fn render(
    listener_endpoint: &str,
    token: &Secret,
    authority_pem: Option<&[u8]>,
) -> Result<Zeroizing<String>, Error> {
    let server = format!("https://{listener_endpoint}");
    document(&server, token.expose(), authority_pem)
}

fn document(
    server: &str,
    token: &str,
    authority_pem: Option<&[u8]>,
) -> Result<Zeroizing<String>, Error> {
    let kubeconfig = Kubeconfig {
        api_version: "v1",
        kind: "Config",
        clusters: [NamedCluster {
            name: NAME,
            cluster: Cluster { server, certificate_authority_data: authority_pem.map(base64) },
        }],
        contexts: [NamedContext { name: NAME, context: Context { cluster: NAME, user: NAME } }],
        current_context: NAME,
        users: [NamedUser { name: NAME, user: User { token } }],
    };
    // Room for all of it, so that no half-grown copy of the token is left behind in the heap.
    let mut text = Zeroizing::new(String::with_capacity(
        1024 + server.len() + 2 * token.len() + 2 * authority_pem.map_or(0, <[u8]>::len),
    ));
    serde_saphyr::to_fmt_writer(&mut *text, &kubeconfig)
        .map_err(|error| Error::Render(error.to_string()))?;
    Ok(text)
}

/// Standard base64 with padding, as kubectl reads it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = 0_u32;
        for index in 0..3 {
            group = group << 8 | u32::from(chunk.get(index).copied().unwrap_or_default());
        }
        for index in 0..4_usize {
            let digit = (group >> (18 - 6 * index)) & 63;
            let filled = index <= chunk.len();
            let letter = DIGITS.get(digit as usize).copied().filter(|_| filled).unwrap_or(b'=');
            out.push(char::from(letter));
        }
    }
    out
}
