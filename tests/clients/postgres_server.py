"""A PostgreSQL server of the machine's own programs, in a folder that goes away with it.

As root it is started as the user postgres or nobody. `Server.missing()` says what is not there to start one.
"""
import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile


def _program(name):
    # Debian keeps them out of the path.
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), None)
    return found


class Server:
    """A running server; `folder` has its socket, `port` its port."""

    @staticmethod
    def missing():
        absent = [name for name in ("initdb", "pg_ctl") if not _program(name)]
        return f"there is no {' or '.join(absent)}" if absent else None

    def __init__(self, user, settings=(), password=None):
        """With a password the server listens on a port of 127.0.0.1, and asks for it there (SCRAM), over TLS where it can
        (`certificate` is its own); without one there is only the socket."""
        # Not within the caller's folder: initdb refuses to run as root, and another user need not get into that.
        self.folder = tempfile.mkdtemp(prefix="millrace-postgres-")
        self.user, self.port, self._as_user = user, 5432, []
        if os.geteuid() == 0:
            name = next(name for name in ("postgres", "nobody") if subprocess.run(["id", name], capture_output=True).returncode == 0)
            subprocess.run(["chown", name, self.folder], check=True)
            group = subprocess.check_output(["id", "-g", name], text=True).strip()
            self._as_user = ["setpriv", "--reuid", name, "--regid", group, "--clear-groups"]
        call = [_program("initdb"), "-D", f"{self.folder}/data", "-U", user, "-E", "UTF8", "--locale=C.UTF-8", "-N", "-A"]
        listen = ""
        if password is None:
            self._call(*call, "trust")
        else:
            file = f"{self.folder}/password"
            with open(file, "w", encoding="utf-8") as given:
                given.write(password)
            os.chmod(file, 0o644)
            self._call(*call, "scram-sha-256", "--pwfile", file)
            os.remove(file)
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            listen = "127.0.0.1"
            self.certificate = self._certificate() if shutil.which("openssl") else None
            if self.certificate:
                settings = [*settings, "ssl=on", f"ssl_cert_file={self.certificate}", f"ssl_key_file={self.folder}/key"]
        settings = [f"listen_addresses={listen}", f"port={self.port}", f"unix_socket_directories={self.folder}", *settings]
        self._options = " ".join(f"-c {setting}" for setting in settings)
        self.start()

    def _call(self, *command):
        environment = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", HOME=self.folder)
        done = subprocess.run([*self._as_user, *command], capture_output=True, text=True, env=environment, cwd=self.folder)
        if done.returncode:
            sys.exit(f"postgres_server: FAILED: {' '.join(command)}\n{done.stdout}{done.stderr}")

    def _certificate(self):
        self._call("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                   "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
                   "-keyout", f"{self.folder}/key", "-out", f"{self.folder}/certificate")
        self._call("chmod", "600", f"{self.folder}/key")
        self._call("chmod", "755", self.folder)
        return f"{self.folder}/certificate"

    def start(self):
        self._call(_program("pg_ctl"), "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o", self._options, "start")

    def stop(self):
        """Ends it at once, as a crash would."""
        self._call(_program("pg_ctl"), "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)
