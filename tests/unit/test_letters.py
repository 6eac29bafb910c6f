"""No letter of a figure is drawn as a box: what no font holds is named, wherever it stands."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from headway.figures import fonts, theme
from headway.messages import LANGUAGES, speaking

# An emoji with its joiners, a letter that Unicode has not given out, controls.
STRANGE = "Dr. A \U0001f642\U0001f469\u200d\u2695\ufe0f \U000e0fff\t\x07\x85 z"
PLACES = ("title", "label", "text", "annotation", "legend", "ticks", "categories", "numbers")


def draw(place: str) -> theme.Drawing:
    """Draw a figure with the strange text in one place."""
    with theme.style():
        figure = theme.new_figure(4, 3)
        axes = figure.add_axes((0.3, 0.3, 0.6, 0.5))
        if place == "categories":
            axes.barh([STRANGE, "b"], [1, 2])
        else:
            axes.plot([0.0, 1.0], [0.0, 1.5], label=STRANGE if place == "legend" else None)
        if place == "legend":
            axes.legend()
        elif place == "title":
            axes.set_title(STRANGE, fontweight="bold")
        elif place == "label":
            axes.set_xlabel(STRANGE)
        elif place == "text":
            figure.text(0.1, 0.1, STRANGE)
        elif place == "annotation":
            axes.annotate(STRANGE, (0.5, 0.5))
        elif place == "ticks":
            axes.set_yticks([0, 1], [STRANGE, "Ms. B"])
        theme.write_commas(figure)
    return theme.Drawing(figure, "T", "A", "C", False)


def texts_of(drawing: theme.Drawing) -> set[str]:
    from matplotlib.text import Text

    return {str(text.get_text()) for text in drawing.figure.findobj(Text)}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("place", PLACES)
def test_what_no_font_holds_is_named_and_no_box_is_drawn(
    place: str, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_list_families", dict)
    with speaking(language), warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = draw(place)
        (saved,) = theme.save({"one": drawing}, tmp_path)
        png, words = drawing._repr_png_()
    assert png.startswith(b"\x89PNG") and words == {"alt": "A"}
    if place == "numbers":
        assert saved.caption == "C"
        assert ("0,5" in texts_of(drawing)) == (language != "en")
        return
    emoji = {"en": "emoji", "es": "emojis", "de": "Emojis"}[language]
    assert emoji in saved.caption and fonts.LOST in saved.caption
    drawn = texts_of(drawing)
    assert any(text.startswith(f"Dr. A {fonts.LOST}") and text.endswith("z") for text in drawn)
    assert not any(letter in text for text in drawn for letter in "\U0001f642\t\x07\x85")
    if place == "ticks":
        assert "Ms. B" in drawn  # a full stop in a name is no decimal sign
