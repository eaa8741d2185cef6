//! A custom backend: files in a directory, which several caches and processes can share.
//!
//! A scope is a directory, and its child scopes are directories in it, so evicting a tenant removes one directory with everything in
//! it. An entry is a file in the directory of its scope: the time when it expires, then the bytes of the payload.
//!
//! The backend knows nothing about values, functions or rules. It does not have to compare whole keys either: a payload carries its
//! own key, and the cache treats the payload of another key as a miss. So a file name may be a hash.

mod layout;

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use cacheado::backends::{Backend, BackendFuture, BackendResult, Lookup, Payload};
use cacheado::{Key, Scope};

/// Entries as files below one directory, in which each cache has a directory with its name. A clone is another handle to the same
/// store.
#[derive(Clone, Debug)]
pub struct Files {
    directory: PathBuf,
    /// Distinguishes the files of unfinished writes.
    writes: Arc<AtomicU64>,
}

impl Files {
    /// A store in `directory`, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// If the directory can't be created.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        Ok(Self {
            directory,
            writes: Arc::new(AtomicU64::new(0)),
        })
    }

    fn file_of(&self, key: &Key) -> io::Result<PathBuf> {
        let directory = layout::directory_of(&self.directory, &key.scope())?;
        Ok(directory.join(layout::file_name(key)))
    }

    /// Runs `work` where it may block: on a thread for blocking work or, outside of any tokio runtime, right here.
    fn unblocked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> BackendResult<T> + Send + 'static,
    ) -> BackendFuture<'static, T> {
        let this = self.clone();
        Box::pin(async move {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => runtime.spawn_blocking(move || work(&this)).await?,
                Err(_) => work(&this),
            }
        })
    }
}

impl Backend for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn bind(&mut self, name: &str) {
        self.directory.push(layout::hexadecimal(name.as_bytes()));
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        let stored = if_there(fs::read(self.file_of(key)?))?;
        let live = stored.and_then(|stored| layout::unpack(&stored, SystemTime::now()));
        Ok(live.into())
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        let file = self.file_of(key)?;
        // written to another file and then renamed: a reader sees the old contents or the new ones, never half of them
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let draft = self
            .directory
            .join(format!("draft-{}-{number}", std::process::id()));
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        let written = fs::File::create(&draft)
            .and_then(|mut to| to.write_all(&layout::pack(payload, SystemTime::now())))
            .and_then(|()| fs::rename(&draft, &file));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        Ok(written?)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        let alive = self.get(key)?.hit().is_some();
        let removed = if_there(fs::remove_file(self.file_of(key)?))?;
        Ok(alive && removed.is_some())
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        let directory = layout::directory_of(&self.directory, scope)?;
        let alive = count_alive(&directory, SystemTime::now())?;
        if scope.level().depth() == 0 {
            self.clear()?;
        } else {
            if_there(fs::remove_dir_all(&directory))?;
        }
        Ok(alive)
    }

    fn clear(&self) -> BackendResult<()> {
        if_there(fs::remove_dir_all(&self.directory))?;
        Ok(fs::create_dir_all(&self.directory)?)
    }

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        let key = key.clone();
        self.unblocked(move |this| this.get(&key))
    }

    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        let (key, payload) = (key.clone(), payload.clone());
        self.unblocked(move |this| this.set(&key, &payload))
    }

    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        let key = key.clone();
        self.unblocked(move |this| this.evict(&key))
    }

    fn evict_by_scope_async<'a>(&'a self, scope: &'a Scope) -> BackendFuture<'a, u64> {
        let scope = scope.clone();
        self.unblocked(move |this| this.evict_by_scope(&scope))
    }

    fn clear_async(&self) -> BackendFuture<'_, ()> {
        self.unblocked(Self::clear)
    }
}

/// `None` if something does not exist, which is not an error.
fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many entries below `directory` have not expired.
fn count_alive(directory: &Path, now: SystemTime) -> io::Result<u64> {
    let Some(items) = if_there(fs::read_dir(directory))? else {
        return Ok(0);
    };
    let mut alive = 0;
    for item in items {
        let path = item?.path();
        if path.is_dir() {
            alive += count_alive(&path, now)?;
        } else if layout::is_entry(&path)
            && let Some(stored) = if_there(fs::read(&path))?
            && layout::unpack(&stored, now).is_some()
        {
            alive += 1;
        }
    }
    Ok(alive)
}

/// The time when a lifetime that begins `now` ends, in milliseconds since 1970, rounded up; zero if it has no end.
fn deadline(now: SystemTime, lifetime: Option<Duration>) -> u64 {
    let Some(lifetime) = lifetime else { return 0 };
    let now = now.duration_since(SystemTime::UNIX_EPOCH);
    let at = now.unwrap_or_default().saturating_add(lifetime);
    u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
