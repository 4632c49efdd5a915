//! Byte streams between programs, with back-pressure: a writer waits for its
//! reader, and learns when the reader has gone.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::tree::SharedTree;

/// Chunks on their way between two programs.
const PIPE_DEPTH: usize = 8;
/// A line longer than this is handed on in parts, so memory stays bounded.
const MAX_LINE: usize = 256 * 1024;
/// What a program that must see all of its input will hold.
const MAX_HELD: usize = 32 * 1024 * 1024;

/// Why nothing more can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteError {
    /// Nobody reads any more.
    Closed,
    /// The simulated disk is full.
    NoSpace,
}

/// The three streams a program is given.
#[derive(Clone)]
pub struct Io {
    pub stdin: Input,
    pub stdout: Output,
    pub stderr: Output,
}

/// Where a program's bytes go.
#[derive(Clone)]
pub enum Output {
    Nowhere,
    Pipe(Writer),
    /// As a pipe, but somebody looks at it: `ls` writes columns there.
    Terminal(Writer),
    File(FileEnd),
}

/// The writing end of a pipe. An empty chunk marks an end of file the writer
/// may continue after, as a terminal's ^D does.
pub type Writer = mpsc::Sender<Vec<u8>>;

#[derive(Clone)]
pub struct FileEnd {
    pub(super) tree: SharedTree,
    pub(super) path: String,
}

impl Output {
    pub(super) async fn write(&self, bytes: &[u8]) -> Result<(), WriteError> {
        // A program that never has to wait must still let others have a turn.
        tokio::task::consume_budget().await;
        if bytes.is_empty() {
            return Ok(());
        }
        match self {
            Self::Nowhere => Ok(()),
            Self::Pipe(writer) | Self::Terminal(writer) => {
                writer.send(bytes.to_vec()).await.map_err(|_| WriteError::Closed)
            }
            Self::File(end) => {
                end.tree.lock().append(&end.path, bytes).map_err(|_| WriteError::NoSpace)
            }
        }
    }
}

/// Where a program's bytes come from. Clones share the position, as
/// descriptors do.
#[derive(Clone)]
pub struct Input {
    source: Arc<Mutex<Source>>,
}

struct Source {
    chunks: Option<mpsc::Receiver<Vec<u8>>>,
    rest: Vec<u8>,
}

/// A pipe: what is written can be read, a few chunks at a time.
#[must_use]
pub fn pipe() -> (Writer, Input) {
    let (writer, reader) = mpsc::channel(PIPE_DEPTH);
    (writer, Input::from_reader(reader))
}

impl Input {
    #[must_use]
    pub fn empty() -> Self {
        Self::holding(Vec::new())
    }

    #[must_use]
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self { source: Arc::new(Mutex::new(Source { chunks: None, rest: bytes })) }
    }

    #[must_use]
    pub fn from_reader(reader: mpsc::Receiver<Vec<u8>>) -> Self {
        Self { source: Arc::new(Mutex::new(Source { chunks: Some(reader), rest: Vec::new() })) }
    }

    /// The next bytes, or nothing at the end.
    pub(super) async fn read(&self) -> Option<Vec<u8>> {
        tokio::task::consume_budget().await;
        let mut source = self.source.lock().await;
        if !source.rest.is_empty() {
            return Some(std::mem::take(&mut source.rest));
        }
        source.next().await
    }

    /// The next line with its newline, or what is left before the end.
    pub(super) async fn line(&self) -> Option<Vec<u8>> {
        tokio::task::consume_budget().await;
        let mut source = self.source.lock().await;
        let mut line = std::mem::take(&mut source.rest);
        let mut searched = 0;
        loop {
            let found = line.iter().skip(searched).position(|b| *b == b'\n');
            if let Some(end) = found {
                source.rest = line.split_off(searched + end + 1);
                return Some(line);
            }
            searched = line.len();
            if searched >= MAX_LINE {
                return Some(line);
            }
            match source.next().await {
                Some(mut more) => line.append(&mut more),
                None if line.is_empty() => return None,
                None => return Some(line),
            }
        }
    }

    /// Puts bytes back in front of what is still to be read.
    pub(super) async fn unread(&self, mut bytes: Vec<u8>) {
        let mut source = self.source.lock().await;
        bytes.append(&mut source.rest);
        source.rest = bytes;
    }

    /// Everything up to the end, or nothing when that is too much to hold.
    pub(super) async fn all(&self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(mut chunk) = self.read().await {
            if all.len() + chunk.len() > MAX_HELD {
                return None;
            }
            all.append(&mut chunk);
        }
        Some(all)
    }

    /// Takes what has arrived and nobody read, without waiting.
    pub(super) fn leftover(&self) -> Vec<u8> {
        let Ok(mut source) = self.source.try_lock() else {
            return Vec::new();
        };
        let mut left = std::mem::take(&mut source.rest);
        if let Some(chunks) = &mut source.chunks {
            while let Ok(mut chunk) = chunks.try_recv() {
                left.append(&mut chunk);
            }
        }
        left
    }
}

impl Source {
    async fn next(&mut self) -> Option<Vec<u8>> {
        let chunk = self.chunks.as_mut()?.recv().await?;
        (!chunk.is_empty()).then_some(chunk)
    }
}
