"""The fields of kubeconfigs: those that are taken, and those that would have a server run or read something."""

from enum import Enum, auto


class Kind(Enum):
    """What a field holds."""

    TEXT = auto()
    FLAG = auto()
    NAMES = auto()
    SERVER = auto()
    PROXY = auto()
    PEM = auto()
    DROPPED = auto()


LISTS = ("clusters", "users", "contexts")

CLUSTER = {
    "server": Kind.SERVER,
    "tls-server-name": Kind.TEXT,
    "insecure-skip-tls-verify": Kind.FLAG,
    "certificate-authority-data": Kind.PEM,
    "proxy-url": Kind.PROXY,
    "disable-compression": Kind.FLAG,
    "extensions": Kind.DROPPED,
}
USER = {
    "client-certificate-data": Kind.PEM,
    "client-key-data": Kind.PEM,
    "token": Kind.TEXT,
    "username": Kind.TEXT,
    "password": Kind.TEXT,
    "as": Kind.TEXT,
    "as-uid": Kind.TEXT,
    "as-groups": Kind.NAMES,
    "extensions": Kind.DROPPED,
}
CONTEXT = {"cluster": Kind.TEXT, "user": Kind.TEXT, "namespace": Kind.TEXT, "extensions": Kind.DROPPED}

ENTRIES = {"clusters": ("cluster", CLUSTER), "users": ("user", USER), "contexts": ("context", CONTEXT)}
"""List → what an entry has beside its name, and the fields of that."""

_PROGRAM = "would have a server run a program; use a token or a client certificate"
_PATH = "names a file that is not here; put what is in it into the kubeconfig: kubectl config view --raw --flatten"
REFUSED = {
    "exec": _PROGRAM,
    "auth-provider": _PROGRAM,
    "certificate-authority": _PATH,
    "client-certificate": _PATH,
    "client-key": _PATH,
    "tokenFile": _PATH,
}
