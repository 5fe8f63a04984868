"""How others tell motion, built anew after what is written about them, on the same cells.

Read them as kinds of algorithm, not as those programs' scores.
"""

import cv2
import numpy as np


class Mog2:
    """OpenCV's mixture of Gaussians with DVR-Scan's settings: motion is a share of the cells."""

    SHARES = (0.0015, 0.004, 0.01, 0.02)

    def __init__(self, share):
        self.model = cv2.createBackgroundSubtractorMOG2(500, 16, False)
        self.kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
        self.share = share

    def moves(self, cells):
        """Looks at a picture."""
        found = cv2.morphologyEx(self.model.apply(cells), cv2.MORPH_OPEN, self.kernel)
        return (found > 0).mean() > self.share


class Reference:
    """Motion's way: a reference picture, a noise level, erosion, a number of changed pixels."""

    SETTINGS = ((32, 0.005), (32, 0.02), (50, 0.005), (20, 0.005))

    def __init__(self, setting):
        self.noise, self.share = setting
        self.reference = None

    def moves(self, cells):
        """Looks at a picture."""
        cells = cells.astype(np.float32)
        if self.reference is None:
            self.reference = cells.copy()
        changed = (np.abs(cells - self.reference) > self.noise).astype(np.uint8)
        self.reference += (cells - self.reference) * 0.05
        return cv2.erode(changed, np.ones((2, 2), np.uint8)).mean() > self.share


OTHERS = {
    "MOG2": [lambda share=share: Mog2(share) for share in Mog2.SHARES],
    "reference": [lambda setting=setting: Reference(setting) for setting in Reference.SETTINGS],
}
