"""Text from a folder is only ever shown as text: one function for each format it is written in.

Study names, labels, host names and errors come from files that somebody else may have written. None
of them may move a terminal's cursor, turn around the text beside it, or be read as markup, as a
formula or as a command. `reports.tables` and `reports.page` write with these functions.
"""

from __future__ import annotations

import html as html_module
import re
import unicodedata

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # also the wide ones of East Asia
MARKDOWN = re.compile(r"[\\|*`]|~(?=~)|(?<=])\(|(?<!\w)_|_(?!\w)")  # _ inside a word is only that
TAG = re.compile(r"<(?=[A-Za-z/!?])|&(?=[#A-Za-z])")
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"\textbar{}",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≈": r"$\approx$",
    "τ": r"$\tau$",
    "—": "---",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "·": r"$\cdot$",
}


def plain(text: str, keep: str = "") -> str:
    r"""Return text for a terminal: line breaks, controls and invisible characters are written out.

    Parameters
    ----------
    text
        Any text.
    keep
        Characters that stay as they are, e.g. line breaks of the program's own.

    Examples
    --------
    >>> print(plain("label\x1b[2J \u202eesrever\nnext"))
    label\x1b[2J \u202eesrever\nnext
    """
    return text if text.isprintable() else "".join(_visible(each, keep) for each in text)


def _visible(letter: str, keep: str) -> str:
    seen = letter.isprintable() or letter in keep or unicodedata.category(letter) == "Zs"
    return letter if seen else letter.encode("unicode_escape").decode()


def counted(number: int, thing: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> counted(1, "arm"), counted(1_200, "run")
    ('1 arm', '1,200 runs')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def markdown(text: str) -> str:
    r"""Return text for a cell or a paragraph of Markdown.

    Examples
    --------
    >>> print(markdown("a|b <b>*x*</b> label_noise [0, 1]"))
    a\|b &lt;b>\*x\*&lt;/b> label_noise [0, 1]
    """
    escaped = MARKDOWN.sub(lambda found: f"\\{found[0]}", plain(text))
    return TAG.sub(lambda found: html_module.escape(found[0]), escaped)


def markdown_code(text: str) -> str:
    r"""Return text as code within a paragraph of Markdown.

    Examples
    --------
    >>> print(markdown_code("fit --name 'a_b*'"))
    `fit --name 'a_b*'`
    """
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if len(fence) > 1 else ""  # so that a backtick at an end is none of the fence
    return f"{fence}{space}{plain(text)}{space}{fence}"


def csv(text: str) -> str:
    """Return text for a cell that a spreadsheet opens: a formula gets an apostrophe before it.

    Examples
    --------
    >>> csv("=1+1"), csv("-0.5"), csv("a, b")
    ("'=1+1", '-0.5', 'a, b')
    """
    shown = plain(text)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) and not _is_number(shown) else shown


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?", text) is not None


def latex(text: str) -> str:
    r"""Return text for LaTeX.

    Examples
    --------
    >>> print(latex(r"50% of a_b"))
    50\% of a\_b
    """
    return "".join(map(_latex_letter, plain(text)))


def _latex_letter(letter: str) -> str:
    if letter in LATEX or letter.isascii():
        return LATEX.get(letter, letter)
    # pdfLaTeX stops at a character that its fonts lack.
    known = ("À" <= letter <= "ÿ" and letter not in "ÐðÞþ÷") or letter in "§°±²³¹½¼¾"
    return letter if known else f"[U+{ord(letter):04X}]"


def html(text: str) -> str:
    r"""Return text for HTML, in an element or in an attribute's quotes.

    Examples
    --------
    >>> html("<b>"), html("a\u202eb")
    ('&lt;b&gt;', 'a\\u202eb')
    """
    return html_module.escape(plain(text, keep="\n"))
