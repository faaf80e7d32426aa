"""Classes with descriptions and examples in, the class of each text out: by meaning and by shared words."""

from kdos.taxonomy.classes import SHIPPED, Taxonomy, TaxonomyClass, load_shipped
from kdos.taxonomy.nearest import ClassFinder, Embed, cut_excerpt

__all__ = ["SHIPPED", "ClassFinder", "Embed", "Taxonomy", "TaxonomyClass", "cut_excerpt", "load_shipped"]
