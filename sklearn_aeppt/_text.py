r"""Names given by users, as they can be written: any object is a name, any text is one.

Models, attacks, classes and groups are named by whoever calls. Such a name ends up in a terminal,
in a file and in a picture, and each of these gives some characters a meaning of its own or cannot
hold them. What a place cannot hold stands there as its escape (``\x00``, ``\ud800``).
"""

import html
import json
import math
import re

import numpy as np

# Control characters (a line break would forge lines of a report, an escape sequence would reach
# the terminal), separators of lines, overrides of the writing direction, what is no character.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def as_text(name):
    """Return a name as text that UTF-8 can hold: lone surrogates stand as their escape."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)
    return text.encode("utf-8", "backslashreplace").decode()


def distinct_names(names):
    """Return one text for each name; what reads alike (1 and "1") is numbered.

    >>> from sklearn_aeppt._text import distinct_names
    >>> distinct_names([1, "1", None])
    ['1', '1 (2)', 'None']
    """
    found: dict[str, None] = {}
    for name in map(as_text, names):
        text, n = name, 1
        while text in found:
            n += 1
            text = f"{name} ({n})"
        found[text] = None
    return list(found)


def shorten(text, width):
    """Return `text`, its middle left out where it has more than `width` characters."""
    if len(text) <= width:
        return text
    tail = (width - 3) // 2
    return f"{text[: width - 3 - tail]}...{text[len(text) - tail :]}"


def shown_name(name, width=None):
    r"""Return a name as one visible line of at most `width` characters.

    >>> from sklearn_aeppt._text import shown_name
    >>> print(shown_name("a\0b"), shown_name(""), shown_name("x" * 99, width=9))
    a\x00b '' xxx...xxx
    """
    text = _HIDDEN.sub(_escape, name if isinstance(name, str) else as_text(name))
    text = text if text.strip() else repr(text)  # an empty name would leave a gap
    return text if width is None else shorten(text, width)


def group_name(label):
    """Return what a group is called: that of missing values, of label None, has a name, too."""
    return "missing" if label is None else label


def html_name(name, width=80):
    """Return a name as HTML; where it is shortened, its ``title`` holds all of it.

    ``bdi`` keeps a name that is written from right to left from turning its surroundings round.
    """
    whole, text = shown_name(name), shown_name(name, width)
    title = "" if text == whole else f" title='{html.escape(whole)}'"
    return f"<bdi{title}>{html.escape(text)}</bdi>"


def picture_name(name, width=40):
    r"""Return a name as matplotlib draws it literally, at most 0.7 `width` em wide.

    Dollar signs would start a formula, a leading underscore would hide it from the legend, and
    what the font lacks would be a box, the same for all, and a warning.

    >>> from sklearn_aeppt._text import picture_name
    >>> print(picture_name("$x_1$"), picture_name("_mine"))
    \$x_1\$  _mine
    """
    fonts = _fonts()
    text = shown_name(name, width)
    text = "".join(c if _find_font(fonts, c) else _escape(c) for c in text)
    text = shorten(text, width)
    extent, room = _drawn_width(text, fonts), 0.7 * width  # capital letters need more than others
    text = shorten(text, int(len(text) * room / extent)) if extent > room else text
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _escape(character):
    """Return a character, or what a regular expression found, as its Python escape."""
    character = character if isinstance(character, str) else character[0]
    return character.encode("unicode_escape").decode()


def _fonts():
    """Return the fonts that matplotlib is set to, in the order in which it tries them."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = []
    for family in FontProperties().get_family():
        try:
            one = findfont(FontProperties(family=[family]), fallback_to_default=False)
        except ValueError:  # not installed: matplotlib goes on to the next as well
            continue
        fonts.append(get_font(one))
    return fonts or [get_font(findfont(FontProperties()))]


def _find_font(fonts, character):
    """Return the first font that has the character, or None."""
    return next((font for font in fonts if font.get_char_index(ord(character))), None)


def _drawn_width(text, fonts):
    """Return the width of `text` in em."""
    size, width = 100, 0.0
    for character in text:
        font = _find_font(fonts, character) or fonts[0]
        font.set_size(size, 72)
        width += font.load_char(ord(character)).linearHoriAdvance / 65536 / size
    return width


_NUMBERS = re.compile(r"\[\n(?:\s*(?:-?\d[-+.\deE]*|null|true|false),?\n)+\s*\]")


def to_json(value):
    """Return `value` as JSON that any parser reads.

    Numbers that are not finite are null (JSON has no NaN), keys are text and distinct, names hold
    no lone surrogates, and what JSON does not know is written as its text. A list of numbers is
    one line.

    >>> from sklearn_aeppt._text import to_json
    >>> print(to_json({1: float("nan"), "1": ("a", None)}))
    {
     "1": null,
     "1 (2)": [
      "a",
      null
     ]
    }
    """
    text = json.dumps(plain(value), indent=1, allow_nan=False)
    # in a string, a line break would be escaped: these are between the numbers of one list
    return _NUMBERS.sub(
        lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text
    )


def plain(value):
    """Return `value` made of what JSON knows."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return dict(zip(distinct_names(value), map(plain, value.values())))
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return as_text(value)
