"""Pictures of clips side by side."""

import numpy as np
import pytest
from PIL import ImageFont

from dev import contact_sheet


@pytest.mark.parametrize("label", ["LAMP", "Tune-A-Video, with another person's words"])
def test_pictures_begin_where_the_longest_label_has_ended(label):
    clip = np.zeros((4, 8, 8, 3), np.uint8)
    clip[...] = 255, 0, 0
    drawn = np.asarray(contact_sheet.sheet([{"real": clip, label: clip}]))
    begins = int((drawn == (255, 0, 0)).all(-1).any(0).argmax())
    assert begins > contact_sheet.MARGIN + ImageFont.load_default().getlength(label)
    assert begins >= contact_sheet.LABEL and drawn.shape[1] - begins == 8 * contact_sheet.SIDE
