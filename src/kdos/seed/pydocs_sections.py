"""Which part of the library a module belongs to, after the chapters of the library reference."""

SECTIONS = {
    "built-ins": "builtins",
    "text": "string re difflib textwrap unicodedata stringprep rlcompleter",
    "binary data": "struct codecs",
    "data types": (
        "datetime zoneinfo calendar collections heapq bisect array weakref types copy pprint "
        "reprlib enum graphlib"
    ),
    "numbers": "numbers math cmath decimal fractions random statistics",
    "functional": "itertools functools operator",
    "files": (
        "pathlib posixpath ntpath fileinput stat filecmp tempfile glob fnmatch linecache shutil"
    ),
    "persistence": "pickle copyreg shelve marshal dbm sqlite3",
    "compression": "zlib gzip bz2 lzma zipfile tarfile compression",
    "file formats": "csv configparser tomllib netrc plistlib",
    "cryptography": "hashlib hmac secrets",
    "operating system": ("os io time argparse getopt logging getpass curses platform errno ctypes"),
    "concurrency": (
        "threading multiprocessing concurrent subprocess sched queue contextvars asyncio"
    ),
    "networking": "socket ssl select selectors signal mmap",
    "internet data": "email json mailbox mimetypes base64 binascii quopri",
    "markup": "html xml",
    "internet protocols": (
        "webbrowser wsgiref urllib http ftplib poplib imaplib smtplib uuid socketserver xmlrpc "
        "ipaddress"
    ),
    "multimedia": "wave colorsys",
    "internationalisation": "gettext locale",
    "frameworks": "cmd shlex",
    "development": "typing pydoc doctest unittest",
    "debugging": "bdb faulthandler pdb timeit trace tracemalloc profile cProfile pstats",
    "distribution": "zipapp",
    "runtime": (
        "sys warnings dataclasses contextlib abc atexit traceback gc inspect annotationlib"
    ),
    "interpreters": "code codeop",
    "importing": "zipimport pkgutil modulefinder runpy importlib imp",
    "language": (
        "ast symtable token keyword tokenize tabnanny pyclbr py_compile compileall dis pickletools"
    ),
    "unix": "pwd grp termios tty pty fcntl resource syslog crypt spwd nis",
    "superseded": (
        "aifc asynchat asyncore audioop cgi cgitb chunk imghdr mailcap nntplib optparse "
        "ossaudiodev pipes smtpd sndhdr sunau telnetlib uu xdrlib"
    ),
}
SECTION_OF = {module: name for name, modules in SECTIONS.items() for module in modules.split()}


def section(module: str) -> str:
    """The part of the library that a module belongs to, by its first name."""
    return SECTION_OF.get(module.partition(".")[0], "other")
