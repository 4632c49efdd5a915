//! Running lists, pipelines and commands.

use tokio::task::JoinSet;

use super::super::stream::{FileEnd, Input, Io, Output, WriteError, pipe};
use super::super::syntax::{
    AndOr, Body, Command, Connector, List, Pipeline, Redirect, Target, Word,
};
use super::super::{programs, syntax};
use super::{Outcome, Shell, Stop};
use crate::machine::login::Boxed;

/// What a shell reports for a program that wrote to a closed pipe (128 + SIGPIPE).
const BROKEN_PIPE: u8 = 141;

const USAGE: u8 = 2;

/// The status a child's end gives.
pub(in crate::machine) fn settle(outcome: Outcome) -> u8 {
    match outcome {
        Ok(status) | Err(Stop::Exit(status)) => status,
        Err(Stop::Write(WriteError::Closed)) => BROKEN_PIPE,
        Err(Stop::Write(WriteError::NoSpace)) => 1,
        Err(Stop::Break | Stop::Continue) => 0,
        Err(Stop::Usage) => USAGE,
    }
}

impl Shell {
    /// Parses and runs a whole text, as `sh -c` does.
    pub(in crate::machine) async fn text_command(&mut self, text: &str, io: &Io) -> Outcome {
        match syntax::parse(text) {
            Ok(list) => self.list(&list, io).await,
            Err(error) => {
                self.complain(io, &error.to_string()).await?;
                self.status = 2;
                Ok(2)
            }
        }
    }

    /// Runs commands one after the other as they arrive on standard input,
    /// from which the commands themselves may read too.
    pub(in crate::machine) async fn script(&mut self, io: &Io) -> Outcome {
        let mut text = String::new();
        loop {
            let line = io.stdin.line().await;
            let ended = line.is_none();
            text.push_str(&String::from_utf8_lossy(&line.unwrap_or_default()));
            match syntax::parse(&text) {
                Err(syntax::ParseError::Incomplete) if !ended && text.len() < 1024 * 1024 => {}
                Ok(list) => {
                    self.list(&list, io).await?;
                    self.line += 1;
                    text.clear();
                }
                Err(error) => {
                    self.complain(io, &error.to_string()).await?;
                    return Ok(2);
                }
            }
            if ended {
                return Ok(self.status);
            }
        }
    }

    pub(in crate::machine) async fn complain(&self, io: &Io, what: &str) -> Result<(), Stop> {
        let line = self.line;
        let text = format!("sh: {line}: {what}\n");
        Ok(io.stderr.write(text.as_bytes()).await?)
    }

    pub(in crate::machine) fn list<'a>(
        &'a mut self,
        list: &'a List,
        io: &'a Io,
    ) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            let mut status = 0;
            for and_or in &list.0 {
                status = self.and_or(and_or, io).await?;
            }
            Ok(status)
        })
    }

    async fn and_or(&mut self, and_or: &AndOr, io: &Io) -> Outcome {
        let mut status = self.pipeline(&and_or.first, io).await?;
        for (connector, pipeline) in &and_or.rest {
            if (status == 0) == (*connector == Connector::And) {
                status = self.pipeline(pipeline, io).await?;
            }
        }
        Ok(status)
    }

    async fn pipeline(&mut self, pipeline: &Pipeline, io: &Io) -> Outcome {
        tokio::task::consume_budget().await;
        let status = match pipeline.stages.as_slice() {
            [only] => self.command(only, io).await?,
            stages => self.stages(stages, io).await?,
        };
        self.status = match (pipeline.negated, status) {
            (false, status) => status,
            (true, 0) => 1,
            (true, _) => 0,
        };
        Ok(self.status)
    }

    /// Every stage is a task of its own, in a shell of its own. Dropping the
    /// set ends them all, which is how an interrupt and a lost client do it.
    async fn stages(&mut self, stages: &[Command], io: &Io) -> Outcome {
        let mut tasks = JoinSet::new();
        let mut stdin = io.stdin.clone();
        let mut status = 0;
        for (index, stage) in stages.iter().enumerate() {
            let Some(mut child) = self.child() else {
                self.complain(io, "Cannot fork").await?;
                return Ok(2);
            };
            let last = index + 1 == stages.len();
            let (stdout, next) = if last {
                (io.stdout.clone(), Input::empty())
            } else {
                let (writer, reader) = pipe();
                (Output::Pipe(writer), reader)
            };
            let stage_io = Io {
                stdin: std::mem::replace(&mut stdin, next),
                stdout,
                stderr: io.stderr.clone(),
            };
            let stage = stage.clone();
            tasks.spawn(async move {
                let outcome = child.command(&stage, &stage_io).await;
                (last, settle(outcome))
            });
        }
        drop(stdin);
        while let Some(ended) = tasks.join_next().await {
            if let Ok((true, code)) = ended {
                status = code;
            }
        }
        Ok(status)
    }

    async fn command(&mut self, command: &Command, io: &Io) -> Outcome {
        match self.body(command, io).await {
            // Words of it could not be expanded; it has not run.
            Err(Stop::Usage) => {
                self.status = USAGE;
                Ok(USAGE)
            }
            other => other,
        }
    }

    fn body<'a>(&'a mut self, command: &'a Command, io: &'a Io) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            let Some(io) = self.redirected(&command.redirects, io).await? else {
                self.status = 2;
                return Ok(2);
            };
            match &command.body {
                Body::Simple { assignments, words } => self.simple(assignments, words, &io).await,
                Body::Group(list) => self.list(list, &io).await,
                Body::Subshell(list) => {
                    let Some(mut child) = self.child() else {
                        self.complain(&io, "Cannot fork").await?;
                        return Ok(2);
                    };
                    Ok(settle(child.list(list, &io).await))
                }
                Body::If { arms, otherwise } => {
                    for (condition, consequence) in arms {
                        if self.list(condition, &io).await? == 0 {
                            return self.list(consequence, &io).await;
                        }
                    }
                    match otherwise {
                        Some(list) => self.list(list, &io).await,
                        None => Ok(0),
                    }
                }
                Body::Loop { until, condition, body } => {
                    let mut status = 0;
                    while (self.list(condition, &io).await? == 0) != *until {
                        match self.round(body, &io).await? {
                            Some(code) => status = code,
                            None => break,
                        }
                    }
                    Ok(status)
                }
                Body::For { name, words, body } => {
                    let mut status = 0;
                    for value in self.arguments(words, &io).await? {
                        self.set(name, &value);
                        match self.round(body, &io).await? {
                            Some(code) => status = code,
                            None => break,
                        }
                    }
                    Ok(status)
                }
            }
        })
    }

    /// One round of a loop; nothing when `break` ended it.
    async fn round(&mut self, body: &List, io: &Io) -> Result<Option<u8>, Stop> {
        tokio::task::consume_budget().await;
        match self.list(body, io).await {
            Err(Stop::Break) => Ok(None),
            Err(Stop::Continue) => Ok(Some(0)),
            other => other.map(Some),
        }
    }

    async fn simple(&mut self, assignments: &[(String, Word)], words: &[Word], io: &Io) -> Outcome {
        let arguments = self.arguments(words, io).await?;
        let mut before = Vec::new();
        let substituted = self.status;
        for (name, word) in assignments {
            let value = self.text(word, io).await?;
            before.push((name, self.variable(name).map(str::to_owned)));
            let fits = if arguments.is_empty() {
                self.set(name, &value)
            } else {
                self.export(name, &value)
            };
            if !fits {
                self.complain(io, "Out of space").await?;
                return Ok(2);
            }
        }
        if arguments.is_empty() {
            let status = if self.status == substituted { 0 } else { self.status };
            return Ok(status);
        }
        let outcome = programs::run(self, &arguments, io).await;
        // An assignment in front of a command holds for that command only.
        for (name, value) in before.into_iter().rev() {
            match value {
                Some(value) => {
                    self.set(name, &value);
                }
                None => self.unset(name),
            }
        }
        match outcome {
            Err(Stop::Write(WriteError::NoSpace)) => {
                let program = arguments.first().map_or("sh", String::as_str);
                let text = format!("{program}: write error: No space left on device\n");
                io.stderr.write(text.as_bytes()).await.ok();
                Ok(1)
            }
            other => other,
        }
    }

    async fn redirected(&mut self, redirects: &[Redirect], io: &Io) -> Result<Option<Io>, Stop> {
        let mut io = io.clone();
        for redirect in redirects {
            let output = match &redirect.to {
                Target::Read(word) => {
                    let name = self.text(word, &io).await?;
                    let path = self.path(&name);
                    let read = self.tree().read(self.account(), &path);
                    match read {
                        Ok(content) => io.stdin = Input::holding(content.to_vec()),
                        Err(error) => {
                            self.complain(&io, &format!("cannot open {name}: {error}")).await?;
                            return Ok(None);
                        }
                    }
                    continue;
                }
                Target::Write(word) | Target::Append(word) => {
                    let append = matches!(redirect.to, Target::Append(_));
                    let name = self.text(word, &io).await?;
                    let path = self.path(&name);
                    let opened = self.tree().open_for_writing(self.actor(), &path, append);
                    if let Err(error) = opened {
                        self.complain(&io, &format!("cannot create {name}: {error}")).await?;
                        return Ok(None);
                    }
                    let tree = self.shared.tree.clone();
                    Output::File(FileEnd { tree, path })
                }
                Target::Descriptor(1) => io.stdout.clone(),
                Target::Descriptor(2) => io.stderr.clone(),
                Target::Descriptor(_) => continue,
            };
            match redirect.descriptor {
                1 => io.stdout = output,
                2 => io.stderr = output,
                _ => {}
            }
        }
        Ok(Some(io))
    }
}
