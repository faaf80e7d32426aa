"""The door to embedders: texts in, vectors out."""

from kdos.embed.embedder import Embedder, embed_in_blocks
from kdos.embed.lexical import LexicalEmbedder
from kdos.embed.named import load_embedder
from kdos.embed.static import StaticEmbedder, embed_what_is_read, note_unknown_script

__all__ = [
    "Embedder", "LexicalEmbedder", "StaticEmbedder", "embed_in_blocks", "embed_what_is_read", "load_embedder",
    "note_unknown_script",
]  # fmt: skip
