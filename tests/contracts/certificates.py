"""Certificates for tests, made by the openssl that a system has: an authority, and a server."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Signs certificates of servers."""

    folder: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def server(self, *hosts: str) -> ssl.SSLContext:
        """Answer with how a server is to speak TLS under these names."""
        signed_by = ("-CA", str(self.certificate), "-CAkey", str(self.folder / f"{self.name}.key"))
        return _server(self.folder, f"{self.name}-signed-{hosts[0]}", hosts, signed_by)


def authority(folder: Path, name: str) -> Authority:
    extensions = ("-addext", "basicConstraints=critical,CA:TRUE")
    _make(folder, name, *extensions)
    return Authority(folder=folder, name=name)


def self_signed(folder: Path, *hosts: str) -> ssl.SSLContext:
    return _server(folder, "self-signed", hosts, ())


def _server(
    folder: Path, name: str, hosts: tuple[str, ...], signed_by: tuple[str, ...]
) -> ssl.SSLContext:
    names = ",".join(f"{'IP' if host[0].isdigit() else 'DNS'}:{host}" for host in hosts)
    extensions = (f"subjectAltName={names}", "basicConstraints=CA:FALSE")
    _make(folder, name, *signed_by, *(part for one in extensions for part in ("-addext", one)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def _make(folder: Path, name: str, *options: str) -> None:
    files = ("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"))
    command = ("openssl", "req", "-x509", "-subj", f"/CN={name}", *_NEW_KEY, *files, *options)
    subprocess.run(command, check=True, capture_output=True)
