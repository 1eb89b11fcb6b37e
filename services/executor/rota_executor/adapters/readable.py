"""What a person would read of a page of HTML."""

import codecs
import re
from collections.abc import Iterator
from typing import Any

# Below this much text, or this share of the page's, what was taken for the article is not all that matters.
ARTICLE_CHARACTERS = 400
ARTICLE_SHARE = 0.15
CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)
LEFT_OUT = frozenset(
    {"script", "style", "noscript", "template", "svg", "iframe", "object", "head", "nav", "form", "button"}
)
BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "br", "dd", "details", "div", "dl", "dt", "figcaption"}
    | {"figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre"}
    | {"section", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
MARKS = {"li": "- ", **{f"h{level}": f"{'#' * level} " for level in range(1, 7)}}


def readable(page: bytes, content_type: str) -> str:
    """The title and the text of the article, or of the whole page where it has none.

    Raises:
        ValueError: there is no text in it.

    """
    # Slow, and not needed before a page is read.
    from lxml import etree, html  # noqa: PLC0415
    from readability import Document  # noqa: PLC0415

    text = page.decode(charset_of(content_type, page), "replace").replace("\0", "")
    try:
        # As bytes: a declaration of another encoding in it is not believed.
        tree = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))
    except (ValueError, etree.ParserError) as error:
        raise ValueError("there is no text on this page") from error
    whole = text_of(tree)
    try:
        article = text_of(html.fragment_fromstring(Document(text).summary(html_partial=True)))
    except Exception:  # noqa: BLE001  a page that it does not understand is read whole
        article = ""
    is_article = len(article) >= max(ARTICLE_CHARACTERS, ARTICLE_SHARE * len(whole))
    if not whole:
        raise ValueError("there is no text on this page")
    title = " ".join((tree.findtext(".//title") or "").split())
    body = article if is_article else whole
    return f"{title}\n\n{body}" if title else body


def charset_of(content_type: str, page: bytes = b"") -> str:
    """The encoding that the header names, else the page in its first part, else UTF-8."""
    match = CHARSET.search(content_type) or CHARSET.search(page[:2048].decode("ascii", "replace"))
    try:
        return codecs.lookup(match[1]).name if match else "utf-8"
    except LookupError:
        return "utf-8"


def text_of(element: Any) -> str:
    """The text of an element of lxml, a line for each block."""
    pieces = "".join(_pieces(element))
    lines = (" ".join(line.split()) for line in pieces.split("\n"))
    return "\n".join(line for line in lines if line and line not in {"-", *("#" * n for n in range(1, 7))})


def _pieces(element: Any) -> Iterator[str]:
    tag = element.tag if isinstance(element.tag, str) else ""
    if not tag or tag in LEFT_OUT:
        return
    if tag in BLOCKS:
        yield f"\n{MARKS.get(tag, '')}"
    # A line break in the source is none of the text.
    yield re.sub(r"\s+", " ", element.text or "")
    for child in element:
        yield from _pieces(child)
        yield re.sub(r"\s+", " ", child.tail or "")
    if tag in BLOCKS:
        yield "\n"
