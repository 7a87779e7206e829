//! Where output goes: rows to standard output or the file of `\o`, everything else to standard error.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

/// What standard output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    /// A terminal; its width is asked for at each statement, since windows are resized.
    Terminal,
    /// A file or pipe.
    None,
    /// A terminal of a fixed width.
    #[cfg(test)]
    Fixed(usize),
}

/// The shell's outputs.
pub(crate) struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    file: Option<BufWriter<File>>,
    screen: Screen,
    live: bool,
}

impl Console {
    /// The process's own outputs.
    pub(crate) fn standard() -> Self {
        let screen = if io::stdout().is_terminal() { Screen::Terminal } else { Screen::None };
        let out = Box::new(BufWriter::with_capacity(1 << 16, io::stdout()));
        Self { out, err: Box::new(io::stderr()), file: None, screen, live: io::stderr().is_terminal() }
    }

    /// Outputs of a test.
    #[cfg(test)]
    pub(crate) fn new(out: Box<dyn Write>, err: Box<dyn Write>, screen: Screen) -> Self {
        Self { out, err, file: None, screen, live: false }
    }

    /// Whether progress may be drawn on standard error.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Columns that rows must fit into, where they go to a terminal.
    pub(crate) fn width(&self) -> Option<usize> {
        if self.file.is_some() {
            return None;
        }
        match self.screen {
            Screen::Terminal => terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
            Screen::None => None,
            #[cfg(test)]
            Screen::Fixed(width) => Some(width),
        }
    }

    /// Whether rows go to a file.
    pub(crate) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// `\o`: rows go to a new file, or to standard output again.
    pub(crate) fn redirect(&mut self, path: Option<&Path>) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.flush()?;
        }
        self.file = path.map(File::create).transpose()?.map(BufWriter::new);
        Ok(())
    }

    /// Where rows go.
    pub(crate) fn rows(&mut self) -> &mut dyn Write {
        match &mut self.file {
            Some(file) => file,
            None => &mut self.out,
        }
    }

    /// Writes a line beside the rows: to standard output, whatever `\o` says.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Writes text to standard error, after what standard output still holds. There is no one left to tell when
    /// standard error itself fails.
    pub(crate) fn complain(&mut self, text: &str) {
        drop(self.flush());
        drop(self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush()));
    }

    /// Writes out what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        self.out.flush()
    }
}
