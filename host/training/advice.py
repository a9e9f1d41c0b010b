"""What Train Motion LoRA says on itself before it begins: what was given that will not teach what it should."""

from collections.abc import Iterator, Sequence

ADVISED = 8  # clips of one motion, fewer teach scenes rather than the motion (docs, LAMP's paper: 8 to 16)


def of_training(method: str, clips: int, captions: Sequence[str], conditions: int) -> Iterator[str]:
    """Sentences about the clips and their captions; `conditions`: how many encoded captions there are."""
    if method != "Tune-A-Video" and 1 < clips < ADVISED:  # one alone is to be edited
        yield (f"{clips} clips will be learnt by heart rather than their motion: {ADVISED} to 16 of "
               "different scenes are advised.")  # fmt: skip
    empty = sum(not caption.strip() for caption in captions)
    if empty:
        yield (f"{empty} of {len(captions)} captions are empty: beside each clip a .txt file of the same name should "
               "say what is seen and how it moves.")  # fmt: skip
    if method != "Tune-A-Video" and conditions == 1 < clips:
        yield f"One caption stands for all {clips} clips: the motion is learnt better where each has its own."


def of_samples(goes_on: bool, picture) -> Iterator[str]:
    """A sentence where a picture begins no sample clip, since the motion does not go on from one."""
    if picture is not None and not goes_on:
        yield "sample_image is not used: a motion that is given no first frame is sampled from words alone."
