"""Settings of Sphinx; the sources are those that ``docs.site.stage`` lays out."""

from particlespy_ml import __version__

project = "particlespy_ml"
author = "particlespy_ml developers"
copyright = author
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["files"]

# Notebooks show what they showed when they ran; nothing runs while the site is built.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# Tables of HyperSpy and pandas give HTML and text; widgets would be fetched from elsewhere.
nb_mime_priority_overrides = [("*", "application/vnd.jupyter.widget-view+json", None)]
nb_ipywidgets_js = {}

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "alphabetical"
autodoc_typehints = "signature"
maximum_signature_line_length = 100
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = f"particlespy_ml {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "header_links_before_dropdown": 8,
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "gallery": [], "measured": []}
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
