"""A surveyed dataset in the plane, for the eye."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kdos.density.picture import plane_density, project_to_plane
from kdos.select.survey import Survey


def draw(found: Survey) -> Any:
    """The reference in the plane, each point in the colour of its measured density."""
    flat = project_to_plane(found.reference.points)
    grid, (left, right, bottom, top) = plane_density(flat)
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots()
    levels = np.linspace(np.quantile(grid, 0.5), grid.max(), 8)
    axes.contour(grid.T, levels, extent=(left, right, bottom, top), colors="0.7", linewidths=0.6)
    colour = found.reference.log_density / np.log(10)
    points = axes.scatter(*flat.T, c=colour, s=3, linewidths=0, rasterized=True)
    figure.colorbar(points, label="log10 density, measured in the space")
    axes.set(xlabel="first direction", ylabel="second direction")
    return figure
