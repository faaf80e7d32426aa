"""Points and a codebook in; the k nearest of each among near cells out.

An exact join of n points costs n² products; here a query is compared with the points of the c cells
whose centroids it is nearest to (our design; an inverted file as in Jégou and others 2011, with
lists of near cells in place of a scan of all centroids). In pseudo-code:

    tiles = the pool's points cell by cell, each minus its cell's centroid: matrices of shape
        (dim + 1, up to 256), whose last row is -|y|²/2                            tiles.py
    for each batch of about 1,024 queries of neighbouring cells, on all threads:   search.py
        for each query x, whose cell lies in block b:
            scores = x · centroid - |centroid|²/2 for near_cells[b]
            chosen[x] = the c best of them; all, where these hold too few points   top_k.py
        asking[cell] = the queries that chose it
        for each cell that is asked, the batch's own first:
            X = its asking queries minus its centroid, and a column of ones
            for each tile Y of the cell:
                S = X @ Y                       # x·y - |y|²/2: the larger, the nearer
                for each query: what beats its (k + 2)-th best goes among them     top_k.py
        for each query and each rank that is wanted:
            all candidates within rounding error of that rank are measured anew in double
            precision and sorted, equals by row

So a distance depends on its two points alone, and the result neither on the batch nor on the number
of threads. `nearest.py` is the same for k = 1, as k-means needs it.
"""
