"""The most that is taken from a server, in bytes, depth, items and seconds: the one place where it is set.

All of it is our choice. A reply beyond a limit is one bad reply: it is tried again a few times, then refused.
"""

MAX_REPLY_BYTES = 4 * 2**20  # unpacked; an answer of a million tokens. 256 in flight then hold 1 GB at most
MAX_VECTORS_BYTES = 32 * 2**20  # unpacked; 64 vectors of 8,192 numbers have 12 MB
MAX_STREAM_BYTES = 32 * 2**20  # an event for each token has some 250 bytes: an answer of 130,000 tokens
MAX_FILE_BYTES = 512 * 2**20  # unpacked; 10,000 answers of 4,096 tokens have about 200 MB
MAX_PACKED_MEMBERS = 16  # of one gzip body: each member copies what follows it
MAX_JSON_DEPTH = 64  # levels; the protocol has eight, an answer's schema four
MAX_USAGE_TOKENS = 10_000_000  # of one reply; no model reads or writes as many at once
MAX_LABEL_CHARS = 64  # of a finish reason
MAX_ID_CHARS = 200  # of a batch or a file
MAX_MODEL_NAMES = 10_000  # of a list of models
MAX_FAULT_CHARS = 4096  # of an error in which words are looked for
MAX_EXCERPT_CHARS = 300  # of a server's words in a message
MAX_FAILED_TEXT_CHARS = 32_768  # of an answer that is shown to the model again, with what is wrong with it

MAX_WAIT_SECONDS = 600.0  # that a server may make us wait at once: some send a time of their own reckoning
LONG_WAIT_SECONDS = 30.0  # from which on a wait is said
MAX_DOWN_SECONDS = 3600.0  # that a server which worked may answer nobody
MAX_BATCH_SECONDS = 26 * 3600.0  # that a batch may take: providers promise 24 hours
MALFORMED_ATTEMPTS = 3  # for a reply that came and cannot be read: the server may charge for each
"""`engine.timeout` bounds a whole exchange in seconds, its last byte included, however slowly bytes come."""
