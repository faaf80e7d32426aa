"""Points and a codebook in; the k nearest of each among near cells out."""
