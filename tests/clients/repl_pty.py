"""The interactive shell at a pseudo-terminal, as a user meets it.

Needs pexpect. Usage: repl_pty.py path/to/millrace
"""

import os
import re
import sys
import tempfile
import time

import pexpect

ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])")
DIGITS = ", ".join(f"({n})" for n in range(10))
# 10^11 rows of a cross join: long enough for any machine, small enough for any memory.
TABLES = ", ".join(f"t {name}" for name in "abcdefghijk")
LONG = f"with t(x) as (values {DIGITS}) select count(*) from {TABLES} where a.x + b.x * k.x = 1000"


class Shell:
    """A running shell; `expect` gives what was printed since, without escape sequences."""

    def __init__(self, binary, directory, *arguments):
        environment = {
            **os.environ,
            "XDG_STATE_HOME": os.path.join(directory, "state"),
            "TERM": "xterm",
            "NO_COLOR": "1",
        }
        environment.pop("MILLRACE_LOG", None)
        command = ["--warehouse", os.path.join(directory, "warehouse"), *arguments]
        self.child = pexpect.spawn(
            binary, command, env=environment, dimensions=(40, 100), encoding="utf-8", timeout=30
        )
        self.prompt()

    def expect(self, pattern):
        self.child.expect(pattern)
        return ESCAPES.sub("", self.child.before + self.child.after)

    def prompt(self):
        return self.expect(r"millrace=> ")

    def type(self, line):
        """Types a line, and waits for the prompt that follows its output."""
        self.child.send(line + "\r")
        return self.prompt()

    def quit(self):
        self.child.sendeof()
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus == 0, self.child.exitstatus


def multi_line(shell):
    shell.child.send("select 1 as one,\r")
    shell.expect("millrace-> ")
    shell.child.send("'a\r")
    shell.expect("millrace'> ")
    shell.child.send("b' as two;\r")
    printed = shell.prompt()
    assert "one | two" in printed, printed
    assert "(1 row)" in printed, printed
    assert "Time: " in printed, printed


def expanded(shell):
    assert "Expanded display is on." in shell.type("\\x")
    printed = shell.type("select 1 as one;")
    assert "-[ RECORD 1 ]" in printed, printed
    assert "one | 1" in printed, printed
    assert "Expanded display is off." in shell.type("\\x off")


def errors(shell):
    printed = shell.type("select nonsense;")
    assert "ERROR:  " in printed, printed
    printed = shell.type("\\dtt")
    assert "invalid command \\dtt: did you mean \\dt" in printed, printed


def interrupt_at_the_prompt(shell):
    shell.child.send("select 'half\r")
    shell.expect("millrace'> ")
    shell.child.sendintr()
    shell.prompt()
    assert "(1 row)" in shell.type("select 2 as two;")


def interrupt_while_running(shell):
    shell.child.send(LONG + ";\r")
    time.sleep(1.5)
    shell.child.sendintr()
    time.sleep(0.1)
    shell.child.sendintr()
    printed = shell.prompt()
    assert "canceling statement due to user request" in printed, printed
    assert "(1 row)" in shell.type("select 3 as three;")


def completion(shell):
    shell.child.send("\\tim\t")
    shell.expect("timing")
    shell.child.send("off\r")
    assert "Timing is off." in shell.prompt()
    assert "Timing is on." in shell.type("\\timing on")


def history(binary, directory):
    shell = Shell(binary, directory)
    shell.type("select 4 as\r four;")
    shell.quit()
    shell = Shell(binary, directory)
    shell.child.send("\x1b[A")
    shell.expect("four;")
    shell.child.send("\r")
    assert "(1 row)" in shell.prompt()
    shell.quit()


def main():
    binary = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        shell = Shell(binary, directory)
        for check in (multi_line, expanded, errors, interrupt_at_the_prompt, interrupt_while_running, completion):
            check(shell)
            print("ok", check.__name__)
        shell.quit()
        history(binary, directory)
        print("ok history")


if __name__ == "__main__":
    main()
