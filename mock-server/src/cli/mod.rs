//! The command line, and the only place that prints.

mod plain;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::boot::{
    self, Config, Furnishing, Prepared, Ready, Signals, StartError, World, greeting,
};
use crate::systems::plexsphere::Generation;

/// How long `env` waits for a server that says nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// A mock control plane on this machine. It answers http and https on one port, and every token
/// it accepts is public: point nothing at it that matters.
#[derive(Debug, Parser)]
#[command(name = "mock-server", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the lines that point plexctl at a running server; for `eval "$(mock-server env)"`
    Env(Env),
}

#[derive(Debug, PartialEq, Eq, Args)]
struct Serve {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The address to listen on; anything but loopback exposes the public tokens
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Which generation of the contract to speak
    #[arg(long, value_enum, default_value_t)]
    contract: Generation,
    /// A world file, or one of the embedded worlds: default, tiny, bench
    #[arg(long, value_name = "FILE|NAME", default_value = "default")]
    world: String,
    /// Fixes keys and ids, so that two runs answer alike (with --clock)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Freezes the clock at this moment
    #[arg(long, value_name = "RFC3339")]
    clock: Option<Timestamp>,
    /// Keeps the certificate authority there, instead of making one for this run
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Writes the ready document there, once ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// How many requests the journal of a namespace remembers
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    journal: usize,
    /// Lets sessions lead nowhere: no listeners, and endpoints that follow from --seed alone
    #[arg(long)]
    no_node: bool,
    /// Gives ssh sessions a real shell on this machine, as the user who runs the server
    #[cfg(unix)]
    #[arg(long, conflicts_with = "no_node")]
    host_shell: bool,
    /// text greets a person, json is one line; by default whatever stdout is
    #[arg(long, value_enum)]
    output: Option<Output>,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            port: 8080,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            contract: Generation::default(),
            world: "default".to_owned(),
            seed: None,
            clock: None,
            state_dir: None,
            ready_file: None,
            journal: 10_000,
            no_node: false,
            #[cfg(unix)]
            host_shell: false,
            output: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Debug, Args)]
struct Env {
    /// The ready file of the server to point at
    #[arg(long, value_name = "FILE", conflicts_with = "port")]
    ready_file: Option<PathBuf>,
    /// The port of the server to point at
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The token to use
    #[arg(long, default_value = "psk_dev_operator")]
    token: String,
}

/// Runs the program: 0 when stopped on request, 1 when it could not do its work, 2 for usage.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(serve) = plain::read(&args) {
        return end(start(&serve));
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Where this cannot be printed, nothing can.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    end(match cli.command {
        Some(Command::Env(env)) => print_env(&env),
        None => start(&cli.serve),
    })
}

fn end(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn start(serve: &Serve) -> Result<(), String> {
    if !serve.bind.is_loopback() {
        complain(&format!(
            "warning: listening on {}, where others can reach it; its tokens are public",
            serve.bind
        ));
    }
    if serve.host_shell() {
        if !serve.bind.is_loopback() {
            return Err(
                "--host-shell goes with a loopback address only: its tokens are public, and \
                whoever has one could run what you can"
                    .to_owned(),
            );
        }
        complain(
            "warning: ssh sessions get a real shell on this machine and may do whatever you may; \
             any program here can have one, because the tokens are public",
        );
    }
    let config = Config {
        address: SocketAddr::new(serve.bind, serve.port),
        generation: serve.contract,
        world: World::Named(serve.world.clone()),
        seed: serve.seed,
        clock: serve.clock,
        state_dir: serve.state_dir.clone(),
        journal: serve.journal,
        node: !serve.no_node,
        host_shell: serve.host_shell(),
        ..Config::default()
    };
    // Start-up and service fail alike for whoever called.
    boot_and_serve(serve, &config).map_err(|error| error.to_string())
}

fn boot_and_serve(serve: &Serve, config: &Config) -> Result<(), StartError> {
    let runtime = boot::runtime()?;
    let mut world = Furnishing::begin(config, runtime.handle());
    runtime.block_on(async {
        // Before anything is made, so that being stopped at any moment leaves nothing behind.
        let mut signals = Signals::listen().map_err(StartError::Runtime)?;
        let mut taken = boot::take(config)?;
        // A state directory may be held by somebody else; a temporary one is made at once, and
        // whoever goes before it is there would leave it behind.
        tokio::select! {
            biased;
            () = taken.settled() => {}
            () = signals.next(), if config.state_dir.is_some() => return Ok(()),
        }
        let bound = taken.certify()?;
        let line = format!("{}\n", bound.ready.to_json());
        let prepared = if !serve.greets() && config.world.is_embedded() {
            // A world that cannot be wrong need not be waited for: by the time somebody has read
            // the line and connected, it is there.
            announce(serve, &line)?;
            bound.furnish(world)?
        } else {
            tokio::select! {
                () = world.over() => {}
                () = signals.next() => return Ok(()),
            }
            let prepared = bound.furnish(world)?;
            announce(serve, &line)?;
            if serve.greets() {
                let greeting = greeting::Greeting {
                    ready: prepared.ready(),
                    rows: &prepared.scene_tokens(),
                    waits: !config.generation.endpoint_at_issue(),
                    lands: prepared.lands(),
                };
                print(&greeting.text())?;
            }
            prepared
        };
        let outcome = serve_until_asked(prepared, &mut signals).await;
        if let Some(path) = &serve.ready_file {
            withdraw(path, &line);
        }
        outcome
    })
}

async fn serve_until_asked(prepared: Prepared, signals: &mut Signals) -> Result<(), StartError> {
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = boot::serve(prepared, async {
        let _ = stopped.await;
    });
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        outcome = &mut serving => return outcome,
        () = signals.next() => {}
    }
    let _ = stop.send(());
    // Who asks twice does not want to wait for the answers that are under way.
    tokio::select! {
        outcome = serving => outcome,
        () = signals.next() => Ok(()),
    }
}

/// Takes the ready file back, unless it is another server's by now.
fn withdraw(path: &Path, line: &str) {
    if std::fs::read_to_string(path).is_ok_and(|text| text == line) {
        let _ = std::fs::remove_file(path);
    }
}

impl Serve {
    fn host_shell(&self) -> bool {
        #[cfg(unix)]
        return self.host_shell;
        #[cfg(not(unix))]
        false
    }

    /// Whether a person is greeted, or a program told.
    fn greets(&self) -> bool {
        match self.output {
            Some(output) => output == Output::Text,
            None => io::stdout().is_terminal(),
        }
    }
}

/// The ready file, and the ready line where no person reads.
fn announce(serve: &Serve, line: &str) -> Result<(), StartError> {
    if let Some(path) = &serve.ready_file {
        boot::write_atomically(path, line)?;
    }
    if !serve.greets() {
        print(line)?;
    }
    Ok(())
}

fn print_env(env: &Env) -> Result<(), String> {
    let (text, strange) = match &env.ready_file {
        Some(path) => (read(path)?, format!("{}: not a ready file", path.display())),
        None => (ask(env.port)?, "what answers there is no mock-server".to_owned()),
    };
    let ready: Ready = serde_json::from_str(&text).map_err(|_| strange)?;
    let lines = greeting::variables(&ready, &env.token).map(|one| format!("export {one}\n"));
    print(&lines.concat()).map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// One small request needs no client.
fn ask(port: u16) -> Result<String, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let other = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let exchange = || -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
            .or_else(|why| TcpStream::connect_timeout(&other, PATIENCE).map_err(|_| why))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(
            format!("GET /__mock/ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        )?;
        let mut answer = String::new();
        stream.take(64 * 1024).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error| {
        format!(
            "no mock-server on {address}: {error}; start one, or name it with --port or --ready-file"
        )
    })?;
    Ok(answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
}

fn print(text: &str) -> Result<(), StartError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader that left is no reason to stop serving; one that was never told would wait.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(StartError::File { place: "stdout".to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn complain(what: &str) {
    let _ = writeln!(io::stderr().lock(), "mock-server: {what}");
}
