"""The site: what ``make docs`` makes of the pages, the notebooks and the package."""
