"""The page that `dvc plots` fills in, with Vega inside it.

DVC's own page loads Vega from a content delivery network, so its plots stay blank without one.
This page carries the libraries, and opens from a disk, an archive or a train. It is made on the
machine that uses it, because it is nearly a megabyte of other people's JavaScript:

    python -m voicetraits.plots.page .dvc/plots/page.html
    dvc config --local plots.html_template plots/page.html    # relative to .dvc/

Source: the placeholders {refresh_tag} and {plot_divs} are those of dvc_render/html.py. Its
{scripts}, which holds the network addresses, is left out on purpose.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from voicetraits.storage.files import whole_file

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>Voice Traits: plots</title>
<style>
body { font-family: sans-serif; margin: 24px; color: #222; }
body > div { display: block !important; margin-bottom: 32px; }
img { max-width: 45vw; height: auto; } /* two revisions side by side */
div:only-of-type > img { max-width: 92vw; }
</style>
<script>
(function () {
@VEGA@
})();
</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def plots_page() -> str:
    """The HTML template for `dvc plots`, complete without a network."""
    import vl_convert

    # In a function of its own, because the bundle's many one-letter names are global constants
    # otherwise, which the scripts that DVC writes could not declare again. The closing tag must
    # not occur within JavaScript strings, or the browser would end the script there.
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    vega = re.sub("</(script)", r"<\\/\1", vega, flags=re.IGNORECASE)
    return _PAGE.replace("@VEGA@", vega)


def main(path: str) -> None:
    """Write the page to `path`; the folder is made if it is missing."""
    with whole_file(Path(path)) as partial:
        partial.write_text(plots_page(), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m voicetraits.plots.page .dvc/plots/page.html")
    main(sys.argv[1])
