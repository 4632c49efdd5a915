//! What the argument parser says, in plexctl's own form: help and version on stdout, anything
//! wrong as a usage error that repeats no secret.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Error;
use crate::output::{self, Format};
use crate::secret::looks_secret;
use crate::untrusted::shown;

/// `version=<semver> commit=<sha> date=<rfc3339>`.
pub(crate) const VERSION: &str = concat!(
    "version=",
    env!("CARGO_PKG_VERSION"),
    " commit=",
    env!("PLEXCTL_BUILD_COMMIT"),
    " date=",
    env!("PLEXCTL_BUILD_DATE"),
    "\n"
);

/// What `--output` asks for, found without the parser, whose failure is about to be reported.
pub(crate) fn format_asked_for(args: &[OsString]) -> Format {
    let mut format = Format::Text;
    let mut words = args.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        let value = match word.as_ref() {
            "--" => break,
            "--output" => words.next(),
            other => other.strip_prefix("--output=").map(|value| value.to_owned().into()),
        };
        match value.as_deref() {
            Some("json") => format = Format::Json,
            Some("yaml") => format = Format::Yaml,
            Some("text") => format = Format::Text,
            _ => {}
        }
    }
    format
}

/// Prints help or the version, or makes a usage error of it.
pub(crate) fn report(error: &clap::Error) -> Result<(), Error> {
    match error.kind() {
        ErrorKind::DisplayHelp => output::help(&error.render().to_string()),
        ErrorKind::DisplayVersion => output::help(VERSION),
        kind => Err(Error::Usage { message: message(kind, error), hint: hint(error) }),
    }
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    let words = match error.get(kind)? {
        ContextValue::String(word) => vec![word.clone()],
        ContextValue::Strings(words) => words.clone(),
        _ => return None,
    };
    let safe =
        |word: String| if looks_secret(&word) { "(not repeated)".into() } else { shown(&word) };
    Some(words.into_iter().map(safe).collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}

fn message(kind: ErrorKind, error: &clap::Error) -> String {
    let argument = context(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = context(error, ContextKind::InvalidValue);
    match kind {
        ErrorKind::UnknownArgument => format!("unknown argument {argument}"),
        ErrorKind::InvalidSubcommand => {
            let command = context(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("unknown command {command}")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => match value {
            Some(value) => format!("{argument}: not a value it takes: {value}"),
            None => format!("{argument}: a value is missing"),
        },
        ErrorKind::NoEquals => format!("{argument}: its value follows an equals sign"),
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{argument}: wrong number of values")
        }
        ErrorKind::ArgumentConflict => format!("{argument}: cannot be given like that"),
        ErrorKind::MissingRequiredArgument => format!("{argument} is required"),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "no command given".into()
        }
        ErrorKind::InvalidUtf8 => "an argument is not text".into(),
        _ => "the command line cannot be understood".into(),
    }
}

fn hint(error: &clap::Error) -> Option<String> {
    let similar = context(error, ContextKind::SuggestedArg)
        .or_else(|| context(error, ContextKind::SuggestedSubcommand))
        .or_else(|| context(error, ContextKind::SuggestedValue));
    let possible = context(error, ContextKind::ValidValue);
    Some(match (similar, possible) {
        (_, Some(possible)) => format!("it takes one of: {possible}"),
        (Some(similar), None) => format!("did you mean {similar}?"),
        (None, None) => "see plexctl --help".into(),
    })
}
