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
        self.expect("millrace=> ")

    def expect(self, pattern):
        self.child.expect(pattern)
        return ESCAPES.sub("", self.child.before + self.child.after)

    def type(self, line, until):
        """Types a line, waits for a part of its output and for the prompt after it; gives what was printed."""
        self.child.send(line + "\r")
        return self.expect(until) + self.expect("millrace=> ")

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
    printed = shell.type("b' as two;", until="Time: ")
    assert "one | two" in printed, printed
    assert "(1 row)" in printed, printed


def expanded(shell):
    shell.type("\\x", until="Expanded display is on.")
    printed = shell.type("select 1 as one;", until="Time: ")
    assert "-[ RECORD 1 ]" in printed, printed
    assert "one | 1" in printed, printed
    shell.type("\\x off", until="Expanded display is off.")


def errors(shell):
    printed = shell.type("select nonsense;", until="Time: ")
    assert "ERROR:  " in printed, printed
    shell.type("\\dtt", until=r"invalid command \\dtt: did you mean \\dt")


def interrupt_at_the_prompt(shell):
    shell.child.send("select 'half\r")
    shell.expect("millrace'> ")
    shell.child.sendintr()
    shell.expect("millrace=> ")
    shell.type("select 2 as two;", until=r"\(1 row\)")


def interrupt_while_running(shell):
    shell.child.send(LONG + ";\r")
    shell.expect(r"\d\.\ds")  # the progress line
    shell.child.sendintr()
    time.sleep(0.1)
    shell.child.sendintr()
    shell.expect("canceling statement due to user request")
    shell.expect("Time: ")
    shell.expect("millrace=> ")
    shell.type("\\conninfo", until="You are using database")


def completion(shell):
    shell.child.send("\\tim\t")
    shell.expect("timing")
    shell.type(" off", until="Timing is off.")
    shell.type("\\timing on", until="Timing is on.")


def history(binary, directory):
    shell = Shell(binary, directory)
    shell.child.send("select 4 as\r")
    shell.expect("millrace-> ")
    shell.type("four;", until=r"\(1 row\)")
    shell.quit()
    shell = Shell(binary, directory)
    shell.child.send("\x1b[A")
    shell.expect("four;")
    shell.type("", until=r"\(1 row\)")
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
