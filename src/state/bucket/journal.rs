//! A journal in a bucket: one object for each synced append, numbered without a gap.
//!
//! An object is made only where there is none of its number. So the journal is a fence by itself: whoever goes on with it
//! begins with an object of its own, and a run that had it before finds its next number taken, and stops. The first line of an
//! object says who wrote it, the others are lines of the journal as a file has them; an object may have none.
//!
//! A journal that is begun anew, or that came to have many objects, is a new *generation*: it is written first, the old one is
//! closed by one object more, and then `current` names the new one. Nothing reads the old one again.

use std::path::PathBuf;

use object_store::UpdateVersion;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::super::error::{RemoteError, RemoteKind};
use super::super::job::Job;
use super::super::record::{Header, Record};
use super::super::replay::{Later, Replayed, line, replay};
use super::super::tail::Tail;
use super::super::{JobId, Owner, StateError};
use super::{Bucket, Put, unique};
use crate::crash_point;

/// Objects of a journal beyond which it is written anew as one object before it is gone on with.
const MANY: u64 = 100;

/// What `current` says.
#[derive(Debug, Serialize, Deserialize)]
struct Current {
    /// The generation that counts; none where the job was forgotten.
    generation: Option<String>,
    /// Who wrote this, so that nobody takes another's word for its own.
    writer: String,
}

/// The first line of an object.
#[derive(Debug, Serialize, Deserialize)]
struct Writing {
    writer: String,
    host: String,
    pid: u32,
}

/// What there is of a job's journal.
pub(in super::super) struct There {
    /// `current`, if there is one.
    version: Option<UpdateVersion>,
    generation: Option<String>,
    objects: Vec<String>,
}

impl There {
    fn last(&self) -> u64 {
        self.objects.iter().filter_map(|name| name.parse().ok()).max().unwrap_or_default()
    }
}

/// A journal that can be written to.
#[derive(Debug)]
pub(in super::super) struct Writer {
    append: mpsc::UnboundedSender<Append>,
    noted: String,
}

#[derive(Debug)]
struct Append {
    lines: String,
    done: oneshot::Sender<Result<(), RemoteError>>,
}

/// Says when what was sent is in the bucket.
pub(in super::super) type Written = oneshot::Receiver<Result<(), RemoteError>>;

impl Writer {
    /// Keeps a line for the next object.
    pub(in super::super) fn note(&mut self, line: &str) {
        self.noted.push_str(line);
    }

    /// Sends what was noted. What comes while an object is written goes into the next one together.
    pub(in super::super) fn send(&mut self) -> Written {
        let (done, written) = oneshot::channel();
        // Where nobody writes any more, the receiver says so.
        let _gone = self.append.send(Append { lines: std::mem::take(&mut self.noted), done });
        written
    }
}

fn folder(id: &JobId) -> String {
    format!("jobs/{id}")
}

fn numbered(number: u64) -> String {
    format!("{number:010}")
}

/// An object with these lines, which no other writer's object is equal to.
fn object(lines: &str) -> Result<String, StateError> {
    let this = Owner::this("");
    let writing = Writing { writer: unique(), host: this.host, pid: this.pid };
    let first = serde_json::to_string(&writing).map_err(std::io::Error::other)?;
    Ok(format!("{first}\n{lines}"))
}

impl Bucket {
    /// What there is of a job.
    pub(in super::super) async fn there(&self, id: &JobId) -> Result<There, StateError> {
        let name = format!("{}/current", folder(id));
        let Some(found) = self.get(&name).await? else {
            return Ok(There { version: None, generation: None, objects: Vec::new() });
        };
        let current: Current = serde_json::from_slice(&found.bytes)
            .map_err(|_| StateError::damaged(&PathBuf::from(self.shown(&name)), 1, "it does not name a generation"))?;
        let objects = match &current.generation {
            Some(generation) => self.names(&format!("{}/{generation}", folder(id))).await?,
            None => Vec::new(),
        };
        Ok(There { version: Some(found.version), generation: current.generation, objects })
    }

    /// The text of a journal, if there is one.
    pub(in super::super) async fn text(&self, id: &JobId, there: &There) -> Result<Option<Vec<u8>>, StateError> {
        let Some(generation) = &there.generation else { return Ok(None) };
        let folder = format!("{}/{generation}", folder(id));
        let damaged = |object: &str, what: &str| {
            StateError::damaged(&PathBuf::from(self.shown(&format!("{folder}/{object}"))), 1, what)
        };
        let wanted: Vec<String> = (1..=there.last()).map(numbered).collect();
        if let Some(missing) = wanted.iter().find(|name| !there.objects.contains(name)) {
            return Err(damaged(missing, "it is missing, and later ones are there"));
        }
        let mut text = Vec::new();
        for (name, found) in wanted.iter().zip(self.read_all(&folder, &wanted).await?) {
            let bytes = found.ok_or_else(|| damaged(name, "it is missing, and later ones are there"))?;
            let first = bytes.iter().position(|byte| *byte == b'\n').unwrap_or_default();
            if serde_json::from_slice::<Writing>(&bytes[..first]).is_err() || bytes.last() != Some(&b'\n') {
                return Err(damaged(name, "this is not an object of a journal of vecferry"));
            }
            text.extend_from_slice(&bytes[first + 1..]);
        }
        Ok(Some(text))
    }

    /// Where a journal is, for people.
    pub(in super::super) fn journal(&self, id: &JobId) -> PathBuf {
        PathBuf::from(self.shown(&folder(id)))
    }

    /// The job that a journal adds up to.
    pub(in super::super) async fn job(&self, id: &JobId, later: Later) -> Result<Option<Job>, StateError> {
        let there = self.there(id).await?;
        let Some(text) = self.text(id, &there).await? else { return Ok(None) };
        Ok(replay(text.as_slice(), &self.journal(id), None, later)?.job)
    }

    /// Begins a journal anew.
    pub(in super::super) async fn begin(&self, id: &JobId, header: &Header) -> Result<(Writer, Tail), StateError> {
        let (text, sum) = line(&Record::Begin(Box::new(header.clone())), header.format, 0)?;
        let there = self.there(id).await?;
        let (generation, old) = self.switch(id, &there, &text).await?;
        if old.is_some() {
            crash_point::reached("old journal put aside");
        }
        crash_point::reached("journal begun");
        Ok((self.writer(id, &generation, 2)?, Tail { records: 1, sum }))
    }

    /// Goes on with a journal. From here on nobody else does.
    pub(in super::super) async fn resume(&self, id: &JobId) -> Result<(Writer, Job, Tail), StateError> {
        let there = self.there(id).await?;
        let path = self.journal(id);
        let missing = || StateError::damaged(&path, 1, "the first record is missing");
        let text = self.text(id, &there).await?.ok_or_else(missing)?;
        let Replayed { job, end, .. } = replay(text.as_slice(), &path, None, Later::Refuse)?;
        let job = job.ok_or_else(missing)?;
        let (generation, next) = match &there.generation {
            Some(generation) if there.last() <= MANY => {
                self.close(id, &there).await?;
                (generation.clone(), there.last() + 2)
            }
            _ => (self.switch(id, &there, &String::from_utf8_lossy(&text)).await?.0, 2),
        };
        Ok((self.writer(id, &generation, next)?, job, end))
    }

    /// Puts a journal that comes from elsewhere in the place of the one that is here, and says where that one is now.
    pub(in super::super) async fn place(&self, id: &JobId, text: &str) -> Result<Option<PathBuf>, StateError> {
        let there = self.there(id).await?;
        Ok(self.switch(id, &there, text).await?.1)
    }

    /// Makes a job unknown, and says where its journal is.
    pub(in super::super) async fn forget(&self, id: &JobId) -> Result<PathBuf, StateError> {
        let there = self.there(id).await?;
        let old = self.close(id, &there).await?;
        self.point(id, &there, None).await?;
        old.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound).into())
    }

    /// A new generation with this text, in place of the one that is there.
    async fn switch(&self, id: &JobId, there: &There, text: &str) -> Result<(String, Option<PathBuf>), StateError> {
        let generation = format!("{}-{}", jiff::Timestamp::now().as_millisecond(), &unique()[..8]);
        let name = format!("{}/{generation}/{}", folder(id), numbered(1));
        if let Put::Taken(_) = self.create(&name, object(text)?).await? {
            return Err(self.taken_over(id).await);
        }
        let old = self.close(id, there).await?;
        self.point(id, there, Some(&generation)).await?;
        Ok((generation, old))
    }

    /// Lets `current` name another generation.
    async fn point(&self, id: &JobId, there: &There, generation: Option<&str>) -> Result<(), StateError> {
        let current = Current { generation: generation.map(str::to_owned), writer: unique() };
        let text = serde_json::to_string(&current).map_err(std::io::Error::other)?;
        match self.put_over(&format!("{}/current", folder(id)), text, there.version.clone()).await? {
            Put::Done(_) => Ok(()),
            Put::Taken(_) => Err(self.taken_over(id).await),
        }
    }

    /// Sees to it that nobody who had the journal before writes to it any more, and says where it is.
    async fn close(&self, id: &JobId, there: &There) -> Result<Option<PathBuf>, StateError> {
        let Some(generation) = &there.generation else { return Ok(None) };
        let generation = format!("{}/{generation}", folder(id));
        match self.create(&format!("{generation}/{}", numbered(there.last() + 1)), object("")?).await? {
            Put::Done(_) => Ok(Some(PathBuf::from(self.shown(&generation)))),
            Put::Taken(_) => Err(self.taken_over(id).await),
        }
    }

    async fn taken_over(&self, id: &JobId) -> StateError {
        taken_over(self, id).await.into()
    }

    fn writer(&self, id: &JobId, generation: &str, next: u64) -> Result<Writer, StateError> {
        let (append, inbox) = mpsc::unbounded_channel();
        let generation = format!("{}/{generation}", folder(id));
        self.threads()?.spawn(write(self.clone(), id.clone(), generation, next, inbox));
        Ok(Writer { append, noted: String::new() })
    }
}

async fn taken_over(bucket: &Bucket, id: &JobId) -> RemoteError {
    let by = bucket.owner(id).await.map_or_else(|| "another run".to_owned(), |owner| owner.to_string());
    let what = format!("the journal of {id} was taken over by {by}");
    RemoteError { kind: RemoteKind::TakenOver, what }
}

/// Writes objects in their order for as long as somebody sends any. After the first that could not be written, none is.
async fn write(
    bucket: Bucket,
    id: JobId,
    generation: String,
    mut next: u64,
    mut inbox: mpsc::UnboundedReceiver<Append>,
) {
    let mut broken: Option<RemoteError> = None;
    while let Some(first) = inbox.recv().await {
        let mut lines = first.lines;
        let mut waiting = vec![first.done];
        while let Ok(more) = inbox.try_recv() {
            lines.push_str(&more.lines);
            waiting.push(more.done);
        }
        if broken.is_none() {
            let put = match object(&lines) {
                Ok(object) => bucket.create(&format!("{generation}/{}", numbered(next)), object).await,
                Err(error) => Err(RemoteError { kind: RemoteKind::Unreachable, what: error.to_string() }),
            };
            broken = match put {
                Ok(Put::Done(_)) => None,
                Ok(Put::Taken(_)) => Some(taken_over(&bucket, &id).await),
                Err(error) => Some(error),
            };
            next += 1;
        }
        for done in waiting {
            let result = broken.clone().map_or(Ok(()), Err);
            // Whoever asked may have been given up meanwhile.
            let _nobody_listens = done.send(result);
        }
    }
}
