"""What is read of a page."""

import pytest

from rota_executor.adapters.readable import charset_of, readable

PARAGRAPH = "The greenhouse was warm, and the tomatoes, which had been planted late, were ripe at last. " * 4


def page(body: str, head: str = "<title>News</title>") -> bytes:
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode()


def test_an_article_is_read_without_what_is_around_it() -> None:
    text = readable(
        page(
            "<nav><ul><li><a href=/>Home</a><li><a href=/x>Sport</a></ul></nav>"
            f"<article><h1>Tomatoes</h1><p>{PARAGRAPH}</p><p>{PARAGRAPH}<b>Bold</b>ly.</p></article>"
            "<script>alert('x')</script><style>p {color: red}</style>"
        ),
        "text/html",
    )
    assert text.startswith("News\n\n")
    assert "# Tomatoes" in text or "Tomatoes" in text
    assert text.count("tomatoes, which had been planted late") == 8
    assert "Boldly." in text
    assert not any(word in text for word in ("alert", "color", "Sport"))


def test_a_page_without_an_article_is_read_whole_with_a_line_for_each_block() -> None:
    text = readable(
        page("<h2>Status</h2><table><tr><td>disk</td><td>91%</td></tr></table><ul><li>one<li>two</ul>x<br>y"),
        "text/html",
    )
    assert text.split("\n") == ["News", "", "## Status", "disk", "91%", "- one", "- two", "x", "y"]


def test_the_encoding_is_that_of_the_header_else_of_the_page() -> None:
    body = "<p>Grüße aus Köln</p>"
    assert "Grüße aus Köln" in readable(page(body), "text/html")
    latin = page(body, "").decode().encode("latin-1")
    assert "Grüße aus Köln" in readable(latin, "text/html; charset=iso-8859-1")
    named = page(body, '<meta charset="iso-8859-1">').decode().encode("latin-1")
    assert "Grüße aus Köln" in readable(named, "text/html")
    assert charset_of("text/html; charset=klingon") == "utf-8"


@pytest.mark.parametrize("content", [b"", b"   ", page("", ""), b"<script>x</script>", b"\x00\x00"])
def test_a_page_without_text_says_so(content: bytes) -> None:
    with pytest.raises(ValueError, match="no text on this page"):
        readable(content, "text/html")


def test_what_is_broken_is_read_as_far_as_it_goes() -> None:
    assert "left open" in readable(b"<p><b><table><tr>left open", "")
    assert readable(b"<?xml version='1.0' encoding='utf-16'?><html><p>declared</p>", "") == "declared"


def test_a_page_that_is_nested_without_end_is_no_end_of_the_executor() -> None:
    assert readable(b"<p>here</p>" + b"<div>" * 100_000 + b"deep", "text/html").startswith("here")
