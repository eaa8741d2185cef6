//! A process that does not outlive the test process, however that ends.
//!
//! A small shell stands between the two. It reads from a pipe: orders while the test process lives, and the end of the pipe when that
//! is gone, even if it was killed with SIGKILL. Then the shell kills the server and removes its directory. It also sends the signals,
//! so that no process id is used that may belong to another process by now.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Its arguments are the directory and the command. It answers each order with a line. A dead child stays a zombie until the shell
/// waits for it, so its id is not reused.
const SUPERVISOR: &str = r#"
directory=$1; shift
cd / || exit
"$@" >>"$directory/output" 2>&1 &
pid=$!
echo "$pid"
while read -r order; do
    case $order in
    leave) kill -KILL "$pid"; wait "$pid"; exit ;;
    KILL) kill -KILL "$pid"; wait "$pid" ;;
    *) kill -"$order" "$pid" ;;
    esac 2>/dev/null
    echo done
done
kill -KILL "$pid"
wait "$pid"
rm -rf "$directory"
"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    shell: Mutex<Shell>,
}

#[derive(Debug)]
struct Shell {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `command`, which includes the arguments. Its output goes to the file `output` in `directory`.
    pub(crate) fn start<A: AsRef<OsStr>>(directory: &Path, command: &[A]) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(directory)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // an interrupt from the terminal is meant for the tests; the shell must live to clean up after them
            .process_group(0)
            .spawn()?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes to the supervisor"));
        };
        let mut shell = Shell {
            child,
            orders,
            answers: BufReader::new(answers),
        };
        let pid = shell.answer()?;
        Ok(Self {
            pid: pid.parse().map_err(io::Error::other)?,
            shell: Mutex::new(shell),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid
    }

    /// Sends `signal`: `KILL`, `STOP` or `CONT`. When this returns, a killed process is gone, and a stopped one does nothing any more.
    pub(crate) fn signal(&self, signal: &str) -> io::Result<()> {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(shell.orders, "{signal}")?;
        shell.answer()?;
        // each of its threads stops separately
        while signal == "STOP" && self.runs()? {
            thread::yield_now();
        }
        Ok(())
    }

    /// Whether it has not ended by itself.
    pub(crate) fn is_alive(&self) -> bool {
        let state = state(Path::new(&format!("/proc/{}", self.pid)));
        state.is_some_and(|state| !"ZX".contains(state))
    }

    /// Whether one of its threads runs.
    fn runs(&self) -> io::Result<bool> {
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            if state(&task?.path()).is_some_and(|state| !"TZX".contains(state)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The state of a process or a thread, as the system reports it; `None` if it is gone.
fn state(of: &Path) -> Option<char> {
    let stat = fs::read_to_string(of.join("stat")).ok()?;
    // after the name, which is in parentheses
    stat.rsplit(')').next()?.trim_start().chars().next()
}

impl Shell {
    fn answer(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Process {
    /// Kills it and waits until it is gone. Its directory stays.
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        // if the shell is gone, it has cleaned up
        let _ = writeln!(shell.orders, "leave");
        let _ = shell.child.wait();
    }
}
