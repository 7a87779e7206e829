//! One statement: from its text to its rows on the output, its tag, its time, or its error.

use super::console::Console;
use super::progress::ProgressLine;
use super::report::{Verbosity, line_of, report};
use super::rows::Rows;
use super::settings::Settings;
use super::watch::Watch;
use super::work::Work;
use crate::engine::Engine;
use crate::print::{End, Layout, PrintError, Printer, Rest, printer};
use crate::zone::shown_in;
use arrow::record_batch::RecordBatch;
use chrono_tz::Tz;
use futures::TryStreamExt;
use millrace_engine::{CommandTag, Error, ErrorKind, StatementResult, sql};
use std::io;
use std::time::{Duration, Instant};

/// How long rows beyond the limit are counted before the query is stopped.
const COUNTING: Duration = Duration::from_millis(300);

/// How long a cancelled statement may take to stop before the shell goes on without it.
const STOPPING: Duration = Duration::from_secs(5);

/// How long the end of the program may wait for cancelled statements; longer than the engine's own limit.
const CLOSING: Duration = Duration::from_secs(12);

/// How running something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Well.
    Done,
    /// With an error, which was printed.
    Failed,
    /// By Ctrl-C.
    Cancelled,
    /// The shell is to end: the user said so, or no one reads the output any more.
    Quit,
}

/// Where a statement comes from, for error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The terminal or the command line.
    Typed,
    /// A line of a script.
    Script {
        /// The script's name.
        name: &'a str,
        /// The line, from 1.
        line: usize,
    },
}

/// Why a statement did not end well.
enum Failure {
    Statement(Error),
    Cancelled,
    Print(PrintError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Statement(error)
    }
}

impl From<PrintError> for Failure {
    fn from(error: PrintError) -> Self {
        Self::Print(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Print(PrintError::Output(error))
    }
}

/// What of a statement runs on the runtime's threads.
#[derive(Default)]
struct Running {
    start: Option<Work<Result<StatementResult, Error>>>,
    rows: Option<Rows>,
}

impl Running {
    async fn stop(self, watch: &Watch) {
        if let Some(rows) = self.rows {
            rows.stop(watch).await;
        }
        if let Some(start) = self.start {
            start.stop(STOPPING, watch).await;
        }
    }
}

/// A session with its outputs and settings.
pub(crate) struct Shell {
    pub(super) engine: Box<dyn Engine>,
    pub(super) console: Console,
    pub(super) settings: Settings,
    pub(super) watch: Watch,
    /// The last error and the statement it came from, for `\errverbose`.
    pub(super) last_error: Option<(Error, String)>,
    /// Scripts that are being run, one inside the other.
    pub(super) script_depth: usize,
}

impl Shell {
    /// A shell on a session.
    pub(crate) fn new(engine: Box<dyn Engine>, console: Console, settings: Settings, watch: Watch) -> Self {
        Self { engine, console, settings, watch, last_error: None, script_depth: 0 }
    }

    /// The session.
    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// What hears Ctrl-C for this shell.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Ends the session: what cancelled statements left behind is removed, within a limit.
    pub(crate) async fn close(&mut self) {
        let _busy = self.watch.busy();
        if self.watch.within(CLOSING, self.engine.close()).await.is_none() {
            tracing::warn!("a cancelled statement is still being stopped");
        }
    }

    /// Says a line beside the rows.
    pub(crate) fn announce(&mut self, line: &str) -> io::Result<()> {
        self.console.say(line)?;
        self.console.flush()
    }

    /// Runs one statement and prints all that comes of it.
    pub(crate) async fn run_statement(&mut self, text: &str, place: Place<'_>) -> Outcome {
        let started = Instant::now();
        let watch = self.watch.clone();
        let _busy = watch.busy();
        let mut running = Running::default();
        let ended = watch.unless_raised(self.try_statement(text, &mut running)).await;
        let ended = ended.unwrap_or(Err(Failure::Cancelled));
        let outcome = match ended.and_then(|()| Ok(self.console.flush()?)) {
            Ok(()) => Outcome::Done,
            Err(failure) => self.fail(failure, text, place),
        };
        // The user knows by now; still nothing of the statement shall run on behind the prompt.
        running.stop(&watch).await;
        if self.settings.timing && outcome != Outcome::Quit {
            let line = time_line(started.elapsed());
            drop(self.console.say(&line).and_then(|()| self.console.flush()));
        }
        outcome
    }

    /// The rows of a statement of the program's own, which shows nothing.
    pub(crate) async fn ask(&mut self, text: &str) -> Result<Vec<RecordBatch>, Error> {
        let result = self.engine.execute(text.to_owned()).await?;
        match result.rows {
            Some(rows) => rows.try_collect().await.map_err(Error::from),
            None => Ok(Vec::new()),
        }
    }

    /// Runs a statement up to its last row. `running` is outside, so that it outlives a cancelled future.
    async fn try_statement(&mut self, text: &str, running: &mut Running) -> Result<(), Failure> {
        let mut progress = ProgressLine::start(self.console.is_live(), &self.watch);
        progress.watch(self.engine.progress());
        let start = running.start.insert(Work::start(self.engine.execute(text.to_owned())));
        let result = start.end().await??;
        progress.watch(result.progress.clone());
        let StatementResult { schema, rows: stream, tag, notices, .. } = result;
        if !notices.is_empty() {
            progress.clear();
        }
        for notice in notices {
            self.console.complain(&format!("{}:  {}\n", notice.severity, notice.message));
        }
        let Some(stream) = stream else {
            progress.clear();
            return self.say_tag(&tag);
        };
        let format = self.settings.effective_format();
        let layout = Layout { null: self.settings.null.clone(), width: self.console.width() };
        // A limit is for people at a terminal; a file or a program gets everything.
        let limit = self.settings.row_limit.filter(|_| format.is_for_people() && !self.console.has_file());
        let printer = printer(format, schema, layout);
        let zone = self.engine.zone();
        let rows = running.rows.insert(Rows::read(stream, Error::from));
        let (console, watch) = (&mut self.console, &self.watch);
        Feed { rows, printer, zone, progress, console, watch, limit, printed: 0 }.run().await
    }

    /// The tag of a statement without rows, where people read the output.
    fn say_tag(&mut self, tag: &CommandTag) -> Result<(), Failure> {
        if self.settings.format.is_for_people() {
            self.console.say(&tag.text(0))?;
        }
        Ok(())
    }

    /// Prints a failure.
    fn fail(&mut self, failure: Failure, text: &str, place: Place<'_>) -> Outcome {
        match failure {
            Failure::Print(PrintError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Quit,
            Failure::Print(error) => {
                self.complain_of(Error::new(ErrorKind::Data, error.to_string()), text, place);
                Outcome::Failed
            }
            Failure::Statement(error) if error.kind == ErrorKind::Cancelled => {
                self.complain_of(error, text, place);
                Outcome::Cancelled
            }
            Failure::Statement(error) => {
                self.complain_of(error, text, place);
                Outcome::Failed
            }
            Failure::Cancelled => {
                let error = Error::new(ErrorKind::Cancelled, "canceling statement due to user request");
                let statement = sql::parse(text, self.engine.dialect()).ok().and_then(|mut all| all.pop());
                let error = statement.map_or(error.clone(), |statement| statement.canceled(error));
                self.complain_of(error, text, place);
                Outcome::Cancelled
            }
        }
    }

    fn complain_of(&mut self, error: Error, text: &str, place: Place<'_>) {
        let report = report(&error, text, self.settings.verbosity, self.console.width());
        let line = error.position.map_or(1, |position| line_of(text, position));
        self.console.complain(&format!("{}{report}", prefix(place, line)));
        self.last_error = Some((error, text.to_owned()));
    }

    /// Prints the last error with all that is known of it.
    pub(super) fn repeat_error(&mut self) {
        let text = match &self.last_error {
            Some((error, text)) => report(error, text, Verbosity::Verbose, self.console.width()),
            None => "There is no previous error.\n".to_owned(),
        };
        self.console.complain(&text);
    }

    /// Prints the message of a command that could not be done.
    pub(crate) fn complain(&mut self, message: &str, place: Place<'_>) -> Outcome {
        self.console.complain(&format!("{}{message}\n", prefix(place, 1)));
        Outcome::Failed
    }
}

/// `script.sql:12: `, counting the statement's own lines too.
fn prefix(place: Place<'_>, line_in_statement: usize) -> String {
    match place {
        Place::Typed => String::new(),
        Place::Script { name, line } => format!("{name}:{}: ", line + line_in_statement - 1),
    }
}

/// `Time: 12.345 ms`, and from a second on also in minutes or hours, as psql has it.
fn time_line(elapsed: Duration) -> String {
    let ms = elapsed.as_secs_f64() * 1_000.0;
    let seconds = elapsed.as_secs_f64() % 60.0;
    let minutes = elapsed.as_secs() / 60;
    match (elapsed.as_secs(), minutes / 60) {
        (0, _) => format!("Time: {ms:.3} ms"),
        (_, 0) => format!("Time: {ms:.3} ms ({minutes:02}:{seconds:06.3})"),
        (_, hours) => format!("Time: {ms:.3} ms ({hours:02}:{:02}:{seconds:06.3})", minutes % 60),
    }
}

/// Feeds a printer with rows up to a limit.
struct Feed<'a> {
    rows: &'a mut Rows,
    printer: Box<dyn Printer>,
    zone: Tz,
    progress: ProgressLine,
    console: &'a mut Console,
    watch: &'a Watch,
    limit: Option<u64>,
    printed: u64,
}

impl Feed<'_> {
    async fn run(mut self) -> Result<(), Failure> {
        while let Some(batch) = self.next().await? {
            self.progress.clear();
            let room = self.limit.map_or(u64::MAX, |limit| limit - self.printed);
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(batch.num_rows());
            let shown = shown_in(batch.slice(0, take), self.zone).map_err(PrintError::from)?;
            self.printer.batch(&shown, self.console.rows())?;
            self.printed += take as u64;
            if take < batch.num_rows() {
                let rest = self.count((batch.num_rows() - take) as u64).await?;
                return self.finish(rest);
            }
        }
        self.finish(Rest::Nothing)
    }

    /// The next batch. What was printed is written out before a wait, so that slow rows are seen as they come.
    async fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        if let Some(batch) = self.rows.ready()? {
            return Ok(Some(batch));
        }
        self.console.flush()?;
        Ok(self.rows.next().await?)
    }

    /// Counts rows beyond the limit for a moment; a longer count is not worth a whole scan.
    async fn count(&mut self, seen: u64) -> Result<Rest, Failure> {
        self.console.flush()?;
        let mut rest = seen;
        let counting = async {
            while let Some(batch) = self.rows.next().await? {
                rest += batch.num_rows() as u64;
            }
            Ok::<(), Error>(())
        };
        match self.watch.within(COUNTING, counting).await {
            Some(Ok(())) => Ok(Rest::Exactly(rest)),
            Some(Err(error)) => Err(error.into()),
            None => Ok(Rest::AtLeast(rest)),
        }
    }

    fn finish(mut self, rest: Rest) -> Result<(), Failure> {
        self.progress.clear();
        self.printer.finish(End { printed: self.printed, rest }, self.console.rows())?;
        self.console.flush()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_times_are_also_told_in_minutes() {
        let cases = [
            (Duration::from_micros(12_345), "Time: 12.345 ms"),
            (Duration::from_millis(1_234), "Time: 1234.000 ms (00:01.234)"),
            (Duration::from_millis(3_723_004), "Time: 3723004.000 ms (01:02:03.004)"),
        ];
        for (elapsed, expected) in cases {
            assert_eq!(time_line(elapsed), expected);
        }
    }
}
