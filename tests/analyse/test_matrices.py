"""Matrices of figures: what is written upon which colour."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from scripts.analyse.matrices import LEAST, draw_shares


def test_shares_are_written_where_they_are_known_and_no_nought_and_can_be_read():
    shares = pd.DataFrame(
        [[0.6, 0.004], [np.nan, 0.2]], index=["zoom_in", "pan"], columns=["image_generated", "real"]
    )
    figure, (some, none) = plt.subplots(1, 2)
    image = draw_shares(some, shares, "cividis", LEAST)
    found = {(*map(int, text.get_position()),): (text.get_text(), text.get_color())
             for text in some.texts}  # fmt: skip
    assert found == {(0, 0): ("60", "black"), (1, 1): ("20", "white")}
    assert [label.get_text() for label in some.get_yticklabels()] == ["zoom in", "pan"]
    assert [label.get_text() for label in some.get_xticklabels()] == ["image generated", "real"]
    assert image.get_clim() == (0, 1) and image.get_array().shape == (2, 2)
    assert draw_shares(none, shares[:0], "cividis").get_array().shape == (1, 2), "a row of nothing"
    assert not none.texts and not none.get_yticklabels()
    plt.close(figure)
