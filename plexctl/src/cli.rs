//! The command line: the root, its persistent flags and its help. No behaviour.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{kubeconfig, ssh, tcp_forward};
use crate::output::Format;

const ABOUT: &str = "Reach resources through one-time mediated sessions";

const ROOT_HELP: &str = "\
Exit codes:
  0   the command did what it was asked
  1   transport or API failure, or a local failure after the session was issued
  2   the command line is wrong, or the local ssh client is missing
  3   credentials are missing, insecure or refused, or a stronger login is required
  4   403 Forbidden
  77  403 Forbidden with the code rebac_denied

Environment:
  PLEXSPHERE_URL       base URL of the control plane (--server)
  PLEXSPHERE_TOKEN     the operator's token (--token-file)
  PLEXSPHERE_PROFILE   profile to use (--profile)
  PLEXSPHERE_CA_FILE   further trusted authorities, PEM (--ca-file)
  PLEXCTL_ALLOW_HTTP   1 lets plain http leave this machine; it warns
  PLEXCTL_SSH_URI      1 is the same as plexctl ssh --ssh-uri
  HTTPS_PROXY, NO_PROXY  honoured, except for the loopback interface

Files:
  ~/.config/plexctl/config.json         profiles, mode 0600 (XDG_CONFIG_HOME)
  ~/.local/state/plexctl/audit.jsonl    uses of --reveal-secrets (XDG_STATE_HOME)

A flag goes before the environment, and the environment before the profile.";

/// The whole command line.
#[derive(Parser)]
#[command(
    name = "plexctl",
    about = ABOUT,
    version = env!("CARGO_PKG_VERSION"),
    override_usage = "plexctl [persistent flags] <COMMAND> [flags]",
    after_help = "See --help for exit codes, environment and files.",
    after_long_help = ROOT_HELP,
    subcommand_required = true,
    arg_required_else_help = true,
    args_override_self = true,
    infer_long_args = false,
    disable_help_subcommand = false,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) persistent: Persistent,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that stand before or after the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Persistent flags")]
pub(crate) struct Persistent {
    /// Base URL of the control plane, https://host:port [env: PLEXSPHERE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Profile of the config file [env: PLEXSPHERE_PROFILE] [default: the file's own default]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// File that holds the token, mode 0600 [env: PLEXSPHERE_TOKEN holds the token itself]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) token_file: Option<PathBuf>,
    /// How errors, and results that are data, are written
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
    /// Print the one-time session token to stderr (audit-logged)
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        hide_possible_values = true,
        default_missing_value = "true"
    )]
    pub(crate) reveal_secrets: Option<bool>,
    /// PEM file of authorities trusted besides the system's [env: PLEXSPHERE_CA_FILE]
    #[arg(long, global = true, value_name = "PEM")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Longest time for the whole request; fractions are allowed [default: 30]
    #[arg(long, global = true, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) timeout: Option<String>,
}

/// The commands, one file each in `commands/`.
#[derive(Subcommand)]
pub(crate) enum Command {
    Kubeconfig(kubeconfig::Args),
    Ssh(ssh::Args),
    TcpForward(tcp_forward::Args),
}
