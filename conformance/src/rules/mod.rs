//! The rules, a file for each subject matter. Each file hands over its rules by `all()`.

mod askpass;
mod awkward_text;
mod config;
mod credentials;
mod errors;
mod errors_tame;
mod exit_codes;
mod files;
mod files_refused;
mod files_whole;
mod flags;
mod golden;
mod help;
mod issue_session;
mod kubeconfig;
mod order;
mod pair;
mod precedence;
mod process;
mod request;
mod reveal;
mod scenarios;
mod scene;
mod secrets;
mod secrets_process;
mod server;
mod server_url;
mod ssh;
mod ssh_on_path;
mod tcp_forward;
mod tls;
mod together;
mod tokens;
mod transport;
mod usage;

use crate::rule::Rule;
use crate::verdict::Outcome;

pub(crate) fn all() -> Outcome<Vec<Rule>> {
    let mut rules = Vec::new();
    rules.extend(askpass::all());
    rules.extend(awkward_text::all());
    rules.extend(config::all());
    rules.extend(credentials::all());
    rules.extend(errors::all());
    rules.extend(errors_tame::all());
    rules.extend(exit_codes::all());
    rules.extend(files::all());
    rules.extend(files_refused::all());
    rules.extend(files_whole::all());
    rules.extend(flags::all());
    rules.extend(golden::all()?);
    rules.extend(help::all());
    rules.extend(issue_session::all());
    rules.extend(kubeconfig::all());
    rules.extend(order::all());
    rules.extend(pair::all());
    rules.extend(precedence::all());
    rules.extend(process::all());
    rules.extend(request::all());
    rules.extend(reveal::all());
    rules.extend(scenarios::all()?);
    rules.extend(secrets::all());
    rules.extend(secrets_process::all());
    rules.extend(server::all()?);
    rules.extend(server_url::all());
    rules.extend(ssh::all());
    rules.extend(ssh_on_path::all());
    rules.extend(tcp_forward::all());
    rules.extend(tls::all());
    rules.extend(together::all());
    rules.extend(tokens::all());
    rules.extend(transport::all());
    rules.extend(usage::all());
    Ok(rules)
}
